"""When many apps are stopped at once: what others need is stopped after them. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.core import graph
from reconciler.model.change import Action, Change, Reason
from reconciler.model.desired import AppSpec


def in_turn(changes: Mapping[str, Change], apps: Mapping[str, AppSpec]) -> dict[str, Change]:
    """Return the changes, with each stop put off for which another one has to come first."""
    stops = {app for app, change in changes.items() if change.action is Action.STOP}
    requires = {
        app: [r.app for r in apps[app].requires if not r.optional and r.app in stops]
        for app in stops
    }
    rings = graph.rings(requires)  # nobody in a ring can be the first, so all are
    first = {
        app: [who for who in needed_by if who not in rings]
        for app, needed_by in graph.dependants(requires).items()
    }
    return {app: _after(change, first.get(app, [])) for app, change in changes.items()}


def _after(change: Change, first: list[str]) -> Change:
    if not first:
        return change
    message = f"is stopped after {', '.join(first)}"
    return replace(
        change, action=Action.HOLD, reason=Reason.DEPENDANTS_FIRST, message=message, steps=()
    )
