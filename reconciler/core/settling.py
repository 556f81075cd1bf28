"""Whether a status is one to stop at. Pure."""

from reconciler.model.change import Action, Reason
from reconciler.model.status import AppStatus, ConditionType, Status

_PASSING = frozenset(
    {
        Reason.BACK_OFF,
        Reason.CRASH_LOOP,
        Reason.FAILED,
        Reason.JOB_FAILED,
        Reason.HEALTH_DEADLINE,
        Reason.ROLLED_BACK,
    },
)


def settled(status: Status) -> bool:
    """Whether nothing more will happen by itself: every app serves, or waits for a person."""
    return not status.last_pass.error and all(_at_rest(app) for app in status.apps)


def all_ready(status: Status) -> bool:
    """Whether every app does as desired (a suspended one: nothing) and nobody has to act."""
    return (
        not status.last_pass.error
        and not status.problems
        and all(_is_suspended(app) or _is_fine(app) for app in status.apps)
    )


def to_retry(app: AppStatus) -> bool:
    """Whether something of an app failed that may go well another time."""
    stalled = app.condition(ConditionType.STALLED)
    reasons = {app.reason, stalled.reason if stalled and stalled.status else ""}
    return bool(reasons & _PASSING)


def _at_rest(app: AppStatus) -> bool:
    if _is_suspended(app):
        return True
    if _is(app, ConditionType.STALLED):
        return True
    return app.ready and not _is(app, ConditionType.RECONCILING)


def _is_suspended(app: AppStatus) -> bool:
    return app.action is Action.HOLD and app.reason == Reason.SUSPENDED


def _is_fine(app: AppStatus) -> bool:
    return app.ready and not _is(app, ConditionType.STALLED)


def _is(app: AppStatus, kind: ConditionType) -> bool:
    condition = app.condition(kind)
    return condition is not None and condition.status
