from datetime import timedelta

import pytest
from builders import CHECK, NOW, app, seen
from msgspec.structs import replace

from reconciler.core.health import assess, worst
from reconciler.model.health import HealthState, ProbeRecord
from reconciler.model.observed import ContainerState

RUNS = seen(app("web"))
RECORD = ProbeRecord(RUNS.ref, RUNS.started_at, last_at=NOW)
SLOW = replace(CHECK, start_period=7200.0)


@pytest.mark.parametrize(
    ("why", "check", "container", "record", "want"),
    [
        ("without a check nothing is known", None, RUNS, RECORD, "none"),
        (
            "what does not run is not asked",
            CHECK,
            replace(RUNS, state=ContainerState.EXITED),
            RECORD,
            "none",
        ),
        ("what was not asked yet is starting", CHECK, RUNS, None, "starting"),
        (
            "answers of an earlier run do not count",
            CHECK,
            replace(RUNS, started_at=NOW),
            replace(RECORD, succeeded=True),
            "starting",
        ),
        (
            "answers of a run that began in the same second do not count",
            CHECK,
            replace(RUNS, pid=7),
            replace(RECORD, succeeded=True),
            "starting",
        ),
        ("a good answer is healthy", CHECK, RUNS, replace(RECORD, succeeded=True), "healthy"),
        ("a failure that does not count yet is starting", CHECK, RUNS, RECORD, "starting"),
        (
            "fewer failures than retries leave it healthy",
            CHECK,
            RUNS,
            replace(RECORD, succeeded=True, failures=2),
            "healthy",
        ),
        (
            "fewer failures than retries leave it starting",
            CHECK,
            RUNS,
            replace(RECORD, failures=2),
            "starting",
        ),
        (
            "as many failures as retries are unhealthy",
            CHECK,
            RUNS,
            replace(RECORD, succeeded=True, failures=3),
            "unhealthy",
        ),
        (
            "in the start period failures are forgiven",
            SLOW,
            RUNS,
            replace(RECORD, failures=99),
            "starting",
        ),
        (
            "once it was well, the start period is over",
            SLOW,
            RUNS,
            replace(RECORD, succeeded=True, failures=3),
            "unhealthy",
        ),
        (
            "after the start period they count",
            SLOW,
            replace(RUNS, started_at=NOW - timedelta(hours=2)),
            replace(RECORD, failures=3, started_at=NOW - timedelta(hours=2)),
            "unhealthy",
        ),
        (
            "a container that does not say when it started has no start period",
            SLOW,
            replace(RUNS, started_at=None),
            replace(RECORD, failures=3, started_at=None),
            "unhealthy",
        ),
    ],
)
def test_health(why, check, container, record, want):
    assert assess(check, container, record, NOW).state == want, why


def test_the_message_of_the_last_failure_is_kept():
    failed = replace(RECORD, failures=3, message="answers 503")
    assert assess(CHECK, RUNS, failed, NOW).message == "answers 503"


def test_an_app_is_as_well_as_its_worst_container():
    order = ["none", "healthy", "starting", "unhealthy"]
    for i, state in enumerate(order):
        states = tuple(HealthState(s) for s in order[: i + 1])
        assert worst(states) == worst(states[::-1]) == state
    assert worst(()) == "none"
