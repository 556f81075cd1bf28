"""How failures travel: what is asked again, what ends a change, and who hears of a stop."""

import threading
import time
from dataclasses import dataclass, field

import pytest
from builders import container
from msgspec.structs import replace
from simulation import IMAGE, ManualClock

from reconciler.apply import ATTEMPTS, Applier, describe
from reconciler.drivers.memory import MemoryDriver, World
from reconciler.errors import (
    DriverConflict,
    DriverRejected,
    DriverUnavailable,
    HealthTimeout,
    TrustError,
)
from reconciler.model.change import (
    Action,
    Change,
    CreateContainer,
    DrainContainer,
    EnsureNetwork,
    EnsureSecret,
    EnsureVolume,
    PrepareImage,
    Reason,
    RemoveContainer,
    RemoveNetwork,
    Result,
    StartContainer,
    StopContainer,
    WriteFiles,
)
from reconciler.model.container import BuildSpec
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.secret import SecretKind, SecretSpec

WEB = container("web", image=IMAGE)
NAME = WEB.container_name
BUILT = replace(WEB, image="localhost/a:0", build=BuildSpec("/c", "Containerfile", (), "0"))
NETWORK = NetworkSpec("archipelago-web", "web", "ar0")
UP = (
    PrepareImage(WEB),
    EnsureNetwork(NETWORK),
    EnsureVolume(VolumeSpec("archipelago-web-data", "web")),
    CreateContainer(WEB),
    StartContainer(NAME),
)
DOWN = (StopContainer(NAME, 1.0), RemoveContainer(NAME), RemoveNetwork(NETWORK.name))


@dataclass
class Rig:
    clock: ManualClock = field(default_factory=ManualClock)
    retried: list = field(default_factory=list)
    told: list = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    first_wait: float = 0.0

    def __post_init__(self):
        self.world = World(self.clock)
        self.world.publish(IMAGE)
        self.driver = MemoryDriver("archipelago", self.clock, self.world)

    def apply(self, *steps):
        applier = Applier(
            self.driver,
            self.world.secrets,
            self.world.audit,
            self.clock,
            self.retried.append,
            self.first_wait,
        )
        change = Change("web", Action.INSTALL, Reason.NOT_INSTALLED, "", WEB.digest, steps)
        return applier.apply(change, self.stop, self.told.append)

    def verbs(self):
        return [c.verb for c in self.world.calls]


def test_all_steps_are_taken_in_their_order_and_told():
    rig = Rig()
    outcome = rig.apply(*UP, *DOWN)
    assert (outcome.result, outcome.message, outcome.steps_done) == (Result.APPLIED, "", 8)
    assert rig.verbs() == [
        "prepare_image",
        "ensure_network",
        "ensure_volume",
        "create",
        "start",
        "stop",
        "remove",
        "remove_network",
    ]
    assert list(rig.world.volumes) == ["archipelago-web-data"]
    assert [t for t in rig.told if not t.startswith("pulling")] == list(map(describe, UP + DOWN))


def test_what_was_made_is_known_by_its_id_whatever_came_of_the_rest():
    rig = Rig()
    rig.world.fail_next("start", DriverRejected("no"))
    outcome = rig.apply(*UP)
    assert outcome.result is Result.FAILED
    [box] = rig.world.boxes.values()
    assert outcome.made == ((box.name, box.ref),)


def test_what_cannot_be_put_on_record_is_not_begun():
    rig = Rig()
    rig.world.audit.full = "cannot write the audit log: it is full"
    outcome = rig.apply(*UP)
    assert (outcome.result, outcome.message) == (Result.UNAVAILABLE, rig.world.audit.full)
    assert rig.verbs() == []
    rig.world.audit.full = ""
    outcome = rig.apply(*UP)
    assert rig.world.audit.begun == [outcome.change]
    assert rig.world.audit.outcomes == [outcome]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (PrepareImage(WEB), f"fetching {IMAGE}"),
        (PrepareImage(BUILT), "building localhost/a:0"),
        (EnsureNetwork(NETWORK), "making network archipelago-web"),
        (EnsureVolume(VolumeSpec("v", "web")), "making volume v"),
        (
            EnsureSecret(SecretSpec("web", "key", SecretKind.HEX16)),
            "making secret key, unless it is there",
        ),
        (WriteFiles("ab" * 32, WEB), "writing 0 files for " + "ab" * 6),
        (CreateContainer(WEB), f"creating {NAME}"),
        (StartContainer("ab" * 32), "starting " + "ab" * 6),
        (StartContainer(NAME), f"starting {NAME}"),
        (DrainContainer("ab" * 32, 1.0), "letting the connections to " + "ab" * 6 + " end"),
        (StopContainer("z" * 64, 1.0), "stopping " + "z" * 64),
        (RemoveContainer("0" * 64), "removing " + "0" * 12),
        (RemoveNetwork("n"), "removing network n"),
    ],
)
def test_each_step_has_its_words_and_ids_are_cut_short(step, words):
    assert describe(step) == words


def test_an_engine_that_does_not_answer_is_asked_again():
    rig = Rig()
    for _ in range(ATTEMPTS - 1):
        rig.world.fail_next("ensure_network", DriverUnavailable("nobody answers"))
    outcome = rig.apply(*UP)
    assert outcome.result is Result.APPLIED
    assert rig.retried == ["EnsureNetwork"] * (ATTEMPTS - 1)


def test_but_not_for_ever():
    rig = Rig()
    rig.world.available = False
    outcome = rig.apply(*UP)
    assert (outcome.result, outcome.steps_done) == (Result.UNAVAILABLE, 0)
    assert "does not answer" in outcome.message
    assert rig.retried == ["PrepareImage"] * (ATTEMPTS - 1)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (DriverConflict("cannot: the world moved"), Result.CONFLICT),
        (DriverRejected("cannot: it said no"), Result.FAILED),
        (TrustError("cannot: not verified"), Result.FAILED),
        (HealthTimeout("cannot: never well"), Result.FAILED),
    ],
)
def test_a_refusal_ends_the_change_at_once(error, result):
    rig = Rig()
    rig.world.fail_next("create", error)
    outcome = rig.apply(*UP)
    assert (outcome.result, outcome.message, outcome.steps_done) == (result, str(error), 3)
    assert rig.retried == []
    assert rig.verbs() == ["prepare_image", "ensure_network", "ensure_volume"]


def test_a_mistake_of_ours_is_no_outcome():
    rig = Rig()
    rig.world.fail_next("create", ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        rig.apply(*UP)


def test_a_stop_is_heard_between_two_steps():
    rig = Rig()
    rig.world.hook = lambda m: (
        rig.stop.set() if m == ("ensure_network", NETWORK.name, "after") else 0
    )
    outcome = rig.apply(*UP)
    assert (outcome.result, outcome.message, outcome.steps_done) == (
        Result.CANCELLED,
        "no longer wanted",
        2,
    )
    assert rig.verbs() == ["prepare_image", "ensure_network"]


def test_a_stop_is_heard_while_waiting_to_ask_again():
    rig = Rig(first_wait=30.0)
    rig.world.available = False
    threading.Timer(0.2, rig.stop.set).start()
    began = time.monotonic()
    outcome = rig.apply(*UP)
    assert time.monotonic() - began < 1.5
    assert outcome.result in {Result.UNAVAILABLE, Result.CANCELLED}
    assert outcome.steps_done == 0


def test_an_outcome_has_its_times():
    rig = Rig()
    rig.world.hook = lambda m: rig.clock.advance(2) if m.when == "before" else None
    began = rig.clock.now()
    outcome = rig.apply(UP[0], UP[1])
    assert outcome.began_at == began
    assert (outcome.ended_at - began).total_seconds() == 4
