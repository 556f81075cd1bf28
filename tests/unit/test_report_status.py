"""The status as JSON and back, and the file that holds it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.change import Action
from reconciler.model.commit import Commit
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
from reconciler.report.moments import from_text, to_text
from reconciler.report.status_file import StatusFile, load_status
from reconciler.report.status_json import parse_status, status_document

NOW = datetime(2026, 1, 1, 12, 0, 0, 123_000, tzinfo=UTC)
CONTAINER = ContainerStatus(
    "main", "c" * 64, "localhost/web:1", "running", NOW, HealthState.HEALTHY, None, 42
)
APP = AppStatus(
    id="web",
    version="1.2.3",
    action=Action.KEEP,
    reason="InSync",
    message="",
    conditions=(Condition(ConditionType.READY, True, "Serving", "", NOW),),
    digest="1-abc",
    health=HealthState.HEALTHY,
    containers=(CONTAINER,),
    requires=("db",),
    last_change="install applied",
    last_change_at=NOW,
    manifest_changed_at=NOW,
    disk_bytes=5,
    disk_limit=7,
    commit=Commit("a" * 40, "Ada <ada@example.org>", "Install web", NOW),
)
FULL = Status(
    apps=(APP, replace(APP, id="db", requires=(), last_change_at=None, disk_bytes=None)),
    last_pass=PassStatus(7, 0.25, NOW, "cannot reach Podman"),
    problems=(Problem(Origin("web.yml", 3, 5), "is wrong", "do that", "web"),),
    notices=("folders are polled",),
    lanes_busy=2,
    anomalies=(
        Anomaly(AnomalyKind.FOREIGN_EXEC, "web", "main", "somebody ran a command"),
        Anomaly(AnomalyKind.VERIFICATION_FAILS, "", "images", "images were refused"),
    ),
)

PASS = {"number": 1, "duration_seconds": 0.5}


def test_the_document_has_the_promised_shape():
    document = status_document(FULL)
    assert list(document) == [
        "format",
        "apps",
        "pass",
        "problems",
        "notices",
        "anomalies",
        "lanes_busy",
        "source",
    ]
    app = document["apps"][0]
    promised = {"id", "action", "reason", "message", "conditions", "digest", "health"}
    assert promised | {"containers", "requires"} <= set(app)
    assert app["conditions"] == [
        {
            "type": "Ready",
            "status": True,
            "reason": "Serving",
            "message": "",
            "last_transition": "2026-01-01T12:00:00.123Z",
        }
    ]
    assert {"name", "id", "image", "state", "started_at"} <= set(app["containers"][0])
    assert app["disk"] == {"bytes": 5, "limit": 7}
    assert document["apps"][1]["disk"] == {"bytes": None, "limit": 7}
    assert {"number", "duration_seconds", "finished_at"} <= set(document["pass"])
    assert document["problems"][0] == {
        "file": "web.yml",
        "line": 3,
        "column": 5,
        "message": "is wrong",
        "hint": "do that",
        "app": "web",
    }


def test_what_an_older_version_wrote_has_no_disk():
    document = status_document(FULL)
    del document["apps"][0]["disk"]
    assert parse_status(document).apps[0] == replace(APP, disk_bytes=None, disk_limit=None)


@pytest.mark.parametrize(
    "status", [FULL, Status((), PassStatus(1, 0.0, NOW))], ids=["full", "empty"]
)
def test_what_is_written_is_read_back_the_same(status):
    assert parse_status(json.loads(json.dumps(status_document(status)))) == status


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("another format", {"format": 2}),
        ("no format", {"format": None}),
        ("no pass", {"pass": None}),
        ("apps of another kind", {"apps": [1]}),
        ("an action nobody knows", {"apps": [{"id": "x", "action": "dance"}]}),
        ("a moment without zone", {"pass": PASS | {"finished_at": "2026-01-01T00:00:00"}}),
    ],
)
def test_what_cannot_be_read_is_no_status(why, change):
    assert parse_status(status_document(FULL) | change) is None, why


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "12", '"x"', "[" * 100_000])
def test_a_damaged_file_is_no_status(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    assert load_status(tmp_path / "status.json") is None


def test_a_file_that_is_not_there_is_no_status(tmp_path):
    assert load_status(tmp_path / "status.json") is None


def test_moments_are_in_utc():
    there = datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert to_text(there) == "2026-01-01T12:00:00.000Z"
    assert from_text(to_text(there)) == there


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def now(self):
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self):
        return self.seconds


def later(status, seconds):
    last = PassStatus(status.last_pass.number + 1, seconds, NOW + timedelta(seconds=seconds))
    return replace(status, last_pass=last)


CALM = Status((APP,), PassStatus(1, 0.1, NOW))


def test_the_file_is_written_when_something_is_new(tmp_path):
    path, clock = tmp_path / "state" / "status.json", Clock()
    file = StatusFile(path, clock, pytest.fail)
    file.passed(CALM)
    assert load_status(path) == CALM
    file.passed(later(CALM, 0.5))
    assert load_status(path) == CALM, "only the pass is new, and that a moment ago"
    changed = later(replace(CALM, lanes_busy=1), 0.6)
    file.passed(changed)
    assert load_status(path) == changed
    clock.seconds += 2.0
    file.passed(later(changed, 3))
    assert load_status(path) == later(changed, 3), "a quiet loop shows that it lives"
    assert [p.name for p in path.parent.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    "new",
    [
        {"apps": ()},
        {"problems": FULL.problems},
        {"notices": FULL.notices},
        {"anomalies": FULL.anomalies},
        {"last_pass": replace(CALM.last_pass, error="cannot reach Podman")},
    ],
    ids=lambda new: next(iter(new)),
)
def test_each_thing_that_is_told_is_news(tmp_path, new):
    file = StatusFile(tmp_path / "status.json", Clock(), pytest.fail)
    file.passed(CALM)
    file.passed(replace(CALM, **new))
    assert load_status(tmp_path / "status.json") == replace(CALM, **new)


def test_a_full_disk_is_told_once_and_hurts_nobody(tmp_path):
    told = []
    blocked = tmp_path / "state"
    blocked.write_text("a file where the folder should be")
    file = StatusFile(blocked / "status.json", Clock(), told.append)
    file.passed(CALM)
    file.passed(FULL)
    assert len(told) == 1
    assert str(blocked / "status.json") in told[0]
    blocked.unlink()
    file.passed(CALM)
    assert load_status(blocked / "status.json") == CALM, "it goes on as soon as it can"
