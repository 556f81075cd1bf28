"""One change an app at a time, whatever goes wrong in it. Real threads."""

import threading

import pytest
from msgspec.structs import replace
from simulation import ManualClock

from reconciler.apply import Applier
from reconciler.drivers.memory import MemoryDriver, World
from reconciler.errors import DriverRejected
from reconciler.lanes import LanePool
from reconciler.model.change import Action, Change, EnsureNetwork, Reason, RemoveNetwork, Result
from reconciler.model.desired import NetworkSpec


def network(app, number=0):
    return EnsureNetwork(NetworkSpec(f"archipelago-{app}{number or ''}", app, "ar0"))


def change(app, steps=1):
    work = tuple(network(app, n) for n in range(steps))
    return Change(app, Action.INSTALL, Reason.NOT_INSTALLED, digest="1-a", steps=work)


class Gate:
    """Holds calls of the engine until told, and knows who waits."""

    def __init__(self, world, *, closed=True):
        self.waiting = threading.Semaphore(0)
        self.opened = threading.Event()
        self.subjects = []
        if not closed:
            self.opened.set()
        world.hook = self

    def __call__(self, moment):
        if moment.when == "before":
            self.subjects.append(moment.subject)
            self.waiting.release()
            assert self.opened.wait(10)


class Rig:
    def __init__(self, workers=4):
        self.clock = ManualClock()
        self.world = World(self.clock)
        driver = MemoryDriver("archipelago", self.clock, self.world)
        self.woken, self.bugs = threading.Semaphore(0), []
        self.gate = Gate(self.world, closed=False)
        applier = Applier(
            driver, self.world.secrets, self.world.audit, self.clock, first_wait_seconds=0
        )
        self.lanes = LanePool(applier, self.woken.release, self.bugs.append, workers)

    def hold(self):
        self.gate = Gate(self.world)
        return self.gate

    def ends(self, count=1):
        """Wait for so many changes to end; return their outcomes by app."""
        for _ in range(count):
            assert self.woken.acquire(timeout=10), "the loop was not woken"
        return {o.change.app: o for o in self.lanes.finished()}


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.gate.opened.set()
    made.lanes.close()


def test_a_change_is_carried_out_told_once_and_the_loop_is_woken(rig):
    assert rig.lanes.dispatch(change("web"))
    outcome = rig.ends()["web"]
    assert (outcome.result, outcome.steps_done, outcome.message) == (Result.APPLIED, 1, "")
    assert "archipelago-web" in rig.world.networks
    assert rig.lanes.finished() == ()
    assert rig.lanes.running() == {}


def test_a_busy_lane_takes_no_second_change_of_its_app(rig):
    gate = rig.hold()
    first = change("web")
    assert rig.lanes.dispatch(first)
    assert gate.waiting.acquire(timeout=10)
    assert not rig.lanes.dispatch(replace(first, action=Action.UPDATE))
    assert rig.lanes.running() == {"web": first}
    gate.opened.set()
    rig.ends()
    assert len(gate.subjects) == 1
    assert rig.lanes.dispatch(first), "a lane that ended is free again"
    rig.ends()


def test_apps_do_not_wait_for_each_other(rig):
    gate = rig.hold()
    for app in ("a", "b", "c", "d"):
        assert rig.lanes.dispatch(change(app))
    for _ in range(4):
        assert gate.waiting.acquire(timeout=10)
    assert sorted(rig.lanes.running()) == ["a", "b", "c", "d"]
    gate.opened.set()
    assert sorted(rig.ends(4)) == ["a", "b", "c", "d"]


def test_no_more_are_at_work_at_once_than_there_are_workers():
    rig = Rig(workers=2)
    gate = rig.hold()
    try:
        for app in ("a", "b", "c"):
            assert rig.lanes.dispatch(change(app)), "who waits for a worker has its lane"
        assert gate.waiting.acquire(timeout=10)
        assert gate.waiting.acquire(timeout=10)
        assert not gate.waiting.acquire(timeout=0.1)
        assert len(rig.lanes.running()) == 3
        assert not rig.lanes.dispatch(change("c"))
        gate.opened.set()
        rig.ends(3)
    finally:
        gate.opened.set()
        rig.lanes.close()


def test_what_is_being_done_is_told_while_it_lasts(rig):
    gate = rig.hold()
    rig.lanes.dispatch(change("web"))
    assert gate.waiting.acquire(timeout=10)
    assert rig.lanes.progress() == {"web": "making network archipelago-web"}
    gate.opened.set()
    rig.ends()
    assert rig.lanes.progress() == {}


def test_a_cancelled_change_ends_between_two_steps(rig):
    gate = rig.hold()
    rig.lanes.dispatch(change("web", steps=3))
    assert gate.waiting.acquire(timeout=10)
    rig.lanes.cancel("web")
    rig.lanes.cancel("nobody")
    gate.opened.set()
    outcome = rig.ends()["web"]
    assert (outcome.result, outcome.steps_done) == (Result.CANCELLED, 1)
    assert list(rig.world.networks) == ["archipelago-web"], "a step is never cut in two"


def test_a_failure_is_an_outcome_and_the_others_go_on(rig):
    rig.world.fail_next("remove_network", DriverRejected("cannot remove: no"))
    bad = replace(change("bad"), steps=(RemoveNetwork("x"),))
    rig.lanes.dispatch(bad)
    rig.lanes.dispatch(change("good"))
    outcomes = rig.ends(2)
    assert outcomes["bad"].result is Result.FAILED
    assert outcomes["bad"].message == "cannot remove: no"
    assert outcomes["good"].result is Result.APPLIED
    assert rig.bugs == []


def test_a_mistake_of_ours_ends_the_lane_as_a_failure_and_is_told(rig):
    error = ZeroDivisionError("ours")
    rig.world.fail_next("ensure_network", error)
    rig.lanes.dispatch(change("web"))
    outcome = rig.ends()["web"]
    assert outcome.result is Result.FAILED
    assert outcome.message == (
        "cannot finish: an unexpected error while making network archipelago-web; see the log"
    )
    assert rig.bugs == [error]
    assert rig.lanes.dispatch(change("web")), "the lane is free again"
    assert rig.ends()["web"].result is Result.APPLIED


def test_closing_lets_the_present_step_end_and_begins_nothing_more():
    rig = Rig(workers=1)
    gate = rig.hold()
    rig.lanes.dispatch(change("web", steps=2))
    rig.lanes.dispatch(change("later"))
    assert gate.waiting.acquire(timeout=10)
    closing = threading.Thread(target=rig.lanes.close)
    closing.start()
    while rig.lanes.dispatch(change("more")):
        pass
    gate.opened.set()
    closing.join(10)
    assert not closing.is_alive()
    outcomes = {o.change.app: o.result for o in rig.lanes.finished()}
    assert outcomes["web"] is Result.CANCELLED
    assert Result.APPLIED not in outcomes.values()
    assert set(rig.world.networks) <= {"archipelago-web"}
    assert not rig.lanes.dispatch(change("web"))
