"""When the loop looks: woken, by its interval, sooner where it must, and never too often."""

import random
import threading
import time
from itertools import pairwise

import pytest
from builders import NOW

from reconciler.clock import SystemClock
from reconciler.controller import (
    BUSY_SECONDS,
    FIRST_BACKOFF_SECONDS,
    JITTER,
    LONGEST_BACKOFF_SECONDS,
    Controller,
    Rhythm,
)
from reconciler.model.status import PassStatus, Status
from reconciler.reconcile import PassResult

HOUR = 3600.0


def result(*, error="", again=None, busy=False):
    status = Status(apps=(), last_pass=PassStatus(1, 0.0, NOW, error), problems=())
    return PassResult(status, again, busy)


class Passes:
    """Makes passes that return what is arranged, and remembers when."""

    def __init__(self, *results, takes=0.0):
        self.results, self.takes = list(results), takes
        self.began, self.made = [], threading.Semaphore(0)

    def __call__(self):
        self.began.append(time.monotonic())
        if self.takes:
            time.sleep(self.takes)
        self.made.release()
        return self.results.pop(0) if len(self.results) > 1 else self.results[0]

    def gaps(self):
        return [b - a for a, b in pairwise(self.began)]


class Looping:
    def __init__(self, passes, interval=HOUR, before=lambda: None):
        self.passes = passes
        self.controller = Controller(passes, SystemClock(), Rhythm(interval), before)
        self.returned = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        self.returned = self.controller.run()

    def __enter__(self):
        self.thread.start()
        return self.controller

    def __exit__(self, *_):
        self.controller.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


def test_it_looks_at_once_and_then_waits_for_a_wake_up():
    passes = Passes(result())
    with Looping(passes) as controller:
        assert passes.made.acquire(timeout=5)
        assert not passes.made.acquire(timeout=0.2)
        controller.wake()
        assert passes.made.acquire(timeout=5)
        assert not passes.made.acquire(timeout=0.2)


def test_a_wake_up_is_answered_within_milliseconds():
    passes = Passes(result())
    with Looping(passes) as controller:
        passes.made.acquire(timeout=5)
        late = []
        for _ in range(5):
            time.sleep(0.05)
            told = time.monotonic()
            controller.wake()
            passes.made.acquire(timeout=5)
            late.append(passes.began[-1] - told)
    assert min(late) < 0.05


def test_a_wake_up_during_a_pass_is_not_lost():
    passes = Passes(result(), takes=0.1)
    with Looping(passes) as controller:
        while not passes.began:
            time.sleep(0.001)
        controller.wake()
        assert passes.made.acquire(timeout=5)
        assert passes.made.acquire(timeout=5)
        assert not passes.made.acquire(timeout=0.4)


def test_a_storm_of_wake_ups_is_a_few_passes_with_as_much_time_between_them():
    passes = Passes(result(), takes=0.05)
    with Looping(passes) as controller:
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends:
            controller.wake()
            time.sleep(0.0002)
    assert 2 <= len(passes.began) <= 12
    assert all(gap >= 0.095 for gap in passes.gaps())


def test_without_a_wake_up_it_looks_on_its_interval():
    passes = Passes(result())
    with Looping(passes, interval=0.2):
        for _ in range(4):
            assert passes.made.acquire(timeout=5)
    assert all(gap >= 0.2 * (1 - JITTER) for gap in passes.gaps())


@pytest.mark.parametrize(
    ("why", "told", "least"),
    [
        ("a moment at which the plan may change", result(again=0.15), 0.14),
        ("lanes are at work, and tell how far they are", result(busy=True), BUSY_SECONDS),
        ("the earlier of both", result(again=0.1, busy=True), 0.09),
    ],
)
def test_it_looks_sooner_than_its_interval_for(why, told, least):
    passes = Passes(told)
    with Looping(passes):
        for _ in range(3):
            assert passes.made.acquire(timeout=5), why
    assert all(gap >= least for gap in passes.gaps()[:2]), (why, passes.gaps())


def test_an_engine_that_does_not_answer_is_looked_for_with_growing_pauses():
    controller = Controller(Passes(result()), SystemClock(), Rhythm(HOUR))
    random.seed(1)
    blind = result(error="nobody answers")
    pauses = [controller._pause(blind) for _ in range(12)]
    for number, pause in enumerate(pauses):
        wanted = min(FIRST_BACKOFF_SECONDS * 2**number, LONGEST_BACKOFF_SECONDS)
        assert 0.8 * wanted <= pause <= 1.2 * wanted
    assert controller._pause(result()) > HOUR / 2, "a pass that saw ends the patience"
    assert controller._pause(blind) <= 1.2 * FIRST_BACKOFF_SECONDS


def test_it_is_looked_for_again_by_itself():
    passes = Passes(result(error="nobody"), result(error="nobody"), result())
    with Looping(passes):
        for _ in range(3):
            assert passes.made.acquire(timeout=5)
    assert 0.4 <= passes.gaps()[0] < passes.gaps()[1]


def test_before_each_pass_the_engine_is_seen_to():
    order = []

    def passed():
        order.append("pass")
        return result()

    controller = Controller(
        passed, SystemClock(), Rhythm(HOUR), before=lambda: order.append("engine")
    )
    controller.run(until=lambda _: True)
    assert order == ["engine", "pass"]


@pytest.mark.parametrize("asleep", [True, False])
def test_a_stop_is_heard_at_once_and_the_last_result_returned(asleep):
    passes = Passes(result(), takes=0.0 if asleep else 0.2)
    looping = Looping(passes)
    with looping as controller:
        while not passes.began:
            time.sleep(0.001)
        if asleep:
            time.sleep(0.1)
        told = time.monotonic()
        controller.stop()
        looping.thread.join(5)
        assert time.monotonic() - told < 1
    assert len(passes.began) == 1
    assert looping.returned is passes.results[0]


def test_stopped_before_it_ran_it_makes_no_pass():
    controller = Controller(Passes(result()), SystemClock(), Rhythm(HOUR))
    controller.stop()
    assert controller.run() is None


def test_it_ends_when_a_pass_is_good_enough():
    passes = Passes(result(again=0.01), result(again=0.01), result(error="enough"))
    controller = Controller(passes, SystemClock(), Rhythm(HOUR))
    last = controller.run(until=lambda r: bool(r.status.last_pass.error))
    assert last is not None
    assert last.status.last_pass.error == "enough"
    assert len(passes.began) == 3
