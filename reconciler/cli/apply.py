"""`archipelago apply`: passes until nothing more happens by itself."""

from threading import Timer
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.cli.signals import told_by_signals
from reconciler.errors import ConfigurationError, ManifestError
from reconciler.model.status import Status
from reconciler.report.status_json import status_document

if TYPE_CHECKING:
    from reconciler.reconcile import PassResult

SOON_SECONDS = 1.0


def apply(
    call: Call,
    timeout: Annotated[str, typer.Option(help="Give up after this long.")] = "300s",
) -> None:
    """Make this box match the desired state once; succeed only when every app is ready."""
    from reconciler import wiring
    from reconciler.core.settling import all_ready

    seconds = _seconds(timeout)
    settings = call.settings(metrics=None)
    progress = Progress(call)
    with wiring.loop(settings, on_status=progress, log=False) as loop:
        timer = Timer(seconds, loop.stop)
        timer.daemon = True
        timer.start()
        with told_by_signals(stop=loop.stop, wake=loop.wake):
            result = loop.run(until=_enough)
        late = not timer.is_alive()
        timer.cancel()
    if result is None:
        call.finish(FAILED)
        return
    done = all_ready(result.status)
    if call.json:
        call.print_json(status_document(result.status))
    else:
        _show(result.status, done=done, late=late and not done, timeout=timeout)
    call.finish(0 if done else FAILED)


def _enough(result: "PassResult") -> bool:
    from reconciler.core.settling import settled

    soon = result.look_again_seconds is not None and result.look_again_seconds <= SOON_SECONDS
    return not result.busy and not soon and settled(result.status)


def _seconds(text: str) -> float:
    from reconciler.model.quantities import parse_duration

    try:
        return parse_duration(text)
    except ManifestError as error:
        raise ConfigurationError(f"cannot use --timeout: {error}; write 90s or 5m") from error


class Progress:
    """Prints what each app is doing, whenever that changes."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._told: dict[str, str] = {}

    def __call__(self, status: Status) -> None:
        """Take the status after a pass."""
        from reconciler.cli.words import plain

        for app in status.apps:
            message = f" {plain(app.message)}" if app.message else ""
            words = f"{app.id}: {app.action} ({app.reason}){message}"
            if self._told.get(app.id) != words:
                self._told[app.id] = words
                typer.echo(words, err=True)
        gone = self._told.keys() - {app.id for app in status.apps}
        for name in sorted(gone):
            del self._told[name]
            typer.echo(f"{name}: gone", err=True)


def _show(status: Status, *, done: bool, late: bool, timeout: str) -> None:
    from reconciler.cli.tables import console, status_table
    from reconciler.clock import SystemClock

    page = console()
    page.print()
    page.print(status_table(status, SystemClock().now()))
    if late:
        page.print(f"\nNot finished within {timeout}: what was begun is finished by the next run.")
    elif not done:
        page.print("\nNot every app is ready; the messages above say why.")
