"""Asking, counting, and telling the loop what is news. Real threads, short intervals."""

import threading

import pytest
from builders import CHECK, NOW, app, seen
from msgspec.structs import replace

from reconciler.clock import SystemClock
from reconciler.model.health import ProbeRecord, ProbeResult
from reconciler.probes import ProbePool, counted, is_news

RUNS = replace(seen(app("web")), pid=7)
FRESH = ProbeRecord(RUNS.ref, RUNS.started_at, RUNS.pid)
ASKED = replace(FRESH, last_at=NOW, message="connection refused")
WELL = replace(ASKED, succeeded=True, message="")


class Doctor:
    """A driver of which only `probe` is asked."""

    def __init__(self):
        self.answer = ProbeResult(True)
        self.asked = []
        self.hang = threading.Event()
        self.hang.set()

    def probe(self, container, check):
        self.asked.append(container.ref)
        self.hang.wait(5)
        return self.answer


@pytest.fixture
def pool():
    doctor, woken = Doctor(), threading.Semaphore(0)
    made = ProbePool(doctor, SystemClock(), woken.release)
    yield made, doctor, woken
    doctor.hang.set()
    made.close()


def wait(pool, wanted, ref=RUNS.ref):
    for _ in range(500):
        record = pool.records().get(ref)
        if record and wanted(record):
            return record
        threading.Event().wait(0.01)
    raise AssertionError(f"waited in vain; {pool.records()}")


@pytest.mark.parametrize(
    ("why", "before", "after", "news"),
    [
        ("a first answer", FRESH, ASKED, True),
        ("the same again", ASKED, ASKED, False),
        ("up at last, after failures that did not count", ASKED, WELL, True),
        ("well again and again", WELL, WELL, False),
        ("a failure that counts", WELL, replace(WELL, failures=1, message="answers 503"), True),
        ("one more failure", replace(WELL, failures=1), replace(WELL, failures=2), True),
        ("a recovery", replace(WELL, failures=2), WELL, True),
    ],
)
def test_what_is_news(why, before, after, news):
    assert is_news(before, after) is news, why


def test_counting():
    failed = ProbeResult(False, "answers 503")
    once = counted(FRESH, failed, NOW, counts=True)
    assert (once.failures, once.message, once.succeeded) == (1, "answers 503", False)
    assert counted(once, failed, NOW, counts=False).failures == 1
    assert counted(once, failed, NOW, counts=True).failures == 2
    well = counted(once, ProbeResult(True), NOW, counts=True)
    assert (well.failures, well.message, well.succeeded, well.healthy_since) == (0, "", True, NOW)


def test_a_container_is_asked_at_once_and_the_loop_is_woken(pool):
    probes, _, woken = pool
    probes.watch({RUNS.ref: (RUNS, CHECK)})
    assert woken.acquire(timeout=5)
    assert wait(probes, lambda r: r.succeeded)


def test_a_container_that_is_not_up_yet_is_asked_again_soon_and_not_counted(pool):
    probes, doctor, woken = pool
    doctor.answer = ProbeResult(False, "connection refused")
    probes.watch({RUNS.ref: (RUNS, replace(CHECK, interval=60.0))})
    wait(probes, lambda r: r.last_at is not None)
    assert woken.acquire(timeout=5)
    doctor.answer = ProbeResult(True)
    assert wait(probes, lambda r: r.succeeded).failures == 0
    assert woken.acquire(timeout=5)


def test_failures_count_once_an_interval(pool):
    probes, doctor, _ = pool
    doctor.answer = ProbeResult(False, "no")
    probes.watch({RUNS.ref: (RUNS, replace(CHECK, interval=0.3))})
    record = wait(probes, lambda r: r.failures == 2)
    assert record.message == "no"


def test_a_new_run_starts_afresh(pool):
    probes, doctor, _ = pool
    probes.watch({RUNS.ref: (RUNS, CHECK)})
    wait(probes, lambda r: r.succeeded)
    doctor.answer = ProbeResult(False, "no")
    again = replace(RUNS, pid=8)
    probes.watch({RUNS.ref: (again, replace(CHECK, interval=60.0))})
    record = wait(probes, lambda r: r.pid == 8)
    assert not record.succeeded


def test_what_is_not_watched_any_more_is_forgotten(pool):
    probes, _, _ = pool
    probes.watch({RUNS.ref: (RUNS, CHECK)})
    wait(probes, lambda r: r.succeeded)
    probes.watch({})
    assert probes.records() == {}


def test_a_probe_that_hangs_delays_no_other(pool):
    probes, doctor, _ = pool
    doctor.hang.clear()
    probes.watch({RUNS.ref: (RUNS, CHECK)})
    other = replace(RUNS, ref="other")
    threading.Timer(0.2, doctor.hang.set).start()
    probes.watch({RUNS.ref: (RUNS, CHECK), "other": (other, CHECK)})
    wait(probes, lambda r: r.succeeded, "other")
    assert doctor.asked[:2] == [RUNS.ref, "other"]
