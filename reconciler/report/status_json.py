"""The status as a JSON document, and back. Pure. What each key means: docs/cli.md."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.change import Action
from reconciler.model.desired import Suspension
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
from reconciler.report.source_json import (
    commit_document,
    parse_commit,
    parse_source,
    source_document,
)

FORMAT: Final = 1

Json = dict[str, Any]
_Item = TypeVar("_Item")


def status_document(status: Status) -> Json:
    """Return the status in the shape that `status --output json` prints."""
    last = status.last_pass
    return {
        "format": FORMAT,
        "apps": [app_document(app) for app in status.apps],
        "pass": {
            "number": last.number,
            "duration_seconds": round(last.duration_seconds, 6),
            "finished_at": to_text(last.finished_at),
            "error": last.error,
        },
        "problems": [problem_document(p) for p in status.problems],
        "notices": list(status.notices),
        "anomalies": [_anomaly_document(a) for a in status.anomalies],
        "lanes_busy": status.lanes_busy,
        "source": source_document(status.source) if status.source else None,
    }


def app_document(app: AppStatus) -> Json:
    """Return one app of the status."""
    return {
        "id": app.id,
        "version": app.version,
        "action": str(app.action),
        "reason": str(app.reason),
        "message": app.message,
        "conditions": [_condition_document(c) for c in app.conditions],
        "digest": app.digest,
        "health": str(app.health),
        "containers": [_container_document(c) for c in app.containers],
        "requires": list(app.requires),
        "required_by": list(app.required_by),
        "requested": app.requested,
        "disk": {"bytes": app.disk_bytes, "limit": app.disk_limit},
        "suspended": _suspension_document(app.suspended),
        "changed_by": commit_document(app.commit) if app.commit else None,
        "last_change": app.last_change,
        "last_change_at": _optional(app.last_change_at),
        "manifest_changed_at": _optional(app.manifest_changed_at),
    }


def problem_document(problem: Problem) -> Json:
    """Return one problem; line and column 0 mean the file as a whole."""
    return {
        "file": problem.origin.file,
        "line": problem.origin.line,
        "column": problem.origin.column,
        "message": problem.message,
        "hint": problem.hint,
        "app": problem.app,
    }


def _anomaly_document(anomaly: Anomaly) -> Json:
    return {
        "kind": str(anomaly.kind),
        "app": anomaly.app or None,
        "what": anomaly.what,
        "message": anomaly.message,
    }


def parse_status(document: object) -> Status | None:
    """Return the status of a document; None where it is unreadable or of another format."""
    try:
        return _status(document)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _condition_document(condition: Condition) -> Json:
    return {
        "type": str(condition.type),
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "last_transition": to_text(condition.last_transition),
    }


def _container_document(container: ContainerStatus) -> Json:
    return {
        "name": container.name,
        "id": container.id,
        "image": container.image,
        "image_digest": container.image_digest or None,
        "state": str(container.state),
        "started_at": _optional(container.started_at),
        "health": str(container.health),
        "exit_code": container.exit_code,
        "pid": container.pid,
    }


def _suspension_document(word: Suspension | None) -> Json | None:
    if word is None:
        return None
    return {"keep_running": word.keep_running, "until": _optional(word.until)}


def _optional(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None


def _status(document: Any) -> Status:  # noqa: ANN401 - JSON of any shape
    if document["format"] != FORMAT:
        raise ValueError("another format")
    last = document["pass"]
    return Status(
        apps=_each(document["apps"], _app),
        last_pass=PassStatus(
            int(last["number"]),
            float(last["duration_seconds"]),
            from_text(last["finished_at"]),
            str(last.get("error") or ""),
        ),
        problems=_each(document.get("problems"), _problem),
        notices=_each(document.get("notices"), str),
        lanes_busy=int(document.get("lanes_busy") or 0),
        source=parse_source(document.get("source")),
        anomalies=_each(document.get("anomalies"), _anomaly),
    )


def _each(items: Any, read: Callable[[Any], _Item]) -> tuple[_Item, ...]:  # noqa: ANN401 - JSON
    return tuple(read(item) for item in items or ())


def _app(told: Mapping[str, Any]) -> AppStatus:
    disk: Mapping[str, Any] = told.get("disk") or {}
    return AppStatus(
        id=str(told["id"]),
        version=str(told.get("version") or ""),
        action=Action(told["action"]),
        reason=str(told["reason"]),
        message=str(told["message"]),
        conditions=_each(told["conditions"], _condition),
        digest=str(told["digest"]),
        health=HealthState(told["health"]),
        containers=_each(told["containers"], _container),
        requires=_each(told["requires"], str),
        last_change=str(told.get("last_change") or ""),
        last_change_at=_moment(told.get("last_change_at")),
        manifest_changed_at=_moment(told.get("manifest_changed_at")),
        requested=bool(told.get("requested", True)),
        required_by=_each(told.get("required_by") or (), str),
        disk_bytes=_number(disk.get("bytes")),
        disk_limit=_number(disk.get("limit")),
        suspended=_suspension(told.get("suspended")),
        commit=parse_commit(told.get("changed_by")),
    )


def _anomaly(told: Mapping[str, Any]) -> Anomaly:
    kind, app = AnomalyKind(told["kind"]), str(told["app"] or "")
    return Anomaly(kind, app, str(told["what"]), str(told["message"]))


def _suspension(told: Any) -> Suspension | None:  # noqa: ANN401 - JSON
    return Suspension(_moment(told["until"]), bool(told["keep_running"])) if told else None


def _condition(told: Mapping[str, Any]) -> Condition:
    return Condition(
        ConditionType(told["type"]),
        bool(told["status"]),
        str(told["reason"]),
        str(told["message"]),
        from_text(told["last_transition"]),
    )


def _container(told: Mapping[str, Any]) -> ContainerStatus:
    return ContainerStatus(
        name=str(told["name"]),
        id=str(told["id"]),
        image=str(told["image"]),
        state=str(told["state"]),
        started_at=_moment(told.get("started_at")),
        health=HealthState(told.get("health") or HealthState.NONE),
        exit_code=_number(told.get("exit_code")),
        pid=int(told.get("pid") or 0),
        image_digest=str(told.get("image_digest") or ""),
    )


def _problem(told: Mapping[str, Any]) -> Problem:
    origin = Origin(str(told["file"]), int(told["line"]), int(told["column"]))
    return Problem(origin, str(told["message"]), str(told.get("hint") or ""), told.get("app"))


def _number(value: Any) -> int | None:  # noqa: ANN401 - JSON
    return None if value is None else int(value)


def _moment(text: object) -> datetime | None:
    return from_text(text) if text else None
