"""Whether the volumes of an app hold no more than they may. Pure."""

from collections.abc import Mapping

from reconciler.model.desired import AppSpec
from reconciler.model.quantities import size_text
from reconciler.model.status import DISK_LIMIT_EXCEEDED, AppStatus, ConditionType

_CALM_PERCENT = 95  # of the limit: at the limit itself the answer would come and go


def within(
    app: str,
    limit: int,
    usage: Mapping[str, int | None],
    before: AppStatus | None,
) -> tuple[bool, str, str]:
    """Say whether the volumes hold no more than the limit; what is not known is not within it."""
    old = before if before and before.disk_limit == limit else None
    known = old.condition(ConditionType.WITHIN_DISK_LIMIT) if old else None
    was_over = old is not None and old.over_disk_limit
    used = usage.get(app)
    if used is None:
        # Nothing says that it is otherwise now; and a loop that begins has not measured yet.
        if known and (was_over or app not in usage):
            return known.status, known.reason, known.message
        return False, "NotMeasured", "what its volumes hold is not known"
    if used > limit or (was_over and used * 100 >= limit * _CALM_PERCENT):
        message = f"its volumes hold more than its disk limit of {size_text(limit)}"
        return False, DISK_LIMIT_EXCEEDED, message
    return True, "WithinLimit", ""


def held(
    app: str,
    spec: AppSpec | None,
    usage: Mapping[str, int | None],
    before: AppStatus | None,
) -> int | None:
    """Return what its volumes held: what was told before, while it is not measured again."""
    if app in usage:
        return usage[app]
    gone = spec is not None and not spec.volumes
    return None if before is None or gone else before.disk_bytes
