from datetime import timedelta
from itertools import pairwise

import pytest
from builders import NOW
from msgspec.structs import replace

from reconciler.core import backoff
from reconciler.model.change import (
    Action,
    Change,
    Outcome,
    Reason,
    Result,
    StartContainer,
    StopContainer,
)
from reconciler.model.history import Attempts

START = Change("web", Action.START, Reason.NOT_RUNNING, digest="1-a", steps=(StartContainer("x"),))
STOP = replace(START, steps=(StopContainer("x", 1),))
OLD = Attempts("1-a", failures=2, starts=3, since=NOW - timedelta(1), message="no")


def outcome(result, change=START, message=""):
    return Outcome(change, result, message, NOW, NOW, 1)


@pytest.mark.parametrize(
    ("why", "before", "ended", "after"),
    [
        (
            "a failure is counted and its message kept",
            OLD,
            outcome(Result.FAILED, message="why"),
            Attempts("1-a", failures=3, starts=3, since=NOW, message="why"),
        ),
        (
            "a conflict counts like a failure, so that it cannot spin",
            OLD,
            outcome(Result.CONFLICT, message="moved"),
            Attempts("1-a", failures=3, starts=3, since=NOW, message="moved"),
        ),
        (
            "a first conflict is tried anew at once: the world moved while we acted",
            replace(OLD, failures=0),
            outcome(Result.CONFLICT, message="moved"),
            Attempts("1-a", failures=1, starts=3, since=None, message="moved"),
        ),
        (
            "a start that worked clears failures and is counted",
            OLD,
            outcome(Result.APPLIED),
            Attempts("1-a", failures=0, starts=4, since=NOW, by_container=(("", 4),)),
        ),
        (
            "a change that started nothing does not count as a start",
            OLD,
            outcome(Result.APPLIED, STOP),
            replace(OLD, failures=0, message=""),
        ),
        (
            "an engine that does not answer says nothing about the app",
            OLD,
            outcome(Result.UNAVAILABLE),
            OLD,
        ),
        ("a cancelled change says nothing about the app", OLD, outcome(Result.CANCELLED), OLD),
        (
            "another digest has a clean slate",
            replace(OLD, digest="1-b"),
            outcome(Result.FAILED),
            Attempts("1-a", failures=1, since=NOW),
        ),
    ],
)
def test_what_is_remembered(why, before, ended, after):
    assert backoff.after(before, ended) == after, why


def test_pauses_grow_and_have_a_ceiling():
    pauses = [backoff.delay("web", n) for n in range(20)]
    assert pauses[0] == 0
    assert pauses[1] == pytest.approx(1, rel=backoff.JITTER)
    assert pauses[5] == pytest.approx(16, rel=backoff.JITTER)
    assert max(pauses) <= backoff.CEILING_SECONDS * (1 + backoff.JITTER)
    assert all(a < b for a, b in pairwise(pauses[:9]))
    assert backoff.delay("web", 10**6) <= backoff.CEILING_SECONDS * (1 + backoff.JITTER)


def test_apps_do_not_march_in_step():
    assert len({backoff.delay(f"app{i}", 4) for i in range(20)}) == 20


def test_an_app_without_history_is_due_at_once():
    assert backoff.due_at("web", Attempts("1-a", failures=3), starting=True) is None


def test_a_first_start_and_its_first_repair_need_no_pause():
    for starts in (0, 1):
        assert (
            backoff.due_at("web", Attempts("1-a", starts=starts, since=NOW), starting=True) is None
        )
    due = backoff.due_at("web", Attempts("1-a", starts=2, since=NOW), starting=True)
    assert due is not None
    assert due > NOW


def test_starts_delay_only_starts_but_failures_delay_everything():
    assert backoff.due_at("web", Attempts("1-a", starts=9, since=NOW), starting=False) is None
    failed = Attempts("1-a", failures=1, since=NOW)
    assert backoff.due_at("web", failed, starting=False) == backoff.due_at(
        "web", failed, starting=True
    )


def test_failures_are_forgotten_only_after_the_window():
    window = timedelta(seconds=60)
    now = NOW + window
    assert backoff.calmed(replace(OLD, since=NOW), now, window) == Attempts("1-a")
    late = replace(OLD, since=NOW + timedelta(microseconds=1))
    assert backoff.calmed(late, now, window) == late
    assert backoff.calmed(Attempts("1-a", starts=3), now, window) == Attempts("1-a")


def test_a_word_of_the_operator_drops_what_was_before():
    attempts = {
        "before": Attempts("1-a", failures=3, since=NOW - timedelta(seconds=1)),
        "after": Attempts("1-a", failures=3, since=NOW),
        "at once": Attempts("1-a", failures=1),
        "other": Attempts("1-a", failures=3, since=NOW - timedelta(seconds=1)),
    }
    retried = dict.fromkeys(("before", "after", "at once"), NOW)
    assert set(backoff.not_retried(attempts, retried)) == {"after", "other"}


def test_what_the_operator_stopped_begins_anew():
    stopped = Change("web", Action.STOP, Reason.SUSPENDED, digest="1-a", steps=STOP.steps)
    assert backoff.after(OLD, outcome(Result.APPLIED, stopped)) == Attempts("1-a")


def test_what_is_started_one_after_the_other_was_started_once():
    attempts = Attempts()
    for name in ("db", "cache", "main", "db"):
        change = replace(START, steps=(StartContainer("x", name), StartContainer("y", "side")))
        attempts = backoff.after(attempts, outcome(Result.APPLIED, change))
    assert attempts.by_container == (("cache", 1), ("db", 2), ("main", 1), ("side", 4))
    assert attempts.starts == 4


def test_what_was_tried_of_another_revision_is_forgotten_before_it_begins():
    """Whoever dies in the middle took the revision before for tried, when it came back."""
    known = {"web": Attempts("old", starts=3), "db": Attempts("same", failures=2)}
    begin = {
        "web": Change(
            "web", Action.UPDATE, Reason.DIGEST_CHANGED, digest="new", steps=START.steps
        ),
        "db": Change("db", Action.START, Reason.NOT_RUNNING, digest="same", steps=START.steps),
        "kept": Change("kept", Action.KEEP, Reason.IN_SYNC, digest="other"),
    }
    assert backoff.begun(known, begin.values()) == {"web": Attempts("new"), "db": known["db"]}


def test_who_only_waits_forgets_nothing():
    known = {"web": Attempts("old", starts=3)}
    held = Change("web", Action.HOLD, Reason.BACK_OFF, digest="new")
    assert backoff.begun(known, [held]) == known
