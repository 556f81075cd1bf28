"""`archipelago run`: the loop, in the foreground."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import typer

from reconciler.cli.call import Call
from reconciler.cli.signals import told_by_signals
from reconciler.model.status import Status
from reconciler.report.status_json import status_document

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable
    from rich.live import Live

    from reconciler.assembly import Loop


def run(call: Call) -> None:
    """Make this box match the desired state, and keep it so until stopped."""
    from reconciler import wiring

    shown = sys.stdout.isatty() and not call.json
    settings = call.settings(**({"log_format": "json"} if call.json else {}))
    view = _View() if shown else None
    with wiring.loop(settings, on_status=view, log=not shown) as loop:
        line = about(loop)
        if not shown:
            typer.echo(line, err=True)
        with (
            told_by_signals(stop=loop.stop, wake=loop.wake),
            view.showing(line) if view else nullcontext(),
        ):
            result = loop.run()
        call.tell("Stopping: what is being done is brought to an end …")
    if call.json and result is not None:
        call.print_json(status_document(result.status))
    call.tell("Stopped. The apps go on running; `archipelago run` takes them up again.")


def about(loop: "Loop") -> str:
    """Say which engine is used and where the metrics are."""
    metrics = f"metrics on http://{loop.metrics_address}/metrics" if loop.metrics_address else ""
    return " · ".join(part for part in (loop.engine, metrics) if part)


class _View:
    """The live table: drawn anew after each pass, and each second for the ages."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._line = ""

    def __call__(self, status: Status) -> None:
        """Take the status after a pass."""
        self._status = status

    def __rich__(self) -> "ConsoleRenderable | str":
        """Return what to draw now."""
        from reconciler.cli.tables import live_view
        from reconciler.clock import SystemClock

        if self._status is None:
            return f"Looking … {self._line}"
        return live_view(self._status, SystemClock().now(), self._line)

    def showing(self, line: str) -> "AbstractContextManager[Live]":
        """Return the live display, to be entered."""
        from rich.live import Live

        from reconciler.cli.tables import console

        self._line = line
        return Live(self, console=console(), refresh_per_second=4)
