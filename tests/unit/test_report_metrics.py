"""What is measured."""

import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest

from reconciler.errors import ConfigurationError
from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.change import Action, Change, Outcome, Reason, Result
from reconciler.model.commit import Commit
from reconciler.model.health import HealthState
from reconciler.model.status import (
    AppStatus,
    Condition,
    ConditionType,
    ContainerStatus,
    PassStatus,
    Status,
)
from reconciler.report.metrics import Metrics

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PREFIX = "archipelago_"


def app(name="web", action=Action.KEEP, *, digest="1-a", ready=True, working=False):
    conditions = tuple(
        Condition(kind, status, "x", "", NOW)
        for kind, status in (
            (ConditionType.READY, ready),
            (ConditionType.RECONCILING, working),
            (ConditionType.STALLED, False),
        )
    )
    box = ContainerStatus("main", "id", f"localhost/{name}:1", "running", NOW, HealthState.NONE)
    return AppStatus(
        name,
        "1.0",
        action,
        "x",
        "",
        conditions,
        digest,
        HealthState.HEALTHY,
        (box,),
        (),
        manifest_changed_at=NOW,
    )


def status(*apps, seconds=0.0, error=""):
    return Status(apps, PassStatus(1, 0.02, NOW + timedelta(seconds=seconds), error))


def outcome(reason=Reason.NOT_RUNNING, result=Result.APPLIED, action=Action.START):
    return Outcome(Change("web", action, reason), result, "", NOW, NOW, 1)


@pytest.fixture
def metrics():
    made = Metrics()
    yield made
    made.close()


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def test_every_label_value_that_is_known_begins_at_zero(metrics):
    assert value(metrics, "passes_total", outcome="blind") == 0
    for action in Action:
        assert value(metrics, "plan_actions", action=action) == 0
        if action not in {Action.KEEP, Action.HOLD}:
            for result in Result:
                assert value(metrics, "changes_total", action=action, result=result) == 0
    assert value(metrics, "retries_total", step="StartContainer") == 0
    assert value(metrics, "drift_repaired_total", reason="ProcessLost") == 0
    assert value(metrics, "podman_call_duration_seconds_count", call="list_containers") == 0
    assert value(metrics, "podman_call_errors_total", call="other") == 0
    assert value(metrics, "apps", condition="Ready", status="false") == 0


def test_a_pass_is_counted(metrics):
    metrics.passed(replace(status(app(), app("db", Action.HOLD, ready=False)), lanes_busy=3))
    metrics.passed(status(error="cannot reach Podman"))
    assert value(metrics, "passes_total", outcome="ok") == 1
    assert value(metrics, "passes_total", outcome="blind") == 1
    assert value(metrics, "pass_duration_seconds_count") == 2
    metrics.passed(replace(status(app(), app("db", Action.HOLD, ready=False)), lanes_busy=3))
    assert value(metrics, "lanes_busy") == 3
    assert value(metrics, "plan_actions", action="keep") == 1
    assert value(metrics, "plan_actions", action="hold") == 1
    assert value(metrics, "apps", condition="Ready", status="true") == 1
    assert value(metrics, "apps", condition="Ready", status="false") == 1
    assert value(metrics, "app_ready", app="db") == 0
    assert value(metrics, "app_health", app="web", state="healthy") == 1
    assert value(metrics, "app_health", app="web", state="unhealthy") == 0


def test_what_is_odd_is_counted_by_kind(metrics):
    assert value(metrics, "anomalies", kind="ForeignExec") == 0
    odd = tuple(Anomaly(AnomalyKind.FOREIGN_EXEC, "web", name, "") for name in ("a", "b"))
    metrics.passed(replace(status(app()), anomalies=odd))
    assert value(metrics, "anomalies", kind="ForeignExec") == 2
    assert value(metrics, "anomalies", kind="Unexplained") == 0
    metrics.passed(status(app()))
    assert value(metrics, "anomalies", kind="ForeignExec") == 0


def test_what_an_app_holds_is_measured_where_it_is_known(metrics):
    over = Condition(ConditionType.WITHIN_DISK_LIMIT, False, "DiskLimitExceeded", "", NOW)
    plain = app()
    web = replace(plain, disk_bytes=7, disk_limit=5, conditions=(*plain.conditions, over))
    metrics.passed(status(web, replace(app("db"), disk_bytes=3, disk_limit=4), app("shop")))
    assert value(metrics, "app_disk_bytes", app="web") == 7
    assert value(metrics, "app_disk_limit_bytes", app="web") == 5
    assert value(metrics, "app_disk_bytes", app="db") == 3
    assert value(metrics, "app_disk_bytes", app="shop") is None
    assert value(metrics, "app_disk_limit_bytes", app="shop") is None
    labels = {"condition": "WithinDiskLimit"}
    assert value(metrics, "apps", **labels, status="false") == 1, "the others have no limit"
    assert value(metrics, "apps", **labels, status="true") == 0
    metrics.passed(status(app(), app("shop")))
    assert value(metrics, "app_disk_bytes", app="web") is None, "not known is not 0"
    text = generate_latest(metrics.registry).decode()
    assert "archipelago_app_disk_bytes{" not in text
    assert "archipelago_app_disk_limit_bytes{" not in text


def test_the_last_commit_of_an_app_is_one_series_and_goes_with_it(metrics):
    metrics.passed(status(replace(app(), commit=Commit("a" * 40)), app("db")))
    assert value(metrics, "app_commit_info", app="web", commit="a" * 10) == 1
    metrics.passed(status(replace(app(), commit=Commit("b" * 40)), app("db")))
    assert value(metrics, "app_commit_info", app="web", commit="a" * 10) is None
    assert value(metrics, "app_commit_info", app="web", commit="b" * 10) == 1
    metrics.passed(status(app("db")))
    assert "app_commit_info{" not in generate_latest(metrics.registry).decode()


def test_the_series_of_an_app_go_with_it_and_change_with_its_version(metrics):
    metrics.passed(status(app(), app("db")))
    metrics.passed(status(app(digest="1-b")))
    text = generate_latest(metrics.registry).decode()
    assert 'app="db"' not in text
    assert 'digest="1-a"' not in text
    labels = {"app": "web", "version": "1.0", "image": "localhost/web:1", "digest": "1-b"}
    assert value(metrics, "app_info", **labels) == 1


def test_violations_are_counted_of_apps_that_are_known_and_go_with_them(metrics):
    metrics.violated("web")
    metrics.passed(status(app(), app("db")))
    metrics.violated("web")
    metrics.violated("web")
    metrics.violated("stranger")
    assert value(metrics, "seccomp_violations_total", app="web") == 2
    for unknown in ("db", "stranger"):
        assert value(metrics, "seccomp_violations_total", app=unknown) is None
    metrics.passed(status(app("db")))
    assert value(metrics, "seccomp_violations_total", app="web") is None
    metrics.violated("web")
    assert value(metrics, "seccomp_violations_total", app="web") is None


def test_changes_and_retries_are_counted(metrics):
    metrics.finished(outcome(result=Result.FAILED))
    metrics.retried("StartContainer")
    metrics.retried("no such step")
    assert value(metrics, "changes_total", action="start", result="failed") == 1
    assert value(metrics, "retries_total", step="StartContainer") == 1
    assert value(metrics, "retries_total", step="other") == 1
    assert value(metrics, "retries_total", step="no such step") is None


@pytest.mark.parametrize(
    ("why", "done", "want"),
    [
        ("its process ended", outcome(), 1),
        ("it could not be repaired", outcome(result=Result.FAILED), 0),
        ("somebody edited its file", outcome(Reason.DIGEST_CHANGED, action=Action.UPDATE), None),
    ],
)
def test_drift_is_what_nobody_had_edited(metrics, why, done, want):
    metrics.passed(status(app()))
    metrics.finished(done)
    assert value(metrics, "drift_repaired_total", reason=done.change.reason) == want, why


def test_the_first_start_of_a_new_revision_repairs_nothing(metrics):
    metrics.passed(status(app(action=Action.UPDATE)))
    metrics.finished(outcome())
    assert value(metrics, "drift_repaired_total", reason="NotRunning") == 0
    metrics.passed(status(app()))
    metrics.finished(outcome())
    assert value(metrics, "drift_repaired_total", reason="NotRunning") == 1


INSTALL = app(action=Action.INSTALL, ready=False, working=True)
STARTING = app(ready=False, working=True)
NEW = app(action=Action.UPDATE, digest="1-b", working=True)
BACK = replace(
    app(),
    conditions=(
        *app().conditions[:2],
        Condition(ConditionType.STALLED, True, "RolledBack", "why", NOW),
    ),
)
WAYS = [
    ("found serving at the first look", [status(app(), seconds=9)], 0, 0),
    ("installed", [status(INSTALL), status(STARTING), status(app(), seconds=2)], 1, 2),
    ("added later", [status(), status(INSTALL), status(app(), seconds=3)], 1, 3),
    ("updated: the old one serves meanwhile", [status(app()), status(NEW)], 0, 0),
    (
        "updated to the end",
        [status(app()), status(NEW), status(app(digest="1-b"), seconds=4)],
        1,
        4,
    ),
    (
        "told once",
        [status(INSTALL), status(app(), seconds=2), status(app(), seconds=60)],
        1,
        2,
    ),
    ("found stopped, and started", [status(STARTING), status(app(), seconds=99)], 0, 0),
    ("gone before it served", [status(INSTALL), status(), status(app("db"), seconds=1)], 1, 1),
    ("a clock that went back", [status(INSTALL), status(app(), seconds=-5)], 1, 0),
    (
        "taken back: what is asked for never served",
        [status(app()), status(NEW), status(BACK, seconds=9)],
        0,
        0,
    ),
    (
        "a moment without an answer",
        [status(app()), status(error="blind"), status(app(), seconds=7)],
        0,
        0,
    ),
]


def test_a_rollback_is_counted_when_it_happens(metrics):
    metrics.passed(status(BACK))
    assert value(metrics, "rollbacks_total") == 0, "an earlier life counted it"
    for told in (app(), BACK, replace(BACK, version="2"), app(), BACK):
        metrics.passed(status(told))
    assert value(metrics, "rollbacks_total") == 2


@pytest.mark.parametrize(
    ("statuses", "count", "seconds"), [w[1:] for w in WAYS], ids=[w[0] for w in WAYS]
)
def test_time_from_a_files_change_to_ready(metrics, statuses, count, seconds):
    for told in statuses:
        metrics.passed(told)
    assert value(metrics, "change_to_ready_seconds_count") == count
    assert value(metrics, "change_to_ready_seconds_sum") == seconds


def test_calls_of_podman_are_measured_by_kind_and_unknown_kinds_are_one(metrics):
    metrics.api_call("list_containers", 0.01, True)
    metrics.api_call("list_containers", 0.01, False)
    metrics.api_call("anything-at-all", 0.01, False)
    kind = {"call": "list_containers"}
    assert value(metrics, "podman_call_duration_seconds_count", **kind) == 2
    assert value(metrics, "podman_call_errors_total", **kind) == 1
    assert value(metrics, "podman_call_errors_total", call="other") == 1
    assert value(metrics, "podman_call_errors_total", call="anything-at-all") is None


def test_whether_files_are_watched(metrics):
    metrics.watching(inotify=True)
    assert value(metrics, "watch_inotify") == 1
    metrics.watching(inotify=False)
    assert value(metrics, "watch_inotify") == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/openmetrics-text"])
def test_metrics_are_served_in_the_format_that_is_asked_for(metrics, kind):
    address = metrics.serve("127.0.0.1:0")
    request = urllib.request.Request(f"http://{address}/metrics", headers={"Accept": kind})
    with urllib.request.urlopen(request, timeout=5) as reply:
        body = reply.read().decode()
        assert reply.headers["Content-Type"].startswith(kind)
    assert f'{PREFIX}build_info{{version="' in body
    assert body.endswith("# EOF\n") == (kind != "text/plain")


def test_a_port_in_use_is_said_with_what_to_do(metrics):
    other = Metrics()
    address = other.serve("127.0.0.1:0")
    with pytest.raises(ConfigurationError, match=f"{address}: address already in use; end"):
        metrics.serve(address)
    other.close()


@pytest.mark.parametrize("address", ["9465", ":9465", "host:", "host:x", "host:65536", ""])
def test_an_address_that_is_none_is_refused(metrics, address):
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:9465"):
        metrics.serve(address)
