"""What is told, and that it is told once."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.change import Action, Change, Outcome, Reason, Result
from reconciler.model.health import HealthState
from reconciler.model.origin import Origin, Problem
from reconciler.model.status import (
    AppStatus,
    Condition,
    ConditionType,
    ContainerStatus,
    PassStatus,
    Status,
)
from reconciler.report.recorder import FanOut, Listeners
from reconciler.report.transitions import outcome_event, transitions

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def app(
    action=Action.KEEP, reason="InSync", message="", *, ready=True, stalled="", health="healthy"
):
    state = HealthState(health)
    conditions = (
        Condition(ConditionType.READY, ready, "Serving", "", NOW),
        Condition(ConditionType.STALLED, bool(stalled), stalled or "Fine", message, NOW),
    )
    box = ContainerStatus("main", "id", "image", "running", NOW, state)
    return AppStatus("web", "1", action, reason, message, conditions, "1-a", state, (box,), ())


def limited(reason, *, within=False, message=""):
    """An app with a disk limit, and what is said of that."""
    told = Condition(ConditionType.WITHIN_DISK_LIMIT, within, reason, message, NOW)
    fine = app()
    return replace(fine, conditions=(*fine.conditions, told))


def tried(reason, message="", *, fine=False):
    """An app, and what it was found to reach."""
    told = Condition(ConditionType.NETWORK_ISOLATED, fine, reason, message, NOW)
    return replace(app(), conditions=(*app().conditions, told))


def bound(reason, message="", *, fine=False):
    """An app, and what the kernel was found to enforce of it."""
    told = Condition(ConditionType.CONFINED, fine, reason, message, NOW)
    return replace(app(), conditions=(*app().conditions, told))


ODD = Anomaly(AnomalyKind.FOREIGN_EXEC, "web", "main", "somebody ran a command")


def status(*apps, error="", problems=(), notices=(), anomalies=()):
    last = PassStatus(1, 0.0, NOW, error)
    return Status(apps, last, problems, notices, anomalies=anomalies)


INSTALLING = app(Action.INSTALL, "NotInstalled", "fetching", ready=False, health="none")
STARTING = app(Action.KEEP, "Starting", "is starting", ready=False, health="starting")
HELD = app(Action.HOLD, "ManifestInvalid", "a.yml:1:1: bad", stalled="ManifestInvalid")
LOOPING = app(Action.HOLD, "CrashLoop", "ended", ready=False, stalled="CrashLoop", health="none")
TRYING = replace(LOOPING, action=Action.START, reason="NotRunning")
UNWELL = replace(TRYING, health=HealthState.UNHEALTHY)
BAD = Problem(Origin("a.yml", 1, 1), "is bad", "", "web")
WORSE = Problem(Origin("a.yml", 2, 1), "is worse", "", "web")
NOTHING = status()
FULL = limited("DiskLimitExceeded", message="holds more than 1 GiB")
ROOMY = limited("WithinLimit", within=True)
UNMEASURED = limited("NotMeasured")
LEAKY = tried("Breached", "a")
APART = tried("Isolated", fine=True)
UNTRIED = tried("NotProbed", "not yet")
LOOSE = bound("NotConfined", "a")
BOUND = bound("Confined", fine=True)
LOOSENED = ("web", "confinement", "NotConfined", "error")
LEAK = ("web", "isolation", "Breached", "error")


def approved(*, status, stalled=""):
    """An app that asks for more than every app may do, and what is said of that."""
    told = Condition(ConditionType.APPROVED, status, "ApprovalRequired", "runs with it", NOW)
    found = app(message="waits", stalled=stalled)
    return replace(found, conditions=(*found.conditions, told))


UNAPPROVED = ("web", "approval", "ApprovalRequired", "warning")
MAY = ("web", "approval", "Approved", "info")
TOO_MUCH = ("web", "disk", "DiskLimitExceeded", "warning")

TABLE = [
    ("found serving at the first look", None, status(app()), []),
    (
        "found missing at the first look",
        None,
        status(INSTALLING),
        [("web", "action", "NotInstalled", "info")],
    ),
    ("a new app", NOTHING, status(INSTALLING), [("web", "action", "NotInstalled", "info")]),
    (
        "the next step of the same change",
        status(INSTALLING),
        status(replace(INSTALLING, message="creating")),
        [],
    ),
    ("made, not yet well", status(INSTALLING), status(STARTING), []),
    ("becomes ready", status(STARTING), status(app()), [("web", "ready", "Serving", "info")]),
    ("stays ready", status(app()), status(app()), []),
    (
        "dies",
        status(app()),
        status(app(Action.START, "NotRunning", "main ended", ready=False, health="none")),
        [("web", "action", "NotRunning", "info"), ("web", "ready", "NotRunning", "warning")],
    ),
    (
        "unwell",
        status(app()),
        status(app(Action.RESTART, "Unhealthy", "503", ready=False, health="unhealthy")),
        [
            ("web", "action", "Unhealthy", "info"),
            ("web", "health", "Unhealthy", "warning"),
            ("web", "ready", "Unhealthy", "warning"),
        ],
    ),
    (
        "well again",
        status(app(health="unhealthy")),
        status(app()),
        [("web", "health", "Healthy", "info")],
    ),
    (
        "its file is broken",
        status(app()),
        status(HELD, problems=(BAD,)),
        [
            ("web", "problem", "Found", "warning"),
            ("web", "stalled", "ManifestInvalid", "error"),
        ],
    ),
    ("still broken", status(HELD, problems=(BAD,)), status(HELD, problems=(BAD,)), []),
    (
        "broken otherwise: the new problem says it all",
        status(HELD, problems=(BAD,)),
        status(HELD, problems=(WORSE,)),
        [("web", "problem", "Found", "warning")],
    ),
    (
        "mended",
        status(HELD, problems=(BAD,)),
        status(app()),
        [("web", "problem", "Mended", "info"), ("web", "stalled", "Fine", "info")],
    ),
    ("found unapproved", None, status(approved(status=False)), [UNAPPROVED]),
    (
        "not approved any more",
        status(approved(status=True)),
        status(approved(status=False)),
        [UNAPPROVED],
    ),
    (
        "unapproved as before",
        status(approved(status=False)),
        status(approved(status=False)),
        [],
    ),
    ("approved", status(approved(status=False)), status(approved(status=True)), [MAY]),
    ("asks for nothing any more", status(approved(status=False)), status(app()), [MAY]),
    ("still approved", status(approved(status=True)), status(approved(status=True)), []),
    (
        "what waits for a word is told as stalled alone",
        None,
        status(approved(status=False, stalled="ApprovalRequired")),
        [("web", "stalled", "ApprovalRequired", "error")],
    ),
    ("found over its disk limit", None, status(FULL), [TOO_MUCH]),
    ("over its disk limit", status(ROOMY), status(FULL), [TOO_MUCH]),
    ("measured at last, and over", status(UNMEASURED), status(FULL), [TOO_MUCH]),
    ("over, as before", status(FULL), status(FULL), []),
    ("within again", status(FULL), status(ROOMY), [("web", "disk", "WithinLimit", "info")]),
    ("over, and not known with another limit", status(FULL), status(UNMEASURED), []),
    ("over, and without a limit", status(FULL), status(app()), []),
    ("within, as nobody doubted", status(UNMEASURED), status(ROOMY), []),
    ("not measured any more", status(ROOMY), status(UNMEASURED), []),
    ("found to reach too much", status(UNTRIED), status(LEAKY), [LEAK]),
    ("found so at the first look", None, status(LEAKY), [LEAK]),
    ("found so again", status(LEAKY), status(LEAKY), []),
    ("reaches something else", status(LEAKY), status(tried("Breached", "b")), [LEAK]),
    (
        "reaches too little",
        status(APART),
        status(tried("CutOff", "c")),
        [("web", "isolation", "CutOff", "error")],
    ),
    (
        "reaches what it may again",
        status(LEAKY),
        status(APART),
        [("web", "isolation", "Isolated", "info")],
    ),
    ("was not tried yet, and is fine", status(UNTRIED), status(APART), []),
    ("cannot be tried any more", status(APART), status(UNTRIED), []),
    ("found not to be confined", status(BOUND), status(LOOSE), [LOOSENED]),
    ("found so at the very first look", None, status(LOOSE), [LOOSENED]),
    ("as loose as before", status(LOOSE), status(LOOSE), []),
    ("loose in another way", status(LOOSE), status(bound("NotConfined", "b")), [LOOSENED]),
    (
        "confined again",
        status(LOOSE),
        status(BOUND),
        [("web", "confinement", "Confined", "info")],
    ),
    ("confined, as nobody doubted", status(bound("NotKnown")), status(BOUND), []),
    ("loose, since it is meant to be", status(LOOSE), status(bound("Privileged", "a")), []),
    (
        "keeps ending",
        status(app(Action.HOLD, "BackOff", "ended", ready=False)),
        status(LOOPING),
        [("web", "stalled", "CrashLoop", "error")],
    ),
    ("is tried once more", status(LOOPING), status(TRYING), []),
    ("and ended once more", status(TRYING), status(LOOPING), []),
    ("is not well this time either", status(TRYING), status(UNWELL), []),
    (
        "serves at last",
        status(TRYING),
        status(app()),
        [("web", "ready", "Serving", "info"), ("web", "stalled", "Fine", "info")],
    ),
    (
        "an update is taken back",
        status(app(Action.ROLLBACK, "RolledBack", "why", ready=False)),
        status(app(reason="RolledBack", message="why", stalled="RolledBack")),
        [("web", "ready", "Serving", "info"), ("web", "stalled", "RolledBack", "error")],
    ),
    ("taken away", status(app()), NOTHING, [("web", "gone", "Gone", "info")]),
    (
        "Podman does not answer",
        status(app()),
        status(app(), error="cannot reach Podman"),
        [("", "engine", "Unreachable", "error")],
    ),
    (
        "and still does not, in other words",
        status(app(), error="cannot reach Podman"),
        status(app(), error="cannot reach Podman: started again after 3 s"),
        [],
    ),
    (
        "and does again",
        status(app(), error="cannot reach Podman"),
        status(app()),
        [("", "engine", "Reachable", "info")],
    ),
    (
        "folders are polled",
        NOTHING,
        status(notices=("polled",)),
        [("", "notice", "Notice", "warning")],
    ),
    ("and still are", status(notices=("polled",)), status(notices=("polled",)), []),
    (
        "something is odd",
        NOTHING,
        status(anomalies=(ODD,)),
        [("web", "anomaly", "ForeignExec", "warning")],
    ),
    (
        "and goes on, in other words",
        status(anomalies=(ODD,)),
        status(anomalies=(replace(ODD, message="again"),)),
        [],
    ),
    (
        "and is over",
        status(anomalies=(ODD,)),
        status(),
        [("web", "anomaly", "ForeignExec", "info")],
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "want"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_is_told(before, after, want):
    told = transitions(before, after)
    assert [(e.app, e.kind, e.reason, e.level) for e in told] == want
    assert all(e.message and e.at == NOW for e in told)


def outcome(result, message="", action=Action.INSTALL):
    change = Change("web", action, Reason.NOT_INSTALLED)
    return Outcome(change, result, message, NOW, NOW + timedelta(seconds=1.5), 1)


@pytest.mark.parametrize(
    ("result", "want"),
    [
        (Result.APPLIED, ("Applied", "info", "installed in 1.5 s")),
        (Result.FAILED, ("Failed", "error", "install failed: no such image")),
        (Result.UNAVAILABLE, ("Unavailable", "warning", "install failed: no such image")),
        (Result.CANCELLED, ("Cancelled", "info", "install given up: no such image")),
    ],
)
def test_the_end_of_a_change_is_told(result, want):
    event = outcome_event(outcome(result, "no such image"))
    assert event is not None
    assert (event.reason, event.level, event.message) == want


def test_a_conflict_is_not_told_since_the_next_pass_mends_it():
    assert outcome_event(outcome(Result.CONFLICT)) is None


def recorder(previous=None):
    seen = SimpleNamespace(statuses=[], outcomes=[], events=[], bugs=[])
    listeners = Listeners((seen.statuses.append,), (seen.outcomes.append,), (seen.events.extend,))
    return FanOut(listeners, seen.bugs.append, previous), seen


def test_each_pass_is_handed_round_and_each_event_once():
    fan, seen = recorder()
    for _ in range(3):
        fan.passed(status(INSTALLING))
    fan.passed(status(app()))
    fan.passed(status(app()))
    assert len(seen.statuses) == 5
    assert [e.kind for e in seen.events] == ["action", "ready"]


def test_a_restart_of_the_loop_is_no_news():
    fan, seen = recorder(previous=status(HELD, problems=(BAD,)))
    fan.passed(status(HELD, problems=(BAD,)))
    assert seen.events == []


def test_the_same_failure_is_told_once_until_it_went_well():
    fan, seen = recorder()
    for message in ("no image", "no image", "no room", "no room"):
        fan.finished(outcome(Result.FAILED, message))
    assert len(seen.events) == 2
    fan.finished(outcome(Result.APPLIED))
    fan.finished(outcome(Result.FAILED, "no room"))
    assert [e.reason for e in seen.events] == ["Failed", "Failed", "Applied", "Failed"]
    assert len(seen.outcomes) == 6, "metrics hear of each"


def test_the_start_of_what_keeps_ending_is_no_news():
    fan, seen = recorder(previous=status(LOOPING))
    fan.finished(outcome(Result.APPLIED, action=Action.START))
    assert seen.events == []
    fan.finished(outcome(Result.APPLIED, action=Action.STOP))
    assert [e.message for e in seen.events] == ["stopped in 1.5 s"]


def test_a_listener_that_fails_hurts_nobody():
    bugs, seen = [], []

    def broken(_what):
        raise RuntimeError("a bug")

    fan = FanOut(
        Listeners((broken, seen.append), (broken, seen.append), (broken, seen.append)),
        bugs.append,
    )
    fan.passed(status(INSTALLING))
    fan.finished(outcome(Result.APPLIED))
    assert len(bugs) == 4
    assert len(seen) == 4
