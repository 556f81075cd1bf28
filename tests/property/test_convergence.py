"""
The nine properties, on random boxes: whatever was there and goes wrong, it converges.

Properties are lucky, rows are certain: what these find becomes a row in test_planner.py.
"""

import random
from datetime import UTC, datetime, timedelta

import pytest
from builders import NOW, app, desired, observed, old, running, seen, situation
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from simulation import IMAGE, Simulation

from reconciler.core.planner import plan
from reconciler.core.situation import Situation
from reconciler.core.suspension import as_of, in_force
from reconciler.errors import DriverConflict, DriverRejected, DriverUnavailable
from reconciler.model.change import Action, CreateContainer, StartContainer
from reconciler.model.desired import Desired, Suspension
from reconciler.model.evidence import Evidence
from reconciler.model.observed import ContainerState, Observed
from reconciler.model.origin import Origin, Problem
from reconciler.model.pin import Pin

NAMES = ["a", "b", "c", "d", "e"]
IMAGES = [IMAGE, "localhost/test:2", "localhost/test:3"]
CONFIRMED = dict.fromkeys(NAMES, datetime(9000, 1, 1, tzinfo=UTC))  # whatever comes


WORDS = st.dictionaries(
    st.sampled_from(["", *NAMES]),
    st.tuples(
        st.builds(
            Suspension,
            st.sampled_from([None, NOW - timedelta(hours=1), NOW + timedelta(hours=1)]),
            st.booleans(),
        )
    ),
    max_size=2,
)


@st.composite
def situations(draw):
    """A desired state, partly broken, and a world that may have nothing to do with it."""
    wanted = draw(st.sets(st.sampled_from(NAMES)))
    specs = {
        name: app(
            name,
            requires=tuple(sorted(draw(st.sets(st.sampled_from(NAMES), max_size=2)) - {name})),
            unsupported=("hooks",) if draw(st.integers(0, 9)) == 0 else (),
        )
        for name in sorted(wanted)
    }
    broken = {
        name: Problem(Origin(f"{name}.yml", 1, 1), "bad", "", name)
        for name in draw(st.sets(st.sampled_from(NAMES), max_size=2))
        if name not in specs
    }
    containers = []
    for name in draw(st.sets(st.sampled_from(NAMES))):
        state = draw(st.sampled_from(ContainerState))
        spec = specs.get(name) or app(name)
        made = draw(st.sampled_from(["current", "old", "both"]))
        needs = tuple(draw(st.sets(st.sampled_from(NAMES), max_size=1)) - {name})
        if made != "old":
            containers.append(replace(seen(spec, state=state), requires=needs))
        if made != "current":
            containers.append(replace(old(spec, state=state), requires=needs))
    have = observed(*containers)
    confirmed = CONFIRMED if draw(st.booleans()) else {}
    complete = draw(st.integers(0, 5)) > 0
    wanted = desired(*specs.values(), broken=broken, complete=complete, suspensions=draw(WORDS))
    return situation(
        as_of(wanted, NOW),
        have,
        evidence=Evidence(removal_confirmed=confirmed, free_bytes=2**40),
    )


@given(situations())
def test_each_known_app_has_exactly_one_change(given_):
    known = {
        *given_.desired.apps,
        *given_.desired.broken,
        *given_.observed.apps(),
    }
    assert [c.app for c in plan(given_).changes] == sorted(known)


@given(situations(), st.randoms(use_true_random=False))
def test_shuffling_the_inputs_does_not_change_the_plan(given_, chance):
    shuffled = Situation(
        desired=replace(given_.desired, apps=_shuffled(given_.desired.apps, chance)),
        observed=Observed(
            tuple(_shuffle(given_.observed.containers, chance)),
            tuple(_shuffle(given_.observed.networks, chance)),
            tuple(_shuffle(given_.observed.isolation, chance)),
        ),
        now=given_.now,
        evidence=given_.evidence,
    )
    assert [(c.app, c.action, c.message) for c in plan(shuffled).changes] == [
        (c.app, c.action, c.message) for c in plan(given_).changes
    ]


def _shuffle(items, chance):
    listed = list(items)
    chance.shuffle(listed)
    return listed


def _shuffled(mapping, chance):
    return dict(_shuffle(mapping.items(), chance))


@given(situations())
def test_nothing_wanted_or_unreadable_is_removed(given_):
    removed = {c.app for c in plan(given_).changes if c.action is Action.REMOVE}
    assert not removed & {*given_.desired.apps, *given_.desired.broken}
    if not given_.desired.complete:
        assert not removed


@given(situations())
def test_no_app_that_stays_needs_an_app_that_goes(given_):
    changes = plan(given_).changes
    gone = {c.app for c in changes if c.action is Action.REMOVE}
    for change in changes:
        if change.app in gone:
            continue
        spec = given_.desired.apps.get(change.app)
        needs = (
            {r.app for r in spec.requires}
            if spec
            else {n for c in given_.observed.of(change.app) for n in c.requires}
        )
        assert not needs & gone, (change, gone)


@given(situations())
def test_gates_hold(given_):
    for change in plan(given_).changes:
        spec = given_.desired.apps.get(change.app)
        starts = any(isinstance(s, StartContainer | CreateContainer) for s in change.steps)
        if spec is None or spec.unsupported or spec.suspended:
            assert not starts, change


@given(situations())
def test_what_is_left_alone_is_not_touched(given_):
    for change in plan(given_).changes:
        word = in_force(given_.desired, change.app, NOW)
        if word is not None and word.keep_running:
            assert change.steps == (), change


# Whole boxes


def world_of(box):
    """All that a user could see, without ids and times."""
    return (
        sorted(
            (b.spec.app, b.spec.image, str(b.state)) for b in box.world.boxes.values() if b.spec
        ),
        sorted(box.world.networks),
        sorted(box.world.volumes),
    )


def scribble(box, chance, names=NAMES):
    """What an operator may do to a folder."""
    name = chance.choice(names)
    match chance.randrange(5):
        case 0 | 1:
            needs = [n for n in names if n < name and chance.random() < 0.3]
            box.folder.write(name, image=chance.choice(IMAGES), requires=needs)
        case 2:
            box.folder.delete(name)
        case 3:
            box.folder.corrupt(name)
        case 4:
            (box.folder.suspended.symmetric_difference_update)({name})


def meddle(box, chance):
    """What others may do to the engine behind our back."""
    ours = [b.name for b in box.world.boxes.values() if b.spec]
    if not ours:
        return
    name = chance.choice(sorted(ours))
    match chance.randrange(4):
        case 0:
            box.world.remove_by_hand(name)
        case 1:
            box.world.lose(name)
        case _ if box.world.box(name).pid:
            box.world.kill(name, chance.choice([0, 1, 137]))


seeds = st.integers(0, 10**9)


@settings(max_examples=60)
@given(seeds)
def test_from_any_world_it_converges_and_then_rests(seed):
    chance, box = random.Random(seed), Simulation()
    box.facts.evidence = Evidence(removal_confirmed=CONFIRMED, free_bytes=2**40)
    for _ in range(chance.randrange(1, 12)):
        scribble(box, chance)
        meddle(box, chance)
        box.run(chance.randrange(1, 4))
    box.settle()
    before = world_of(box)
    calls = len(box.world.calls)
    box.run(3)
    assert world_of(box) == before
    assert len(box.world.calls) == calls
    assert wanted_and_running(box) == wanted(box)


def wanted(box):
    """The image of each app that ought to run, by what the folder says."""
    return {
        n: d["container"]["image"]
        for n, d in box.folder.apps.items()
        if n not in box.folder.suspended and _satisfied(box, n)
    }


def wanted_and_running(box):
    return {n: i for n, i in box.running().items() if n in wanted(box)}


def _satisfied(box, name):
    """Whether everything that an app needs is desired, readable and not suspended."""
    return all(
        n in box.folder.apps and n not in box.folder.suspended and _satisfied(box, n)
        for n in box.folder.apps[name]["dependencies"]
    )


class Killed(BaseException):
    """The reconciler's process, ending at this instruction."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_call_it_ends_where_it_would_have_ended(when):
    """Every call of an install, an update and a removal is a place to die."""
    for at in range(60):
        box = Simulation()
        box.folder.write("db", volumes=[{"name": "data", "target": "/data"}])
        box.folder.write("web", requires=["db"])
        box.settle()
        box.folder.write("web", image="localhost/test:2", requires=["db"])
        box.folder.write("new", requires=["web"])
        box.folder.write(
            "db", image="localhost/test:3", volumes=[{"name": "data", "target": "/d"}]
        )
        count = 0

        def hook(moment, at=at):
            nonlocal count
            if moment.when == when:
                count += 1
                if count == at + 1:
                    raise Killed

        box.world.hook = hook
        died = False
        try:
            box.settle()
        except Killed:
            died = True
        box.world.hook = None
        box.restart()
        box.settle()
        assert box.running() == {
            "db": "localhost/test:3",
            "web": "localhost/test:2",
            "new": IMAGE,
        }, at
        assert len(box.world.boxes) == 3, at
        assert set(box.world.volumes) == {"archipelago-db-data"}, at
        if not died:
            break
    assert at > 20


REMOTE = "registry.example/test:1"


def ask_anew(box, *apps):
    """What `archipelago update` does: write down what the registry says now."""
    for name in apps:
        digest = box.world.digests[REMOTE]
        box.world.ledger.pin((name, "main"), Pin(REMOTE, digest))


def images_of(box):
    return {b.spec.app: b.image_id for b in box.world.boxes.values() if b.state == "running"}


def asked_for_another_image():
    """Two apps of one image, of which one is asked for anew; return its first and second id."""
    box = Simulation()
    box.world.publish(REMOTE, version="1")
    box.folder.write("db", image=REMOTE)
    box.folder.write("web", image=REMOTE, requires=["db"])
    box.settle()
    first = box.world.pullable[REMOTE]
    box.world.publish(REMOTE, version="2")
    box.settle()
    assert images_of(box) == {"db": first, "web": first}, "nobody asked"
    ask_anew(box, "web")
    second = box.world.pullable[REMOTE]
    box.world.publish(REMOTE, version="3")  # what is taken is what was asked for
    return box, first, second


def settles_unless_killed(box, when, at):
    """Settle, but die at that call; say whether it died."""
    count = 0

    def hook(moment):
        nonlocal count
        count += moment.when == when
        if moment.when == when and count == at + 1:
            raise Killed

    box.world.hook = hook
    try:
        box.settle()
    except Killed:
        return True
    finally:
        box.world.hook = None
    return False


@pytest.mark.parametrize("lost", [False, True], ids=["with its ledger", "without its ledger"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_call_an_image_is_the_one_that_was_asked_for(when, lost):
    """
    Every call of an update of images is a place to die.

    Where the ledger is lost as well, the image is the old one or the new one, and no third.
    """
    for at in range(60):
        box, first, second = asked_for_another_image()
        died = settles_unless_killed(box, when, at)
        if lost and died:
            box.world.ledger.lose()
        box.restart()
        box.settle()
        found = images_of(box)
        assert found["db"] == first, at
        assert found["web"] in ({first, second} if lost and died else {second}), at
        assert len(box.world.boxes) == 2, at
        assert {k: p.digest for k, p in box.world.ledger.pins().items()} == {
            (name, "main"): f"sha256:{image}" for name, image in found.items()
        }
        if not died:
            break
    assert at > 8


@settings(max_examples=60)
@given(seeds)
def test_an_image_never_changes_unless_somebody_asks(seed):
    """Whatever is removed, lost or edited, and whatever the registry has by then."""
    chance, box = random.Random(seed), Simulation()
    box.world.publish(REMOTE)
    for name in NAMES[:3]:
        box.folder.write(name, image=REMOTE)
    box.settle()
    before = images_of(box)
    for turn in range(8):
        box.world.publish(REMOTE, version=f"later {turn}")
        name = chance.choice(NAMES[:3])
        match chance.randrange(4):
            case 0:
                more = {"environment": {"TURN": str(turn)}, "image": REMOTE}
                box.folder.write(name, containers={"main": more})
            case 1:
                box.world.ledger.lose()  # the labels know it, as long as they are there
            case 2:
                _break_something(box, chance)
            case 3 if box.world.find(f"{name}/main") is not None:
                box.run()  # what was lost is written down again by any pass
                meddle(box, chance)
        box.settle()
        assert images_of(box) == before, turn


@settings(max_examples=60)
@given(seeds)
def test_random_errors_and_then_calm_end_like_calm_alone(seed):
    chance, box = random.Random(seed), Simulation()
    box.facts.evidence = Evidence(removal_confirmed=CONFIRMED, free_bytes=2**40)
    for _ in range(6):
        scribble(box, chance)
        _break_something(box, chance)
        box.run(2)
    box.settle()
    for app_ in box.revisions.failed.copy():
        box.revisions.retry(app_, box.clock.now())  # what was refused twice was taken back
    box.settle()
    assert wanted_and_running(box) == wanted(box)
    known = {*box.folder.apps, *box.folder.broken}
    needed = {n for s in box.world.boxes.values() if s.spec for n in s.spec.requires}
    needed |= {n for data in box.folder.apps.values() for n in data["dependencies"]}
    assert {s.spec.app for s in box.world.boxes.values() if s.spec} <= known | needed


def _break_something(box, chance):
    verbs = ["observe", "prepare_image", "ensure_network", "create", "start", "stop", "remove"]
    error = chance.choice([DriverUnavailable, DriverRejected, DriverConflict])
    box.world.fail_next(
        chance.choice(verbs), error("as arranged"), when=chance.choice(["before", "after"])
    )


@settings(max_examples=60)
@given(seeds)
def test_a_depended_upon_app_is_never_missing_because_of_us(seed):
    """At no call is an app removed that a running one, which stays, needs."""
    chance, box = random.Random(seed), Simulation()
    box.facts.evidence = Evidence(removal_confirmed=CONFIRMED, free_bytes=2**40)

    def hook(moment):
        if moment.verb != "remove_network" or moment.when != "before":
            return
        gone = moment.subject.removeprefix("archipelago-")
        for b in box.world.boxes.values():
            if b.spec and b.spec.app in box.folder.apps and b.state == "running":
                needs = box.folder.apps[b.spec.app]["dependencies"]
                assert gone not in needs or gone == b.spec.app

    for _ in range(10):
        scribble(box, chance)
        box.world.hook = hook
        box.run(chance.randrange(1, 4))
        box.world.hook = None


def test_an_empty_desired_state_is_not_everything_unwanted():
    box = Simulation()
    for name in NAMES:
        box.folder.write(name)
    box.settle()
    for name in NAMES:
        box.folder.delete(name)
    box.settle()
    assert set(box.running()) == set(NAMES)
    assert (
        plan(situation(Desired(), observed(*running(app("a"))))).changes[0].action is Action.HOLD
    )
