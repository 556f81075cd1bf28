"""What is tried of an app's isolation, and what the results say."""

import pytest
from builders import NOW, app, container, desired, observed, seen, situation
from msgspec.structs import replace

from reconciler.core.verifying import METADATA, NEIGHBOURS, OUTSIDE, fits, isolated, table, trials
from reconciler.model.change import Action
from reconciler.model.container import HealthCheck, HealthKind, PortSpec
from reconciler.model.desired import Connection
from reconciler.model.health import HealthState
from reconciler.model.isolation import Egress, IsolationSpec, Passage
from reconciler.model.observed import ContainerState
from reconciler.model.status import AppStatus, Condition, ConditionType
from reconciler.model.trial import MACHINE, Reach, Target, Tried, Wanted

DB = app("db", container("db", health=HealthCheck(HealthKind.TCP, port=5432)))
WEB = app("web", connections=(Connection("db", (5432,)),))
TO_DB = (Passage("db", "ar-db", 5432),)
RULES = (IsolationSpec("db", "ar-db"), IsolationSpec("web", "ar-web", TO_DB))
FINE = {
    Wanted.CONTROL: Reach.CLOSED,
    Wanted.ARRIVES: Reach.OPEN,
    Wanted.NOT_ARRIVES: Reach.SHUT,
    Wanted.SHUT: Reach.SHUT,
}


def having(*specs, rules=RULES, **more):
    there = [
        replace(seen(s, c.name), address=f"10.0.{n}.{c.place}", pid=7)
        for n, s in enumerate(specs, start=1)
        for c in s.containers
    ]
    return situation(desired(*specs), observed(*there, rules=rules), **more)


def tried_of(app_, given):
    return {a.name: (a.target, a.wanted) for a in trials(given)[app_].attempts}


# --- what is tried -------------------------------------------------------------------------------


def test_the_machine_the_others_and_what_is_declared_are_tried():
    assert tried_of("web", having(DB, WEB)) == {
        "itself": (Target("127.0.0.1", 9), Wanted.CONTROL),
        "addresses of links": (Target(METADATA, 80), Wanted.SHUT),
        "this machine": (Target(MACHINE, 9), Wanted.NOT_ARRIVES),
        "db:5432": (Target("10.0.1.0", 5432), Wanted.ARRIVES),
        "db:9": (Target("10.0.1.0", 9), Wanted.NOT_ARRIVES),
    }
    assert tried_of("db", having(DB, WEB))["web:9"][1] is Wanted.NOT_ARRIVES
    assert trials(having(DB, WEB))["web"].targets[0] == Target(METADATA, 80)


@pytest.mark.parametrize(
    ("egress", "name", "target"),
    [
        (Egress.NONE, "the internet", Target(OUTSIDE, 9)),
        (Egress.INTERNET, "addresses of links", Target(METADATA, 80)),
        (Egress.LAN, "", None),
    ],
)
def test_a_way_out_that_is_not_there_is_tried(egress, name, target):
    rules = (IsolationSpec("db", "ar-db", egress=egress),)
    found = tried_of("db", having(DB, rules=rules))
    assert {n: t for n, (t, w) in found.items() if w is Wanted.SHUT} == (
        {name: target} if name else {}
    )


def test_a_port_where_somebody_listens_is_tried_rather_than_another():
    ports = (PortSpec(1, 5432), PortSpec(2, 8999))
    both = app("db", container("db", ports=ports))
    assert "db:8999" in tried_of("web", having(both, WEB))
    all_ = replace(RULES[1], passages=(*TO_DB, *(Passage("db", "ar-db", p) for p in (9, 8999))))
    assert "db:10" in tried_of("web", having(both, WEB, rules=(RULES[0], all_)))


def test_only_what_runs_with_rules_is_tried():
    assert set(trials(having(DB, WEB))) == {"db", "web"}
    assert set(trials(having(DB, WEB, rules=RULES[:1]))) == {"db"}
    assert trials(having(replace(DB, network=None), rules=RULES)) == {}
    stopped = observed(seen(DB, state=ContainerState.EXITED), rules=RULES)
    assert trials(situation(desired(DB), stopped)) == {}


def test_whom_nobody_can_reach_now_is_not_tried():
    web = replace(seen(WEB), address="10.0.2.1")
    there = observed(web, seen(DB, state=ContainerState.EXITED), rules=RULES)
    names = tried_of("web", situation(desired(DB, WEB), there))
    assert set(names) == {"itself", "addresses of links", "this machine"}
    unknown = observed(web, rules=RULES)
    assert "db:5432" not in tried_of("web", situation(desired(WEB), unknown))


def test_udp_is_not_tried():
    udp = replace(RULES[1], passages=(Passage("db", "ar-db", 53, "udp"),))
    assert "db:53" not in tried_of("web", having(DB, WEB, rules=(RULES[0], udp)))


def test_of_many_apps_each_is_tried_by_some():
    many = [app(f"a{n}") for n in range(9)]
    given = having(*many, rules=tuple(IsolationSpec(a.id, f"ar-{a.id}") for a in many))
    told = [n for trial in trials(given).values() for n in (a.name for a in trial.attempts)]
    assert {told.count(f"{a.id}:9") for a in many} == {NEIGHBOURS}


def test_the_table_has_what_was_tried_and_what_is_declared_besides():
    asking = replace(WEB, connections=(Connection("db", (5432, 53)),))
    ports = (PortSpec(1, 5432), PortSpec(2, 53, "udp"))
    given = having(app("db", container("db", ports=ports)), asking)
    trial = trials(given)["web"]
    tried = {"web": Tried(trial, tuple(FINE[a.wanted] for a in trial.attempts))}
    told = {line.to: (line.declared, line.found, line.fits) for line in table(given, tried)}
    assert told == {
        "addresses of links": (False, Reach.SHUT, True),
        "this machine": (False, Reach.SHUT, True),
        "db:5432": (True, Reach.OPEN, True),
        "db:53": (False, Reach.SHUT, True),
        "db:53/udp": (True, None, None),
    }
    assert table(given, tried, "db") == ()
    assert [line.app for line in table(given, {}, "web")] == ["web", "web"]


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.parametrize("reach", Reach)
def test_what_arrives_was_answered_by_who_is_there(reach):
    arrived = reach in {Reach.OPEN, Reach.CLOSED}
    assert fits(Wanted.ARRIVES, reach) is fits(Wanted.CONTROL, reach) is arrived
    assert fits(Wanted.NOT_ARRIVES, reach) is not arrived
    silent = None if reach is Reach.SILENT else reach is Reach.SHUT
    assert fits(Wanted.SHUT, reach) is silent


def judged(before=None, egress=Egress.INTERNET, **results):
    """What is said of `web` where all is fine but these results, by name."""
    rules = (RULES[0], replace(RULES[1], egress=egress))
    given = having(DB, WEB, rules=rules)
    trial = trials(given)["web"]
    names = {"db": "db:9", "port": "db:5432", "machine": "this machine", "out": "the internet"}
    changed = {names.get(name, name): reach for name, reach in results.items()}
    found = tuple(changed.get(a.name, FINE[a.wanted]) for a in trial.attempts)
    given = replace(given, tried={"web": Tried(trial, found)})
    return isolated(WEB, given, trial, before)


def status(reason, message="", ok=False):
    condition = Condition(ConditionType.NETWORK_ISOLATED, ok, reason, message, NOW)
    nothing = ("", (condition,), "", HealthState.NONE, (), ())
    return AppStatus("web", "1", Action.KEEP, "InSync", *nothing)


def test_what_reaches_what_it_may_and_nothing_else_is_isolated():
    assert judged() == (True, "Isolated", "")
    assert judged(port=Reach.CLOSED) == (True, "Isolated", "")
    assert judged(machine=Reach.SILENT, db=Reach.SILENT) == (True, "Isolated", "")
    assert judged(egress=Egress.NONE) == (True, "Isolated", "")


@pytest.mark.parametrize(
    ("results", "reason", "message"),
    [
        ({"machine": Reach.CLOSED}, "Breached", "it reaches this machine, and must not"),
        ({"db": Reach.OPEN}, "Breached", "it reaches db:9, and must not"),
        (
            {"db": Reach.OPEN, "machine": Reach.OPEN},
            "Breached",
            "it reaches this machine, db:9, and must not",
        ),
        ({"port": Reach.SHUT}, "CutOff", "it does not reach db:5432"),
        (
            {"port": Reach.SILENT, "machine": Reach.OPEN},
            "Breached",
            "it reaches this machine, and must not; it does not reach db:5432",
        ),
    ],
)
def test_every_difference_is_named(results, reason, message):
    assert judged(**results) == (False, reason, message)
    assert judged(status("Isolated", ok=True), **results) == (False, reason, message)


def test_silence_is_no_proof():
    quiet = {"egress": Egress.NONE, "out": Reach.SILENT}
    words = "nobody says whether it reaches the internet"
    assert judged(**quiet) == (False, "NotKnown", words)
    assert judged(status("Isolated", ok=True), **quiet) == (False, "NotKnown", words)
    assert judged(**quiet, machine=Reach.OPEN)[1] == "Breached"


def test_who_does_not_reach_itself_proves_nothing():
    words = "what it reaches cannot be tried: it does not even reach itself"
    assert judged(itself=Reach.SHUT, machine=Reach.OPEN) == (False, "NotKnown", words)


def test_a_result_of_other_rules_says_nothing():
    given = having(DB, WEB)
    trial = trials(given)["web"]
    results = tuple(Reach.OPEN for _ in trial.attempts)
    stale = replace(given, tried={"web": Tried(replace(trial, pid=8), results)})
    assert isolated(WEB, stale, trial, None)[1] == "NotProbed"
    assert isolated(WEB, given, trial, status("Isolated", ok=True)) == (True, "Isolated", "")


def test_where_no_rules_can_be_had_that_is_said():
    given = situation(desired(DB), observed(seen(DB), unenforceable="no nft", rules=()))
    before = status("Isolated", ok=True)
    assert isolated(DB, given, None, before) == (False, "NotEnforceable", "not enforced: no nft")
