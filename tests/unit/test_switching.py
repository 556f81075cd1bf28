"""Who serves while two revisions run, and what is done about it, as a table."""

import pytest
from builders import (
    CHECK,
    NOW,
    answered,
    app,
    container,
    desired,
    observed,
    seen,
    situation,
    steps_of,
    told,
)
from msgspec.structs import replace

from reconciler.core import leads, switching
from reconciler.core.planner import compare_all, plan
from reconciler.core.relations import Surroundings
from reconciler.core.revisions import proven_at
from reconciler.model.change import Isolate
from reconciler.model.container import PortSpec
from reconciler.model.evidence import Evidence
from reconciler.model.isolation import IsolationSpec, Lead
from reconciler.model.observed import ContainerState
from reconciler.model.revision import Revision

PORT = PortSpec(8080, 80)
WEB = app("web", container("web", health=CHECK, ports=(PORT,), led=True))
BEFORE = app("web", container("web", image="localhost/test:0", ports=(PORT,), led=True))
RUNNING, EXITED, ENDING = ContainerState.RUNNING, ContainerState.EXITED, ContainerState.ENDING
NEW, OLD, OLDER = "id-new", "id-old", "id-older"
ADDRESS = {NEW: "10.0.0.3", OLD: "10.0.0.2", OLDER: "10.0.0.4"}


def there(ref, state=RUNNING):
    made = seen(WEB if ref == NEW else BEFORE, state=state)
    more = {} if ref != OLDER else {"container_name": "older", "digest": "1-older"}
    address = ADDRESS[ref] if state is RUNNING else ""
    code = 3 if state is EXITED else None
    return replace(made, ref=ref, address=address, exit_code=code, **more)


def rules(ref="", **more):
    lead = Lead(ref, "127.0.0.1", 8080, ADDRESS[ref], 80) if ref else None
    return IsolationSpec("web", "ar-web", lead=replace(lead, **more) if lead else None)


def world(*containers, led="", well=None, spec=WEB, good=BEFORE, **more):
    """What there is; `well`: what the new one answers, None where it was not asked."""
    probes = {}
    for each in containers:
        if each.ref == NEW and well is not None:
            probes = answered(each, ok=well, failures=0 if well else 3, message="answers 503")
    evidence = Evidence(free_bytes=2**40, good={"web": Revision(good)} if good else {})
    have = observed(*containers, rules=(rules(led),))
    return situation(desired(spec), have, probes=probes, evidence=evidence, **more)


def comparison(*containers, **more):
    return compare_all(world(*containers, **more))["web"]


@pytest.mark.parametrize(
    ("containers", "led", "well", "who"),
    [
        ([], "", None, None),
        ([(NEW, EXITED)], NEW, None, None),
        ([(NEW, RUNNING)], "", None, NEW),  # first of all, before it was asked
        ([(NEW, RUNNING)], NEW, False, NEW),
        ([(NEW, RUNNING), (OLD, RUNNING)], OLD, None, OLD),
        ([(NEW, RUNNING), (OLD, RUNNING)], OLD, False, OLD),
        ([(NEW, RUNNING), (OLD, RUNNING)], OLD, True, NEW),
        ([(NEW, RUNNING), (OLD, RUNNING)], NEW, None, NEW),  # it had taken over
        ([(NEW, RUNNING), (OLD, RUNNING)], NEW, False, OLD),  # and is found unwell
        ([(NEW, RUNNING), (OLD, RUNNING)], "", None, OLD),  # the rules were flushed
        ([(NEW, EXITED), (OLD, RUNNING)], NEW, None, OLD),
        ([(NEW, RUNNING), (OLD, RUNNING), (OLDER, RUNNING)], OLDER, None, OLDER),
        ([(NEW, RUNNING), (OLD, EXITED)], NEW, None, NEW),
        ([(NEW, RUNNING), (OLD, EXITED)], OLD, None, None),  # it comes back
        ([(NEW, RUNNING), (OLD, ENDING)], OLD, None, None),
        ([(NEW, RUNNING), (OLD, EXITED)], OLD, True, NEW),
        ([(NEW, RUNNING), (OLD, EXITED), (OLDER, RUNNING)], OLD, None, OLDER),
    ],
)
def test_who_serves(containers, led, well, who):
    found = comparison(*(there(*each) for each in containers), led=led, well=well)
    served = switching.serving(found)
    assert (served and served.ref) == who


def test_what_has_no_address_serves_nobody():
    new = replace(there(NEW), address="")
    assert switching.serving(comparison(new)) is None


@pytest.mark.parametrize(
    ("containers", "led", "well", "action", "steps"),
    [
        ([(NEW, RUNNING), (OLD, RUNNING)], OLD, None, ("keep", "Starting"), []),
        (
            [(NEW, RUNNING), (OLD, RUNNING)],
            OLD,
            True,
            ("update", "HandedOver"),
            ["Isolate web"],
        ),
        (
            [(NEW, RUNNING), (OLD, RUNNING)],
            NEW,
            True,
            ("update", "HandedOver"),
            ["DrainContainer id-old", "StopContainer id-old"],
        ),
        ([(NEW, RUNNING), (OLD, EXITED)], NEW, True, ("keep", "PreviousKept"), []),
        (
            [(NEW, RUNNING), (OLD, EXITED)],
            OLD,
            None,
            ("start", "NotRunning"),
            ["StartContainer id-old"],
        ),
        ([(NEW, RUNNING), (OLD, ENDING)], OLD, None, ("keep", "Starting"), []),
        (
            [(NEW, RUNNING), (OLD, RUNNING)],
            NEW,
            False,
            ("restart", "Unhealthy"),
            ["Isolate web", "StopContainer id-new", "StartContainer id-new"],
        ),
        (
            [(NEW, RUNNING), (OLD, RUNNING)],
            OLD,
            False,
            ("restart", "Unhealthy"),
            ["StopContainer id-new", "StartContainer id-new"],
        ),
        (
            [(OLD, RUNNING), (OLDER, RUNNING)],
            OLD,
            None,
            ("update", "DigestChanged"),
            [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "StartContainer archipelago-web-main-NEW",
                "DrainContainer id-older",
                "StopContainer id-older",
            ],
        ),
    ],
)
def test_what_is_done(containers, led, well, action, steps):
    made = plan(world(*(there(*each) for each in containers), led=led, well=well))
    assert told(made) == [("web", *action)]
    name = WEB.containers[0].container_name
    assert [s.replace(name, "archipelago-web-main-NEW") for s in steps_of(made, "web")] == steps


def test_the_port_leads_to_the_new_one_in_one_step():
    made = plan(world(there(NEW), there(OLD), led=OLD, well=True))
    (step,) = made.of("web").steps
    assert step == Isolate(rules(NEW))


@pytest.mark.parametrize(
    ("led", "good", "lead"),
    [
        ("", BEFORE, Lead(OLD, "127.0.0.1", 8080, ADDRESS[OLD], 80)),
        ("", None, None),  # at which address it may be published, nobody knows
        (OLD, None, Lead(OLD, "127.0.0.1", 8080, ADDRESS[OLD], 80)),
        (NEW, None, None),
    ],
)
def test_each_revision_is_reached_at_the_port_that_it_asked_for(led, good, lead):
    wide = app("web", container("web", ports=(PortSpec(9, 9, bind="0.0.0.0"),), led=True))
    it = world(there(OLD), led=led, good=good, spec=wide)
    assert leads.lead_of(compare_all(it)["web"], Surroundings(it)) == lead


def test_an_address_that_changed_is_led_to():
    it = world(replace(there(OLD), address="10.0.0.9"), led=OLD, good=None)
    assert leads.lead_of(compare_all(it)["web"], Surroundings(it)).address == "10.0.0.9"
    it = world(replace(there(NEW), address="10.0.0.9"), led=NEW, well=True)
    made = plan(it)
    assert told(made) == [("web", "isolate", "IsolationDiffers")]
    assert made.of("web").message == "its port does not lead to it"


def test_what_is_held_is_led_and_nothing_else_of_it_is_changed():
    """A change of its connections waits with the update; its port does not."""
    it = world(there(OLD), led="", spec=replace(WEB, storage=2**50, unsupported=("x",)))
    made = plan(it)
    assert told(made) == [("web", "isolate", "IsolationDiffers")]
    assert made.of("web").steps == (Isolate(rules(OLD)),)
    alone = replace(WEB, left_alone=True)
    assert told(plan(world(there(OLD), led="", spec=alone))) == [("web", "hold", "Suspended")]


def test_what_led_to_who_is_gone_leads_nowhere():
    it = world(there(NEW, EXITED), led=OLD, spec=replace(WEB, suspended=True))
    made = plan(it)
    assert made.of("web").steps == (Isolate(rules()),)
    assert made.of("web").message == "its port leads to what was stopped"


def test_a_port_of_the_engine_is_no_lead():
    plain = app("web", container("web", ports=(PORT,)))
    here = replace(seen(plain), ref=OLD, address=ADDRESS[OLD])
    it = situation(desired(plain), observed(here, rules=(rules(),)))
    assert told(plan(it)) == [("web", "keep", "InSync")]
    begins = world(there(NEW), here, led="", well=None, good=plain)
    assert leads.lead_of(compare_all(begins)["web"], Surroundings(begins)) is None
    assert told(plan(begins)) == [("web", "keep", "Starting")]


def test_an_app_that_ends_to_hand_over_frees_the_port_before_the_engine_takes_it():
    plain = app("web", container("web", ports=(PORT,)))
    made = plan(world(there(OLD), led=OLD, spec=plain))
    steps = made.of("web").steps
    kinds = [type(s).__name__ for s in steps][-3:]
    assert kinds == ["StopContainer", "Isolate", "StartContainer"]
    assert steps[-2] == Isolate(rules())


def test_names_lead_to_who_serves_and_before_that_to_who_was_there():
    new, old = replace(there(NEW), process_start=200.0), replace(there(OLD), process_start=100.0)
    for led, who in (("", OLD), (OLD, OLD), (NEW, NEW)):
        for containers in ((new, old), (old, new)):
            it = world(*containers, led=led)
            assert Surroundings(it).running["web", "main"].ref == who
    plain = replace(it, desired=desired(app("web")), observed=observed(new, old))
    assert Surroundings(plain).running["web", "main"].ref == OLD, "the last one, as ever"
    assert Surroundings(replace(plain, desired=desired())).running["web", "main"].ref == OLD


def test_how_long_it_may_take_is_counted_from_its_making():
    late = replace(there(NEW), created_at=NOW, started_at=NOW)
    made = plan(world(late, there(OLD), led=OLD))
    assert made.look_again_at is not None


def test_no_revision_is_good_to_which_the_port_never_led():
    for led, good in ((OLD, False), (NEW, True)):
        it = world(there(NEW), there(OLD), led=led, well=True)
        assert (proven_at(it, compare_all(it)["web"]) is not None) is good
