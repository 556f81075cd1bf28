"""Statuses as tables. A text may come from anywhere: it is shown as plain text."""

from datetime import datetime

from rich.console import Console, ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from reconciler.cli.rows import HEADER, HEALTH, status_rows, troubles, why_here
from reconciler.cli.words import PIPE_WIDTH, age, plain
from reconciler.model.quantities import size_text
from reconciler.model.status import AppStatus, Status

Shown = ConsoleRenderable

_SHORT = 19  # of a digest: `sha256:` and twelve digits


def console() -> Console:
    """Return the terminal, or a wide page where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def status_table(status: Status, now: datetime) -> Shown:
    """Return the apps, then what a person has to mend."""
    table = headed(*HEADER)
    for row in status_rows(status, now):
        table.add_row(*(Text(cell.text, cell.colour, overflow="fold") for cell in row))
    parts: list[Shown] = [table if status.apps else Text("No apps.")]
    return Group(*parts, *_troubles(status))


def app_view(app: AppStatus, status: Status, now: datetime) -> Shown:
    """Return everything that is known of one app."""
    rows = Table.grid(padding=(0, 2))
    for name, value in _facts(app, now):
        rows.add_row(Text(name, "dim"), Text(plain(value), overflow="fold"))
    conditions = headed("CONDITION", "", "SINCE", "REASON", "MESSAGE")
    for condition in app.conditions:
        conditions.add_row(
            str(condition.type),
            "yes" if condition.status else "no",
            age(condition.last_transition, now),
            condition.reason,
            Text(plain(condition.message), overflow="fold"),
        )
    containers = headed("CONTAINER", "STATE", "HEALTH", "UP", "IMAGE", "DIGEST", "ID")
    for container in app.containers:
        ended = "" if container.exit_code is None else f" ({container.exit_code})"
        containers.add_row(
            container.name,
            container.state + ("" if container.state == "running" else ended),
            Text(container.health, HEALTH[container.health]),
            age(container.started_at, now) if container.state == "running" else "",
            Text(plain(container.image)),
            plain(container.image_digest[:_SHORT]),
            container.id[:12],
        )
    return Group(rows, Text(), conditions, Text(), containers, *_troubles(status, app.id))


def live_view(status: Status, now: datetime, line: str) -> Shown:
    """Return what `run` shows: the table, and a line on the loop itself."""
    last = status.last_pass
    told = f"pass {last.number} in {last.duration_seconds * 1000:.0f} ms · {line} · Ctrl-C stops"
    return Group(status_table(status, now), Text(), Text(told, "dim", overflow="fold"))


def headed(*columns: str) -> Table:
    """Return a table without lines; what may be long is folded."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        wide = column in {"MESSAGE", "IMAGE", "FOUND", "ADVICE"}
        table.add_column(column, no_wrap=not wide, overflow="fold")
    return table


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
    ]
    return [(name, value) for name, value in facts if value]


def _disk(app: AppStatus) -> str:
    """Return for example `1.2 GiB of 10 GiB`."""
    used = "" if app.disk_bytes is None else size_text(app.disk_bytes)
    if app.disk_limit is None:
        return used
    return f"{used or 'not known'} of {size_text(app.disk_limit)}"


def _troubles(status: Status, app: str | None = None) -> list[Shown]:
    told = [Text(cell.text, cell.colour, overflow="fold") for cell in troubles(status, app)]
    return [Text(), *told] if told else []
