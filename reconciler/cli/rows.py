"""
The rows of a status: what each cell says, and in which colour. Pure, and quick to load.

`tables` makes a table of them that folds; where nothing has to be folded, `sheet` prints them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.cli.words import age, plain
from reconciler.model.health import HealthState
from reconciler.model.status import AppStatus, ConditionType, Status

HEADER: Final = ("APP", "CONDITION", "IMAGE", "HEALTH", "AGE", "MESSAGE")
HEALTH: Final = {
    HealthState.HEALTHY: "green",
    HealthState.STARTING: "yellow",
    HealthState.UNHEALTHY: "red",
    HealthState.NONE: "dim",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of one line or more, and its colour, if any."""

    text: str
    colour: str = ""


Row = tuple[Cell, ...]


def status_rows(status: Status, now: datetime) -> tuple[Row, ...]:
    """Return a row for each app."""
    return tuple(
        (
            Cell(app.id),
            condition(app),
            Cell(plain("\n".join(dict.fromkeys(c.image for c in app.containers if c.image)))),
            Cell(app.health, HEALTH[app.health]),
            Cell(_age(app, now)),
            Cell(plain(message(app))),
        )
        for app in status.apps
    )


def condition(app: AppStatus) -> Cell:
    """Return the worst that is true: stalled, at work, not ready, ready."""
    stalled = app.condition(ConditionType.STALLED)
    working = app.condition(ConditionType.RECONCILING)
    if stalled and stalled.status:
        return Cell(f"Stalled {app.reason}", "red")
    if working and working.status:
        return Cell(f"Reconciling {app.reason}", "yellow")
    if app.ready:
        return Cell("Ready", "green")
    return Cell(f"Not ready {app.reason}", "yellow")


def message(app: AppStatus) -> str:
    """Return what the app is about; where that is nothing, what else is worth a word."""
    within = app.condition(ConditionType.WITHIN_DISK_LIMIT)
    too_much = within.message if within and app.over_disk_limit else ""
    approved = app.condition(ConditionType.APPROVED)
    denied = approved.message if approved and not approved.status else ""
    told = dict.fromkeys((app.message, denied, too_much))
    return "; ".join(part for part in told if part) or why_here(app)


def why_here(app: AppStatus) -> str:
    """Return for whom an app was installed that nobody asked for."""
    return "" if app.requested else f"installed for {', '.join(app.required_by)}"


def troubles(status: Status, app: str | None = None) -> Iterator[Cell]:
    """Yield, in full, what a person should know; only what concerns `app` where one is named."""
    for problem in status.problems:
        if app is None or problem.app == app:
            yield Cell(plain(str(problem)), "red")
    if app is None:
        yield from (Cell(plain(notice), "yellow") for notice in status.notices)
    if status.last_pass.error:
        yield Cell(plain(status.last_pass.error), "red")


def _age(app: AppStatus, now: datetime) -> str:
    started = [c.started_at for c in app.containers if c.started_at and c.state == "running"]
    return age(max(started), now) if started else ""
