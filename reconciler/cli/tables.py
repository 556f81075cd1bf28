"""Statuses as tables. A text may come from anywhere: it is shown as plain text."""

from datetime import datetime

from rich.console import Console, ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from reconciler.cli.rows import HEADER, app_sections, status_rows, troubles
from reconciler.cli.words import PIPE_WIDTH
from reconciler.model.status import AppStatus, Status

Shown = ConsoleRenderable


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
    parts: list[Shown] = []
    for section in app_sections(app, now):
        table = headed(*section.header) if section.header else Table.grid(padding=(0, 2))
        for row in section.rows:
            table.add_row(*(Text(cell.text, cell.colour, overflow="fold") for cell in row))
        parts += [table, Text()]
    return Group(*parts[:-1], *_troubles(status, app.id))


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


def _troubles(status: Status, app: str | None = None) -> list[Shown]:
    told = [Text(cell.text, cell.colour, overflow="fold") for cell in troubles(status, app)]
    return [Text(), *told] if told else []
