"""Which image a container is to run: rows of what is known, and what follows from it."""

import pytest
from builders import app, container, desired, observed, seen, situation, steps_of, told
from msgspec.structs import replace

from reconciler.core.pins import (
    forgotten,
    freshness,
    has_tag_of_registry,
    images_in_use,
    moved_back,
    pin_of,
    pinned,
    to_pin,
)
from reconciler.core.planner import plan
from reconciler.model.change import CreateContainer, PrepareImage, Reason
from reconciler.model.container import PullPolicy
from reconciler.model.evidence import Evidence
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState
from reconciler.model.origin import Origin, Problem
from reconciler.model.pin import Freshness, ImageInUse, Past, Pin, Told
from reconciler.model.step_words import describe

IMAGE = "registry.example/team/web:1"
ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
WEB = app("web", container("web", image=IMAGE))
MAIN = WEB.containers[0]
ALWAYS = app("web", replace(container("web", image=IMAGE), pull_policy=PullPolicy.ALWAYS))
KEY = ("web", "main")
CREATED, RUNNING, EXITED = ContainerState.CREATED, ContainerState.RUNNING, ContainerState.EXITED


def pins(digest, image=IMAGE):
    return {KEY: Pin(image, digest)}


def made(digest, spec=WEB, **more):
    """A container that was made of that image; the second of its digest has a longer name."""
    return seen(spec, **{"image": IMAGE, "image_digest": digest, **more})


def second(digest, spec=WEB, **more):
    name = f"{MAIN.container_name}-{digest[7:15]}"
    return made(digest, spec, ref=f"id-{name}", container_name=name, **more)


def planned(*containers, ledger=None, spec=WEB, **more):
    evidence = Evidence(pins=ledger or {})
    return plan(situation(desired(spec), observed(*containers), evidence=evidence, **more))


def to_make(made_plan):
    """The pin and the name of what is to be made."""
    return [
        (s.container.pin, s.container.container_name)
        for s in made_plan.of("web").steps
        if isinstance(s, CreateContainer)
    ]


PLANS = [
    ("nothing is known yet: the driver finds out", (), {}, [("web", "install", "NotInstalled")]),
    (
        "what is missing is made of what it was pinned to",
        (),
        pins(ONE),
        [("web", "install", "NotInstalled")],
    ),
    ("what runs as pinned is kept", (made(ONE),), pins(ONE), [("web", "keep", "InSync")]),
    ("what runs without a ledger is kept", (made(ONE),), {}, [("web", "keep", "InSync")]),
    (
        "a pin of another reference means nothing",
        (made(ONE),),
        pins(TWO, "registry.example/team/web:2"),
        [("web", "keep", "InSync")],
    ),
    (
        "a container from before there were pins is kept",
        (seen(WEB),),
        {},
        [("web", "keep", "InSync")],
    ),
    ("another pin updates", (made(ONE),), pins(TWO), [("web", "update", "ImageChanged")]),
    (
        "one from before there were pins is updated when somebody asked",
        (seen(WEB),),
        pins(TWO),
        [("web", "update", "ImageChanged")],
    ),
    (
        "both images there: the old one goes when the new one serves",
        (made(ONE, state=EXITED), second(TWO)),
        pins(TWO),
        [("web", "update", "PreviousSuperseded")],
    ),
    (
        "both there, the new one not started yet",
        (made(ONE), second(TWO, state=CREATED)),
        pins(TWO),
        [("web", "start", "NotRunning")],
    ),
    (
        "both there and the ledger lost: what runs is what was meant",
        (made(ONE), second(TWO, state=CREATED)),
        {},
        [("web", "update", "PreviousSuperseded")],
    ),
    (
        "the tag went back: the one before is the one again",
        (made(ONE, state=EXITED), second(TWO)),
        pins(ONE),
        [("web", "start", "NotRunning")],
    ),
]


@pytest.mark.parametrize(("why", "containers", "ledger", "want"), PLANS, ids=[c[0] for c in PLANS])
def test_the_plan_is(why, containers, ledger, want):
    assert told(planned(*containers, ledger=ledger)) == want, why


def test_an_update_has_the_image_before_the_old_one_is_stopped_and_keeps_it():
    found = planned(made(ONE), ledger=pins(TWO))
    name = f"{MAIN.container_name}-22222222"
    assert steps_of(found, "web") == [
        "PrepareImage main",
        "EnsureNetwork",
        "EnsureVolume",
        "CreateContainer main",
        "StopContainer id-web-main",
        f"StartContainer {name}",
    ]
    assert to_make(found) == [(TWO, name)]
    assert [s.container.pin for s in found.of("web").steps if isinstance(s, PrepareImage)] == [TWO]
    assert found.of("web").message == "another image was asked for: main"


def test_the_plan_says_which_image_is_fetched():
    step = planned(made(ONE), ledger=pins(TWO)).of("web").steps[0]
    assert describe(step) == f"fetching {IMAGE} as sha256:222222222222"
    assert describe(planned().of("web").steps[0]) == f"fetching {IMAGE}"


def test_a_third_image_finds_a_name_that_is_free():
    assert to_make(planned(second(TWO), ledger=pins(THREE))) == [(THREE, MAIN.container_name)]
    both = planned(made(ONE, state=EXITED), second(TWO), ledger=pins(THREE))
    assert to_make(both) == [(THREE, f"{MAIN.container_name}-33333333")]


def test_what_is_missing_is_made_under_its_plain_name_of_the_same_image():
    assert to_make(planned(ledger=pins(ONE))) == [(ONE, MAIN.container_name)]
    lost = made(ONE, state=ContainerState.LOST)
    assert to_make(planned(lost, ledger=pins(ONE))) == [(ONE, MAIN.container_name)]


def test_another_environment_is_made_of_the_same_image():
    changed = app("web", replace(MAIN, environment=(("A", "b"),)))
    for ledger in (pins(ONE), {}):
        found = planned(made(ONE), ledger=ledger, spec=changed)
        assert told(found) == [("web", "update", "DigestChanged")]
        assert to_make(found)[0][0] == ONE


def test_another_reference_is_asked_for_anew():
    changed = app("web", replace(MAIN, image="registry.example/team/web:2"))
    assert to_make(planned(made(ONE), ledger=pins(ONE), spec=changed))[0][0] == ""


def test_always_asks_when_a_container_is_made_and_only_then():
    lost = made(ONE, ALWAYS, state=ContainerState.LOST)
    for containers in ((), (lost,)):
        found = planned(*containers, ledger=pins(ONE), spec=ALWAYS)
        assert to_make(found) == [("", ALWAYS.containers[0].container_name)]
    assert told(planned(made(ONE, ALWAYS), ledger=pins(ONE), spec=ALWAYS)) == [
        ("web", "keep", "InSync")
    ]
    # The registry was asked by `update`: that answer is the one.
    assert to_make(planned(made(ONE, ALWAYS), ledger=pins(TWO), spec=ALWAYS))[0][0] == TWO


def test_a_file_that_cannot_be_read_updates_no_image():
    stale = replace(WEB, stale=Problem(Origin("web.yml"), "cannot be read"))
    found = planned(made(ONE), ledger=pins(TWO), spec=stale)
    assert told(found) == [("web", "hold", "ManifestInvalid")]


def test_another_image_does_not_wait_for_the_failures_of_the_one_before():
    first = planned(made(ONE), ledger=pins(TWO)).of("web")
    failed = Attempts(first.attempt, failures=9, since=situation(desired()).now, message="gone")
    again = planned(made(ONE), ledger=pins(TWO), attempts={"web": failed}).of("web")
    assert (again.reason, again.message, again.attempt) == (Reason.FAILED, "gone", first.attempt)
    assert planned(made(ONE), ledger=pins(THREE), attempts={"web": failed}).of("web").acts


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        (IMAGE, True),
        ("web:1", True),
        ("localhost:5000/web:1", True),
        ("localhost/web:1", False),
        (f"registry.example/web@{ONE}", False),
    ],
)
def test_what_a_registry_may_say_another_day(image, asked):
    assert has_tag_of_registry(image) is asked
    spec = app("web", container("web", image=image))
    assert pin_of(spec.containers[0], (), pins(ONE, image)) == (ONE if asked else "")
    assert pinned(spec, (), pins(ONE, image)).containers[0].pin == (ONE if asked else "")


def test_a_label_of_another_container_says_nothing():
    others = [
        made(ONE, app="db"),
        made(ONE, container="side"),
        made(ONE, image="registry.example/team/web:0"),
        made(""),
    ]
    assert pin_of(MAIN, others, {}) == ""
    assert pin_of(MAIN, [made(ONE, state=EXITED), second(TWO)], {}) == TWO, "what runs comes first"


def test_what_only_labels_remember_is_written_down_again():
    want = desired(WEB, app("db"))
    have = observed(made(ONE), seen(app("db")))
    assert forgotten(want, have, {}) == pins(ONE)
    assert forgotten(want, have, pins(TWO, "registry.example/other:1")) == pins(ONE)
    assert forgotten(want, have, pins(TWO)) == {}, "an update under way is not taken back"
    assert forgotten(want, observed(), {}) == {}


def test_images_in_use_are_those_of_desired_containers():
    want = desired(app("db"), WEB)
    assert images_in_use(want, observed(made(ONE)), pins(TWO)) == (
        ImageInUse("db", "main", "localhost/test:1", "", ""),
        ImageInUse("web", "main", IMAGE, TWO, ONE),
    )


@pytest.mark.parametrize(
    ("image", "pin", "running", "answer", "want"),
    [
        (IMAGE, ONE, ONE, Told(ONE), Freshness.CURRENT),
        (IMAGE, ONE, ONE, Told(TWO), Freshness.NEWER),
        (IMAGE, TWO, ONE, Told(TWO), Freshness.NEWER),
        (IMAGE, ONE, "", Told(ONE), Freshness.CURRENT),
        (IMAGE, "", "", Told(ONE), Freshness.UNKNOWN),
        (IMAGE, ONE, ONE, Told(error="cannot ask"), Freshness.UNREACHABLE),
        (IMAGE, ONE, ONE, None, Freshness.UNREACHABLE),
        ("localhost/web:1", "", "", None, Freshness.LOCAL),
        (f"registry.example/web@{ONE}", "", "", None, Freshness.FIXED),
    ],
)
def test_freshness(image, pin, running, answer, want):
    assert freshness(ImageInUse("web", "main", image, pin, running), answer) is want


def test_an_update_pins_what_is_another_and_nothing_else():
    used = [
        ImageInUse("web", "main", IMAGE, ONE, ONE),
        ImageInUse("shop", "main", IMAGE, TWO, TWO),
        ImageInUse("db", "main", "localhost/db:1", "", ""),
        ImageInUse("mail", "main", "registry.example/mail:1", ONE, ONE),
    ]
    told_ = {IMAGE: Told(TWO), "registry.example/mail:1": Told(error="cannot ask")}
    assert to_pin(used, told_) == {KEY: Pin(IMAGE, TWO)}


OLD = Pin(IMAGE, ONE)


@pytest.mark.parametrize(
    ("why", "replaced", "running", "told"),
    [
        ("it was replaced", (OLD,), TWO, True),
        ("it was not", (), TWO, False),
        ("another name meant it", (Pin("web:2", OLD.digest),), TWO, False),
        ("it runs: the update was given up", (OLD,), OLD.digest, False),
    ],
)
def test_a_pin_goes_back_where(why, replaced, running, told):
    used = ImageInUse("web", "main", OLD.image, TWO, running)
    past = {("web", "main"): Past(replaced=replaced)}
    found = moved_back([used], {("web", "main"): OLD}, past)
    says = f"{OLD.image} has moved back to {OLD.digest[7:15]}, which was replaced before"
    assert found == ({("web", "main"): says} if told else {}), why


def test_nothing_goes_back_of_which_nothing_is_remembered():
    used = ImageInUse("web", "main", OLD.image, "", "")
    assert moved_back([used], {("web", "main"): OLD}, {}) == {}
