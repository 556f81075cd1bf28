"""
What happened between two statuses, as events: transitions, never passes. Pure.

The message of an app under way changes with every step; only another action or reason is news.
"""

from collections.abc import Iterator
from datetime import datetime

from reconciler.model.change import Action, Outcome, Reason, Result
from reconciler.model.health import HealthState
from reconciler.model.origin import Problem
from reconciler.model.status import AppStatus, ConditionType, Status
from reconciler.report.event import Event, EventKind, Level

_PAST = {
    Action.INSTALL: "installed",
    Action.UPDATE: "updated",
    Action.ISOLATE: "isolated",
    Action.ROLLBACK: "rolled back",
    Action.START: "started",
    Action.RESTART: "restarted",
    Action.STOP: "stopped",
    Action.REMOVE: "removed",
}

_LOOPING = frozenset({Reason.CRASH_LOOP, Reason.FAILED})


def transitions(before: Status | None, after: Status) -> list[Event]:
    """Return what happened; an app that is found serving at the very first look is no news."""
    at = after.last_pass.finished_at
    return [
        *_engine(before, after, at),
        *_notices(before, after, at),
        *_anomalies(before, after, at),
        *_problems(before, after, at),
        *_apps(before, after, at),
    ]


def outcome_event(outcome: Outcome) -> Event | None:
    """Return the end of a change as an event; a conflict is none, since the next pass mends it."""
    change, at = outcome.change, outcome.ended_at
    seconds = (outcome.ended_at - outcome.began_at).total_seconds()
    match outcome.result:
        case Result.APPLIED:
            message = f"{_PAST.get(change.action, change.action)} in {seconds:.1f} s"
            return Event(change.app, EventKind.CHANGE, "Applied", message, at)
        case Result.FAILED:
            return _failure(outcome, "Failed", Level.ERROR)
        case Result.UNAVAILABLE:
            return _failure(outcome, "Unavailable", Level.WARNING)
        case Result.CANCELLED:
            message = f"{change.action} given up: {outcome.message}"
            return Event(change.app, EventKind.CHANGE, "Cancelled", message, at)
        case Result.CONFLICT:
            return None


def _failure(outcome: Outcome, reason: str, level: Level) -> Event:
    message = f"{outcome.change.action} failed: {outcome.message}"
    return Event(outcome.change.app, EventKind.CHANGE, reason, message, outcome.ended_at, level)


def _engine(before: Status | None, after: Status, at: datetime) -> Iterator[Event]:
    was = before.last_pass.error if before else ""
    now = after.last_pass.error
    if now and not was:
        yield Event("", EventKind.ENGINE, "Unreachable", now, at, Level.ERROR)
    if was and not now:
        yield Event("", EventKind.ENGINE, "Reachable", "the container engine answers again", at)


def _notices(before: Status | None, after: Status, at: datetime) -> Iterator[Event]:
    known = before.notices if before else ()
    for notice in after.notices:
        if notice not in known:
            yield Event("", EventKind.NOTICE, "Notice", notice, at, Level.WARNING)


def _anomalies(before: Status | None, after: Status, at: datetime) -> Iterator[Event]:
    known = {a.key: a for a in before.anomalies} if before else {}
    present = {a.key: a for a in after.anomalies}
    for key, new in present.items():
        if key not in known:
            yield Event(new.app, EventKind.ANOMALY, new.kind, new.message, at, Level.WARNING)
    for key, gone in known.items():
        if key not in present:
            message = f"not seen any more: {gone.message}"
            yield Event(gone.app, EventKind.ANOMALY, gone.kind, message, at)


def _problems(before: Status | None, after: Status, at: datetime) -> Iterator[Event]:
    known = set(before.problems) if before else set[Problem]()
    present = set(after.problems)
    for problem in after.problems:
        if problem not in known:
            app = problem.app or ""
            yield Event(app, EventKind.PROBLEM, "Found", str(problem), at, Level.WARNING)
    # Half-mended is another problem in the same file: the new one says it all.
    bad_files = {p.origin.file for p in present}
    mended = {(p.origin.file, p.app or "") for p in known if p.origin.file not in bad_files}
    for file, app in sorted(mended):
        yield Event(app, EventKind.PROBLEM, "Mended", f"{file} is fine again", at)


def _apps(before: Status | None, after: Status, at: datetime) -> Iterator[Event]:
    known = {app.id: app for app in before.apps} if before else {}
    for app in after.apps:
        yield from _app(known.get(app.id), app, at, first=before is None)
    left = {app.id for app in after.apps}
    for gone in sorted(known.keys() - left):
        yield Event(gone, EventKind.GONE, "Gone", "nothing of it is left but its volumes", at)


def _app(was: AppStatus | None, app: AppStatus, at: datetime, *, first: bool) -> Iterator[Event]:
    if _is_news(was, app):
        message = f"{app.action}: {app.message}" if app.message else str(app.action)
        yield Event(app.id, EventKind.ACTION, app.reason, message, at)
    yield from _health(was, app, at)
    yield from _ready(was, app, at, first=first)
    yield from _stalled(was, app, at)
    yield from _disk(was, app, at)
    yield from _isolation(was, app, at)
    yield from _confinement(was, app, at)
    yield from _approval(was, app, at)


def tried_once_more(app: AppStatus | None, action: Action) -> bool:
    """Say whether something is only the next try of what keeps failing: that was told."""
    tries = {Action.INSTALL, Action.UPDATE, Action.START, Action.RESTART}
    return action in tries and _keeps_failing(app)


def _keeps_failing(app: AppStatus | None) -> bool:
    stalled = app.condition(ConditionType.STALLED) if app else None
    return stalled is not None and stalled.status and stalled.reason in _LOOPING


def _is_news(was: AppStatus | None, app: AppStatus) -> bool:
    """Say whether another action began; that an app is kept or stalled is told as such."""
    stalled = app.condition(ConditionType.STALLED)
    if app.action is Action.KEEP or (app.action is Action.HOLD and stalled and stalled.status):
        return False
    if tried_once_more(app, app.action):
        return False
    return was is None or (was.action, was.reason) != (app.action, app.reason)


def _health(was: AppStatus | None, app: AppStatus, at: datetime) -> Iterator[Event]:
    old = was.health if was else HealthState.NONE
    if _keeps_failing(was) and _keeps_failing(app):
        return
    if app.health is HealthState.UNHEALTHY and old is not HealthState.UNHEALTHY:
        ill = sorted(c.name for c in app.containers if c.health is HealthState.UNHEALTHY)
        message = f"{', '.join(ill) or 'the app'} does not answer well"
        yield Event(app.id, EventKind.HEALTH, "Unhealthy", message, at, Level.WARNING)
    if app.health is HealthState.HEALTHY and old is HealthState.UNHEALTHY:
        yield Event(app.id, EventKind.HEALTH, "Healthy", "answers well again", at)


def _ready(
    was: AppStatus | None,
    app: AppStatus,
    at: datetime,
    *,
    first: bool,
) -> Iterator[Event]:
    served = was.ready if was else False
    if app.ready and not served and not (first and was is None):
        yield Event(app.id, EventKind.READY, "Serving", "serves", at)
    if served and not app.ready:
        message = f"serves no longer: {app.message}" if app.message else "serves no longer"
        yield Event(app.id, EventKind.READY, app.reason, message, at, Level.WARNING)


def _stalled(was: AppStatus | None, app: AppStatus, at: datetime) -> Iterator[Event]:
    before = was.condition(ConditionType.STALLED) if was else None
    now = app.condition(ConditionType.STALLED)
    stuck = before.reason if before and before.status else ""
    if now and now.status and now.reason != stuck:
        yield Event(app.id, EventKind.STALLED, now.reason, now.message, at, Level.ERROR)
    if stuck and not (now and now.status):
        yield Event(app.id, EventKind.STALLED, "Fine", "goes on", at)


def _isolation(was: AppStatus | None, app: AppStatus, at: datetime) -> Iterator[Event]:
    now = app.condition(ConditionType.NETWORK_ISOLATED)
    before = was.leaks if was else ""
    if now and app.leaks and app.leaks != before:
        yield Event(app.id, EventKind.ISOLATION, now.reason, now.message, at, Level.ERROR)
    if now and now.status and before:
        yield Event(app.id, EventKind.ISOLATION, now.reason, "reaches what it may again", at)


def _confinement(was: AppStatus | None, app: AppStatus, at: datetime) -> Iterator[Event]:
    now = app.condition(ConditionType.CONFINED)
    before = was.loose if was else ""
    if now and app.loose and app.loose != before:
        yield Event(app.id, EventKind.CONFINEMENT, now.reason, now.message, at, Level.ERROR)
    if now and now.status and before:
        yield Event(app.id, EventKind.CONFINEMENT, now.reason, "is confined again", at)


def _disk(was: AppStatus | None, app: AppStatus, at: datetime) -> Iterator[Event]:
    now = app.condition(ConditionType.WITHIN_DISK_LIMIT)
    before = was is not None and was.over_disk_limit
    if now and app.over_disk_limit and not before:
        yield Event(app.id, EventKind.DISK, now.reason, now.message, at, Level.WARNING)
    if now and now.status and before:
        message = "its volumes hold no more than its disk limit again"
        yield Event(app.id, EventKind.DISK, now.reason, message, at)


def _approval(was: AppStatus | None, app: AppStatus, at: datetime) -> Iterator[Event]:
    """Tell of what runs; that something waits for a word is told as stalled."""
    now, stalled = app.condition(ConditionType.APPROVED), app.condition(ConditionType.STALLED)
    before = was.condition(ConditionType.APPROVED) if was else None
    denied = before is not None and not before.status
    waits = stalled is not None and stalled.status
    if now and not now.status and not waits and not denied:
        yield Event(app.id, EventKind.APPROVAL, now.reason, now.message, at, Level.WARNING)
    if denied and (now is None or now.status):
        yield Event(app.id, EventKind.APPROVAL, "Approved", "may do what it asks for", at)
