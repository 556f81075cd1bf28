"""Measuring volumes beside the loop: when, what becomes of trouble, and that it can be stopped."""

import threading
import time

import pytest
from simulation import ManualClock

from reconciler.drivers.memory import MemoryDriver, World
from reconciler.errors import DriverRejected, DriverUnavailable
from reconciler.model.desired import VolumeSpec
from reconciler.usage import FIRST_SECONDS, INTERVAL_SECONDS, REST, UsageMeter

SOON, USUAL = FIRST_SECONDS, INTERVAL_SECONDS * 1.11
WEB, DB = {"web": ("w1", "w2")}, {"db": ("d1",)}


def until(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("waited in vain")


class Rig:
    def __init__(self):
        self.clock = ManualClock()
        self.world = World(self.clock)
        driver = MemoryDriver("archipelago", self.clock, self.world)
        for volume in ("w1", "w2", "d1"):
            driver.ensure_volume(VolumeSpec(volume, "web"))
            self.fill(volume, 5)
        self.asked, self.within = [], lambda _name: None
        self.world.hook = self.meet
        self.woken, self.bugs = threading.Semaphore(0), []
        self.meter = UsageMeter(driver, self.clock, self.woken.release, self.bugs.append)
        self.targets = {}

    def fill(self, volume, size):
        self.world.write_by_hand(volume, "/file", "x" * size)

    def meet(self, moment):
        if moment.when == "before":
            self.asked.append(moment.subject)
            self.within(moment.subject)

    def watch(self, targets):
        self.targets = targets
        self.meter.watch(targets)

    def later(self, seconds):
        """Let time pass, and a pass come."""
        self.clock.advance(seconds)
        self.meter.watch(self.targets)

    def is_asked(self, *names):
        """Wait for exactly these calls since the last look."""
        until(lambda: len(self.asked) >= len(names))
        assert self.quiet()[: len(names)] == list(names)

    def quiet(self):
        """Return the calls until none comes for a moment, and forget them."""
        threading.Event().wait(0.1)
        asked, self.asked = self.asked, []
        return asked

    def told(self, app):
        until(lambda: app in self.meter.records())
        return self.meter.records()[app]


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.meter.close()
    assert made.bugs == []


@pytest.fixture
def known(rig):
    """One whose first measurement is over."""
    rig.watch(DB)
    rig.later(SOON)
    rig.is_asked("d1")
    assert rig.told("db") == 5
    assert rig.woken.acquire(timeout=5)
    return rig


def test_an_app_is_measured_soon_and_the_loop_is_woken(rig):
    rig.watch(WEB)
    assert rig.quiet() == [], "whatever begins has more urgent things to do"
    rig.later(SOON)
    assert rig.woken.acquire(timeout=5)
    assert rig.meter.records() == {"web": 10}
    assert rig.quiet() == ["w1", "w2"]


def test_an_app_without_volumes_holds_nothing(rig):
    rig.watch({"bare": ()})
    rig.later(SOON)
    assert rig.told("bare") == 0


def test_it_is_measured_again_and_only_another_figure_wakes(known):
    known.later(INTERVAL_SECONDS * 0.89)
    assert known.quiet() == []
    known.later(USUAL)
    known.is_asked("d1")
    assert not known.woken.acquire(timeout=0.1)
    known.fill("d1", 7)
    known.later(USUAL)
    assert known.woken.acquire(timeout=5)
    assert known.meter.records() == {"db": 7}


def test_less_than_all_is_no_answer(rig):
    rig.world.unreadable.add("w2")
    rig.watch(WEB)
    rig.later(SOON)
    assert rig.told("web") is None


@pytest.mark.parametrize(
    ("why", "error", "held"),
    [
        ("refused: then nothing is known", DriverRejected("not ours"), None),
        ("nobody answered: what was known is all there is", DriverUnavailable("gone"), 5),
    ],
)
def test_trouble_is_tried_again_with_growing_pauses(known, why, error, held):
    for _ in range(3):
        known.world.fail_next("volume_usage", error)
    known.later(USUAL)
    known.is_asked("d1")
    assert known.told("db") == held, why
    for pause in (5, 10, 20):
        known.later(pause * 0.89)
        assert known.quiet() == []
        known.later(pause * 0.22)
        known.is_asked("d1")
    assert known.told("db") == 5
    known.later(INTERVAL_SECONDS * 0.89)
    assert known.quiet() == []


def test_what_never_succeeds_is_tried_as_seldom_as_the_others(rig):
    rig.world.unreadable.add("d1")
    rig.watch(DB)
    rig.later(SOON)
    for _ in range(15):
        rig.is_asked("d1")
        rig.later(USUAL)
    rig.is_asked("d1")
    rig.later(INTERVAL_SECONDS * 0.89)
    assert rig.quiet() == []


def test_where_nobody_ever_answered_nothing_is_told(rig):
    rig.world.available = False
    rig.watch(DB)
    rig.later(SOON)
    rig.is_asked("d1")
    assert rig.meter.records() == {}


def test_in_a_hurry_everything_is_measured_at_once(known):
    known.fill("d1", 9)
    known.meter.hurry()
    assert known.woken.acquire(timeout=5)
    assert known.meter.records() == {"db": 9}


def test_a_hurry_during_a_measurement_is_not_forgotten(known):
    begun, go_on = threading.Event(), threading.Event()

    def wait(_name):
        begun.set()
        go_on.wait(5)

    known.within = wait
    known.meter.hurry()
    assert begun.wait(5)
    known.meter.hurry()
    go_on.set()
    known.is_asked("d1", "d1")
    assert known.quiet() == []


def test_a_long_measurement_is_followed_by_a_longer_rest(rig):
    rig.within = lambda _name: rig.clock.advance(60)
    rig.watch(DB)
    rig.later(SOON)
    assert rig.told("db") == 5
    rig.quiet()
    rig.later(60 * REST - 1)
    assert rig.quiet() == []
    rig.later(1)
    rig.is_asked("d1")


def test_what_is_not_watched_any_more_is_forgotten(known):
    known.watch({})
    assert known.meter.records() == {}
    known.later(USUAL)
    assert known.quiet() == []


def test_other_volumes_are_begun_anew(known):
    known.watch({"db": ("w1", "d1")})
    assert known.meter.records() == {}
    known.later(SOON)
    assert known.told("db") == 10


def test_what_goes_while_it_is_measured_is_not_told(known):
    known.within = lambda _name: known.meter.watch({})
    known.meter.hurry()
    known.is_asked("d1")
    assert known.meter.records() == {}
    assert not known.woken.acquire(timeout=0.1)


def test_one_after_another(rig):
    at_once, most = [], []

    def count(name):
        at_once.append(name)
        most.append(len(at_once))
        threading.Event().wait(0.02)
        at_once.remove(name)

    rig.within = count
    rig.watch(WEB | DB)
    rig.later(SOON)
    until(lambda: len(most) == 3)
    assert max(most) == 1


def test_a_mistake_of_ours_is_told_and_the_others_are_measured(rig):
    rig.world.fail_next("volume_usage", ZeroDivisionError("oh"))
    rig.watch(DB | WEB)
    rig.later(SOON)
    assert rig.told("web") == 10
    assert rig.told("db") is None
    assert [type(rig.bugs.pop())] == [ZeroDivisionError]


def test_close_gives_up_what_is_being_measured():
    class Endless:
        begun = threading.Event()

        def volume_usage(self, _name, stop):
            self.begun.set()
            stop.wait(30)

    driver, clock, woken = Endless(), ManualClock(), threading.Semaphore(0)
    meter = UsageMeter(driver, clock, woken.release, lambda error: None)
    meter.watch(DB)
    meter.hurry()
    assert driver.begun.wait(5)
    began = time.monotonic()
    meter.close()
    assert time.monotonic() - began < 1
    assert meter.records() == {}
    assert not woken.acquire(timeout=0.1)
