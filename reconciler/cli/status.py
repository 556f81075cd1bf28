"""`archipelago status`: conditions, health, digests and last change of all apps, or of one."""

import sys
from shutil import get_terminal_size
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.cli.rows import source_line
from reconciler.cli.sheet import app_sheet, sheet
from reconciler.cli.words import PIPE_WIDTH, unknown_app
from reconciler.clock import SystemClock
from reconciler.model.status import Status
from reconciler.report.status_json import Json, app_document, status_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import ConsoleRenderable

    from reconciler.cli.seen import Seen

WATCH_SECONDS = 1.0


def status(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="Show all there is on this app.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show what runs, how it is, and what a person should do."""
    from reconciler.cli.seen import look

    settings = call.settings()
    seen = look(settings)
    if app is not None and seen.status.of(app) is None:
        typer.echo(unknown_app(app, (a.id for a in seen.status.apps)), err=True)
        call.finish(FAILED)
    if watch:
        _watch(call, app, lambda: look(settings).status)
    elif call.json:
        call.print_json(_document(seen.status, app))
    else:
        _show(seen, app)


def _document(told: Status, app: str | None) -> Json:
    found = told.of(app) if app else None
    return app_document(found) if found else status_document(told)


def _show(seen: "Seen", app: str | None) -> None:
    """Print plain columns where they fit, and a table that folds where they do not."""
    from reconciler.cli.words import age

    now = SystemClock().now()
    if seen.loop:
        ago = age(seen.status.last_pass.finished_at, now)
        told = f"Told {ago} ago by the running loop ({seen.loop})."
    else:
        told = "No loop is running: `archipelago run` starts one."
    found = seen.status.of(app) if app else None
    if found:
        text = app_sheet(found, seen.status, now, _width())
    else:
        text = sheet(seen.status, now, _width())
    if text is None:
        from reconciler.cli.tables import console

        console().print(_view(seen.status, app))
    else:
        typer.echo(text)
    typer.echo(typer.style(f"\n{told}", dim=True))
    if seen.status.source and seen.status.source.commit:
        typer.echo(typer.style(source_line(seen.status.source), dim=True))


def _width() -> int:
    """Return how wide a line may be: where nobody looks, lines are for grep."""
    return get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def _view(told: Status, app: str | None) -> "ConsoleRenderable":
    from reconciler.cli.tables import app_view, status_table

    now = SystemClock().now()
    found = told.of(app) if app else None
    return app_view(found, told, now) if found else status_table(told, now)


def _watch(call: Call, app: str | None, again: "Callable[[], Status]") -> None:
    never = Event()
    if call.json:
        while True:
            call.print_json(_document(again(), app), line=True)
            never.wait(WATCH_SECONDS)
    from rich.live import Live

    from reconciler.cli.tables import console

    with Live(_view(again(), app), console=console(), auto_refresh=False) as live:
        while True:
            never.wait(WATCH_SECONDS)
            live.update(_view(again(), app), refresh=True)
