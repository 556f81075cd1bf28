"""Who may reach whom: the rules, the names, and what is done about them."""

import pytest
from builders import (
    app,
    container,
    desired,
    observed,
    old,
    problem,
    running,
    seen,
    situation,
    steps_of,
    told,
)
from msgspec.structs import replace

from reconciler.core.isolation import notices
from reconciler.core.planner import plan, still_wanted
from reconciler.core.relations import Surroundings, isolation_of, names_of
from reconciler.model.change import (
    Action,
    AttachNetwork,
    Change,
    DetachNetwork,
    EnsureNetwork,
    ForgetIsolation,
    Isolate,
    Reason,
    SetLimits,
    StartContainer,
    WriteNames,
)
from reconciler.model.container import HealthCheck, HealthKind, NetworkPolicy, PortSpec
from reconciler.model.desired import Connection
from reconciler.model.isolation import Egress, IsolationSpec, Passage
from reconciler.model.observed import ContainerState, ObservedNetwork
from reconciler.model.step_words import describe

DB = app("db")
WEB = app("web", requires=("db",), connections=(Connection("db", (5432,)),))
TO_DB = Passage("db", "ar-db", 5432)
ALONE = {a: IsolationSpec(a, f"ar-{a}") for a in ("db", "web", "tor")}
CONNECTED = IsolationSpec("web", "ar-web", (TO_DB,))
AT = "10.89.0.254"
NAMES = (("db", AT), ("main.db", AT))


def having(spec, **more):
    """A running container with an address in its network."""
    return replace(seen(spec), **({"address": AT} | more))


def around(*specs, have=None):
    return Surroundings(situation(desired(*specs), have or observed()))


def both(*, rules=(ALONE["db"], CONNECTED), names=NAMES, **more):
    web = having(WEB, address="10.89.1.254", names=names)
    return situation(desired(DB, WEB), observed(having(DB), web, rules=rules, **more))


# --- what the rules are --------------------------------------------------------------------------


def test_an_app_reaches_the_declared_ports_of_the_declared_app():
    assert isolation_of(WEB, around(DB, WEB)) == CONNECTED
    assert isolation_of(DB, around(DB, WEB)) == ALONE["db"]


def test_an_app_without_a_network_of_its_own_has_no_rules():
    assert isolation_of(replace(WEB, network=None), around(DB)) is None
    assert isolation_of(WEB, around(replace(DB, network=None), WEB)) == ALONE["web"]


def test_an_app_that_is_not_there_is_not_reached():
    assert isolation_of(WEB, around(WEB)) == ALONE["web"]


def test_an_app_that_cannot_be_read_is_still_reached():
    assert isolation_of(WEB, around(WEB, have=observed(seen("db")))) == CONNECTED


@pytest.mark.parametrize(
    ("protocols", "want"), [((), ["tcp"]), (("udp",), ["udp"]), (("tcp", "udp"), ["tcp", "udp"])]
)
def test_a_port_is_reached_by_the_protocol_that_it_is_published_with(protocols, want):
    ports = (*(PortSpec(1, 5432, p) for p in protocols), PortSpec(2, 99, "udp"))
    target = app("db", container("db", ports=ports))
    rules = isolation_of(WEB, around(target, WEB))
    assert [p.protocol for p in rules.passages] == want


# --- what names stand for ------------------------------------------------------------------------


def test_a_name_stands_for_the_container_with_the_port():
    check = HealthCheck(HealthKind.TCP, port=7)
    parts = (
        container("many", "one"),
        container("many", "api", ports=(PortSpec(1, 8999),)),
        container("many", "web", health=check),
    )
    many = app("many", *parts)
    have = observed(
        *(replace(c, address=f"10.0.0.{i}") for i, c in enumerate(running(many), start=1))
    )

    def meant(ports, target=many):
        asking = app("web", connections=(Connection("many", ports, asked="virtual"),))
        found = dict(names_of(asking, around(target, asking, have=have)))
        assert found["virtual"] == found["many"]
        assert (found["one.many"], found["web.many"]) == ("10.0.0.1", "10.0.0.3")
        return found["many"]

    assert meant((8999,)) == "10.0.0.2"
    assert meant((7, 8999)) == "10.0.0.3"
    assert meant((1,)) == "10.0.0.1"
    named = app("many", *parts[:2], container("many", "main"), parts[2])
    have = observed(*have.containers, replace(seen(named), address="10.0.0.9"))
    assert meant((1,), named) == "10.0.0.9"


def test_what_does_not_run_or_is_not_known_has_no_address():
    for state in (ContainerState.EXITED, ContainerState.RUNNING):
        have = observed(seen(DB, state=state))
        assert names_of(WEB, around(DB, WEB, have=have)) == ()
    assert names_of(WEB, around(WEB, have=observed(having(DB)))) == ()


# --- what is done --------------------------------------------------------------------------------


def test_at_rest_nothing_is_done():
    assert told(plan(both())) == [("db", "keep", "InSync"), ("web", "keep", "InSync")]


def test_a_connection_that_was_added_opens_without_a_restart():
    made = plan(both(rules=tuple(ALONE[a] for a in ("db", "web")), names=None))
    assert told(made)[1] == ("web", "isolate", "IsolationDiffers")
    assert steps_of(made, "web") == ["Isolate web", "WriteNames id-web-main"]
    assert made.of("web").steps[1].names == NAMES
    assert made.of("web").message == "its connections changed"


def test_a_connection_that_was_taken_away_is_shut_and_its_names_forgotten():
    alone = app("web", requires=("db",))
    have = observed(having(DB), having(alone, names=NAMES), rules=(ALONE["db"], CONNECTED))
    made = plan(situation(desired(DB, alone), have))
    assert steps_of(made, "web") == ["Isolate web", "WriteNames id-web-main"]
    assert made.of("web").steps[0].isolation == ALONE["web"]
    assert made.of("web").steps[1].names == ()


def test_rules_that_are_missing_come_back_whatever_else_is_held():
    made = plan(both(rules=()))
    assert [c.action for c in made.changes] == [Action.ISOLATE, Action.ISOLATE]
    assert made.of("db").message == "its rules are missing"
    held = app("web", unsupported=("hooks",))
    have = observed(old(held), rules=())
    assert steps_of(plan(situation(desired(held), have)), "web") == ["Isolate web"]


def test_what_the_operator_left_alone_keeps_its_rules_but_never_runs_without():
    alone = replace(WEB, left_alone=True)
    here = (having(DB), having(alone, names=()))
    other = observed(*here, rules=(ALONE["db"], ALONE["web"]))
    assert told(plan(situation(desired(DB, alone), other)))[1] == ("web", "hold", "Suspended")
    none = observed(*here, rules=(ALONE["db"],))
    assert steps_of(plan(situation(desired(DB, alone), none)), "web")[0] == "Isolate web"


def test_what_is_held_at_an_earlier_revision_keeps_the_rules_of_that():
    held = replace(WEB, unsupported=("hooks",))
    have = observed(having(DB), old(held), rules=(ALONE["db"], ALONE["web"]))
    made = plan(situation(desired(DB, held), have))
    assert told(made)[1] == ("web", "hold", "NotSupported")


def test_an_address_that_changed_is_told_without_a_restart():
    made = plan(both(names=(("db", "10.0.0.1"), ("main.db", "10.0.0.1"))))
    assert steps_of(made, "web") == ["WriteNames id-web-main"]
    assert made.of("web").message == "the address of a name that it knows changed"


def test_what_is_down_for_a_moment_keeps_its_name():
    exited = replace(seen(DB, state=ContainerState.EXITED), address="")
    web = having(WEB, names=NAMES)
    have = observed(exited, web, rules=(ALONE["db"], CONNECTED))
    made = plan(situation(desired(DB, WEB), have))
    assert told(made)[1] == ("web", "keep", "DependencyUnhealthy")


def test_a_paused_container_is_told_nothing():
    paused = having(WEB, state=ContainerState.PAUSED, names=None)
    have = observed(having(DB), paused, rules=(ALONE["db"], CONNECTED))
    made = plan(situation(desired(DB, WEB), have))
    assert steps_of(made, "web") == ["StartContainer id-web-main"]


def test_what_does_not_run_needs_no_rules():
    spec = app("web", suspended=True)
    have = observed(seen(spec, state=ContainerState.EXITED), rules=())
    assert told(plan(situation(desired(spec), have))) == [("web", "hold", "Suspended")]


def test_nothing_starts_before_its_rules_and_what_starts_knows_its_names():
    made = plan(situation(desired(DB, WEB), observed(having(DB))))
    steps = made.of("web").steps
    words = [type(s).__name__ for s in steps]
    assert words[-2:] == ["Isolate", "StartContainer"]
    assert steps[-2].isolation == CONNECTED
    assert steps[-1].names == NAMES


def test_rules_that_are_in_force_are_not_loaded_again_for_a_start():
    exited = seen(WEB, state=ContainerState.EXITED)
    have = observed(having(DB), exited, rules=(ALONE["db"], CONNECTED))
    assert steps_of(plan(situation(desired(DB, WEB), have)), "web") == [
        "StartContainer id-web-main"
    ]


def test_an_app_of_which_nothing_is_known_is_shut_in():
    broken = {"web": problem(app="web")}
    have = observed(seen("web"), rules=())
    made = plan(situation(desired(broken=broken), have))
    assert told(made) == [("web", "isolate", "IsolationDiffers")]
    assert made.of("web").steps[0].isolation == replace(ALONE["web"], egress=Egress.NONE)


@pytest.mark.parametrize(
    "have",
    [
        observed(seen("web")),
        observed(seen("web"), networks=(), rules=()),
        observed(seen("web", state=ContainerState.EXITED), rules=()),
        observed(seen("web"), rules=(), unenforceable="no nft"),
        replace(observed(seen("web"), rules=()), networks=(ObservedNetwork("n", "web"),)),
    ],
    ids=["has rules", "has no network", "does not run", "cannot be", "has no bridge"],
)
def test_and_otherwise_it_is_left_alone(have):
    made = plan(situation(desired(broken={"web": problem(app="web")}), have))
    assert told(made) == [("web", "hold", "ManifestInvalid")]


def test_an_app_that_left_only_a_network_is_removed():
    made = plan(situation(desired(DB), observed(having(DB), networks=("db", "web"), rules=())))
    assert steps_of(made, "web") == ["RemoveNetwork archipelago-web"]


def test_an_app_that_left_only_rules_is_removed():
    made = plan(situation(desired(DB), observed(having(DB), rules=(ALONE["db"], CONNECTED))))
    assert steps_of(made, "web") == ["ForgetIsolation web"]


def test_a_change_of_rules_is_wanted_even_without_a_spec():
    change = Change("web", Action.ISOLATE, Reason.ISOLATION_DIFFERS)
    assert still_wanted(change, desired(broken={"web": problem()}))
    assert still_wanted(change, desired())
    assert not still_wanted(replace(change, digest="1-0"), desired(WEB))


# --- the way out ---------------------------------------------------------------------------------


def shut_in(*parts, **more):
    """An app that may ask nobody for names."""
    return app("safe", *(parts or (container("safe"),)), egress=Egress.NONE, **more)


NOWHERE = IsolationSpec("safe", "ar-safe", egress=Egress.NONE)


@pytest.mark.parametrize("egress", Egress)
def test_the_way_out_is_part_of_the_rules(egress):
    spec = replace(DB, egress=egress)
    assert isolation_of(spec, around(spec)) == replace(ALONE["db"], egress=egress)


def test_another_way_out_is_taken_without_a_restart():
    lan = replace(DB, egress=Egress.LAN)
    made = plan(situation(desired(lan), observed(having(lan))))
    assert told(made) == [("db", "isolate", "IsolationDiffers")]
    assert steps_of(made, "db") == ["Isolate db"]
    assert made.of("db").message == "its way out is lan now"


def test_who_may_ask_nobody_is_told_the_names_of_its_own():
    parts = (container("safe", hostname="host", aliases=("one", "both")),)
    parts = (*parts, container("safe", "other", aliases=("both",)))
    spec = shut_in(*parts)
    first = having(spec, address="10.0.0.1")
    second = replace(seen(spec, "other"), address="10.0.0.2", names=())
    made = plan(situation(desired(spec), observed(first, second, rules=(NOWHERE,))))
    assert steps_of(made, "safe") == ["WriteNames id-safe-main", "WriteNames id-safe-other"]
    here = dict.fromkeys(("both", "host", "main", "one"), "10.0.0.1")
    assert dict(made.of("safe").steps[0].names) == {**here, "other": "10.0.0.2"}
    names = made.of("safe").steps[1].names
    known = [replace(c, names=names) for c in (first, second)]
    assert told(plan(situation(desired(spec), observed(*known, rules=(NOWHERE,))))) == [
        ("safe", "keep", "InSync")
    ]
    # One that is down for a moment keeps its name.
    down = replace(known[1], state=ContainerState.EXITED, address="")
    made = plan(situation(desired(spec), observed(known[0], down, rules=(NOWHERE,))))
    assert not any(isinstance(s, WriteNames) for s in made.of("safe").steps)


def test_who_may_ask_again_forgets_the_names_of_its_own():
    before = having(shut_in(), names=(("main", AT),))
    spec = app("safe")
    made = plan(situation(desired(spec), observed(before, rules=(NOWHERE,))))
    assert steps_of(made, "safe") == ["Isolate safe", "WriteNames id-safe-main"]
    assert made.of("safe").steps[1].names == ()


def test_who_may_ask_nobody_knows_those_that_it_is_connected_to():
    spec = shut_in(connections=(Connection("db", (5432,)),))
    have = observed(having(DB), replace(having(spec), address="10.0.0.7"))
    assert dict(names_of(spec, around(DB, spec, have=have))) == {**dict(NAMES), "main": "10.0.0.7"}


# --- where it cannot be --------------------------------------------------------------------------


def test_without_rules_networks_are_sealed_and_nobody_is_connected():
    none = observed(having(DB), unenforceable="firewall rules need root", rules=())
    made = plan(situation(desired(DB, WEB), none))
    assert told(made) == [("db", "keep", "InSync"), ("web", "hold", "NotEnforceable")]
    assert made.of("web").message == "cannot be connected to db: firewall rules need root"
    alone = app("tor")
    made = plan(situation(desired(alone), observed(unenforceable="x")))
    networks = [s.network for s in made.of("tor").steps if isinstance(s, EnsureNetwork)]
    assert [n.sealed for n in networks] == [True]
    assert isinstance(made.of("tor").steps[-1], StartContainer)


@pytest.mark.parametrize("egress", [Egress.LAN, Egress.NONE])
def test_what_cannot_be_kept_in_does_not_start(egress):
    spec = replace(DB, egress=egress)
    made = plan(situation(desired(spec), observed(unenforceable="no nft")))
    assert told(made) == [("db", "hold", "NotEnforceable")]
    assert made.of("db").message == f"its way out cannot be kept to {egress}: no nft"
    have = observed(having(spec), unenforceable="no nft", rules=())
    assert told(plan(situation(desired(spec), have))) == [("db", "keep", "InSync")]


def test_what_is_enforced_is_said():
    none = observed(unenforceable="firewall rules need root")
    words = "apps are kept apart by Podman's networks alone, and none is connected to another"
    reached = "they reach this machine and the local network"
    told_ = (f"{words}; {reached}: firewall rules need root",)
    assert notices(situation(desired(DB), none)) == told_
    assert notices(situation(desired(), none)) == ()
    assert notices(situation(desired(replace(DB, network=None)), none)) == ()
    assert notices(situation(desired(DB), observed())) == ()


def test_with_rules_networks_are_open_to_them():
    made = plan(situation(desired(DB), observed()))
    networks = [s.network for s in made.of("db").steps if isinstance(s, EnsureNetwork)]
    assert [n.sealed for n in networks] == [False]


@pytest.mark.parametrize("which", ["web", "db"])
def test_who_has_no_network_of_its_own_cannot_be_connected(which):
    policy = container(which, network_policy=NetworkPolicy.HOST)
    shared = replace(app(which, policy), network=None)
    if which == "web":
        apps = (DB, replace(shared, connections=WEB.connections, requires=WEB.requires))
    else:
        apps = (shared, WEB)
    have = observed(replace(seen(apps[0]), address=AT))
    made = plan(situation(desired(*apps), have))
    assert told(made)[1] == ("web", "hold", "NotSupported")
    assert made.of("web").message == (
        f"cannot be connected to db: {which} has no network of its own (network_policy: host)"
    )


def sealed(*apps):
    networks = tuple(ObservedNetwork(f"archipelago-{a}", a, f"ar-{a}", sealed=True) for a in apps)
    open_ = tuple(
        ObservedNetwork(f"archipelago-{a}", a, f"ar-{a}") for a in ("db", "web") if a not in apps
    )
    return replace(both().observed, networks=(*networks, *open_))


def test_two_networks_that_no_rule_can_open_are_made_anew():
    made = plan(situation(desired(DB, WEB), sealed("db", "web")))
    assert told(made) == [("db", "keep", "InSync"), ("web", "update", "NetworkSealed")]
    assert steps_of(made, "web") == [
        "StopContainer id-web-main",
        "RemoveContainer id-web-main",
        "RemoveNetwork archipelago-web",
    ]
    assert "cannot be opened to db" in made.of("web").message


def test_what_is_suspended_is_stopped_and_its_network_left():
    held = replace(WEB, suspended=True)
    made = plan(situation(desired(DB, held), sealed("db", "web")))
    assert told(made)[1] == ("web", "stop", "Suspended")
    assert steps_of(made, "web") == ["StopContainer id-web-main"]


@pytest.mark.parametrize("which", ["db", "web"])
def test_one_of_them_is_no_hindrance(which):
    made = plan(situation(desired(DB, WEB), sealed(which)))
    assert told(made)[1] == ("web", "keep", "InSync")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Isolate(CONNECTED), "isolating web but for db:5432"),
        (Isolate(ALONE["db"]), "isolating db"),
        (WriteNames("web-main", NAMES), "telling web-main of db, main.db"),
        (WriteNames("web-main", ()), "telling web-main of no other apps"),
        (ForgetIsolation("web"), "removing the rules of web"),
        (DetachNetwork("web-main", "podman"), "disconnecting web-main from network podman"),
        (SetLimits("web-main", container("web")), "setting the limits of web-main"),
        (
            AttachNetwork("web-main", container("web")),
            "connecting web-main to network archipelago-web",
        ),
    ],
)
def test_the_steps_have_words(step, words):
    assert describe(step) == words
