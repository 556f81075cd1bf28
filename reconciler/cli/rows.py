"""
The rows of a status: what each cell says, and in which colour. Pure, and quick to load.

`tables` makes a table of them that folds; where nothing has to be folded, `sheet` prints them.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct

from reconciler.cli.words import age, plain
from reconciler.model.commit import Commit, SourceStatus
from reconciler.model.health import HealthState
from reconciler.model.quantities import size_text
from reconciler.model.status import AppStatus, ConditionType, ContainerStatus, Status

HEADER: Final = ("APP", "CONDITION", "IMAGE", "HEALTH", "AGE", "MESSAGE")
_SHORT: Final = 19  # of a digest: `sha256:` and twelve digits
HEALTH: Final = {
    HealthState.HEALTHY: "green",
    HealthState.STARTING: "yellow",
    HealthState.UNHEALTHY: "red",
    HealthState.NONE: "dim",
}


class Cell(Struct, frozen=True):
    """A text of one line or more, and its colour, if any."""

    text: str
    colour: str = ""


Row = tuple[Cell, ...]


class Section(Struct, frozen=True):
    """Rows that stand below each other, and the words above them, if any."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


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


def app_sections(app: AppStatus, now: datetime) -> tuple[Section, ...]:
    """Return everything that is known of one app: itself, its conditions, its containers."""
    facts = tuple((Cell(name, "dim"), Cell(plain(value))) for name, value in _facts(app, now))
    conditions = tuple(
        (
            Cell(str(condition.type)),
            Cell("yes" if condition.status else "no"),
            Cell(age(condition.last_transition, now)),
            Cell(condition.reason),
            Cell(plain(condition.message)),
        )
        for condition in app.conditions
    )
    containers = tuple(_container(container, now) for container in app.containers)
    return (
        Section((), facts),
        Section(("CONDITION", "", "SINCE", "REASON", "MESSAGE"), conditions),
        Section(("CONTAINER", "STATE", "HEALTH", "UP", "IMAGE", "DIGEST", "ID"), containers),
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
    told = dict.fromkeys((app.message, denied, app.leaks, app.loose, too_much))
    return "; ".join(part for part in told if part) or why_here(app)


def why_here(app: AppStatus) -> str:
    """Return for whom an app was installed that nobody asked for."""
    return "" if app.requested else f"installed for {', '.join(app.required_by)}"


def source_line(source: SourceStatus) -> str:
    """Return which commit is in force, by whom, and who signed it."""
    commit = source.commit or Commit("")
    about = f": {commit.subject} ({commit.author})" if commit.author else ""
    by = f", signed by {commit.signer}" if commit.signer else ""
    of = f" {source.ref}" if source.ref else ""
    return plain(f"Desired state of {source.place}{of} at {commit.short}{about}{by}.")


def troubles(status: Status, app: str | None = None) -> Iterator[Cell]:
    """Yield, in full, what a person should know; only what concerns `app` where one is named."""
    for problem in status.problems:
        if app is None or problem.app == app:
            yield Cell(plain(str(problem)), "red")
    if app is None:
        yield from (Cell(plain(notice), "yellow") for notice in status.notices)
    for odd in status.anomalies:
        if app in {None, odd.app}:
            about = f"{odd.app}: " if odd.app and app is None else ""
            yield Cell(plain(about + odd.message), "yellow")
    if status.last_pass.error:
        yield Cell(plain(status.last_pass.error), "red")


def _container(container: ContainerStatus, now: datetime) -> Row:
    runs = container.state == "running"
    ended = "" if runs or container.exit_code is None else f" ({container.exit_code})"
    return (
        Cell(container.name),
        Cell(container.state + ended),
        Cell(container.health, HEALTH[container.health]),
        Cell(age(container.started_at, now) if runs else ""),
        Cell(plain(container.image)),
        Cell(plain(container.image_digest[:_SHORT])),
        Cell(container.id[:12]),
    )


def _facts(app: AppStatus, now: datetime) -> list[tuple[str, str]]:
    last = f"{app.last_change}, {age(app.last_change_at, now)} ago" if app.last_change else ""
    message = f": {app.message}" if app.message else ""
    facts = [
        ("app", f"{app.id} {app.version}".strip()),
        ("action", f"{app.action} ({app.reason}){message}"),
        ("health", str(app.health)),
        ("disk", _disk(app)),
        ("digest", app.digest),
        ("requires", ", ".join(app.requires)),
        ("required by", ", ".join(app.required_by)),
        ("here", why_here(app)),
        ("last change", last),
        ("changed by", _changed_by(app.commit, now) if app.commit else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _changed_by(commit: Commit, now: datetime) -> str:
    """Return for example `a1b2c3d4e5 Install web (Ada <ada@example.org>), 3d ago`."""
    ago = f", {age(commit.committed_at, now)} ago" if commit.committed_at else ""
    return f"{commit.short} {commit.subject} ({commit.author}){ago}"


def _disk(app: AppStatus) -> str:
    """Return for example `1.2 GiB of 10 GiB`."""
    used = "" if app.disk_bytes is None else size_text(app.disk_bytes)
    if app.disk_limit is None:
        return used
    return f"{used or 'not known'} of {size_text(app.disk_limit)}"


def _age(app: AppStatus, now: datetime) -> str:
    started = [c.started_at for c in app.containers if c.started_at and c.state == "running"]
    return age(max(started), now) if started else ""
