"""`archipelago retry`: the operator's word to try again what failed, and to do it now."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from reconciler.cli.call import FAILED, Call
from reconciler.cli.on_record import record
from reconciler.cli.words import plain, unknown_app
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.config import Settings


class _Asked(Struct, frozen=True):
    """An app, whether there is something to try again, and what is told of it."""

    app: str
    retried: bool
    reason: str
    message: str


def retry(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="The app to try again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every app that failed.")] = False,
) -> None:
    """Try an update again that was rolled back, or at once what is put off after failures."""
    if (app is None) != every:
        raise ConfigurationError("cannot retry: name one app, or say --all")
    from reconciler.cli.seen import look
    from reconciler.core.settling import to_retry

    settings = call.settings()
    seen = look(settings)
    found = [a for a in seen.status.apps if app in {None, a.id}]
    if app is not None and not found:
        typer.echo(unknown_app(app, (a.id for a in seen.status.apps)), err=True)
        call.finish(FAILED)
    asked = [_Asked(a.id, to_retry(a), a.reason, a.message) for a in found]
    retried = frozenset(a.app for a in asked if a.retried)
    _write(settings, retried)
    if call.json:
        call.print_json({"apps": [_document(a) for a in asked], "changed": bool(retried)})
    else:
        _tell(call, [a for a in asked if a.retried or not every], loop=bool(seen.loop))


def _write(settings: "Settings", apps: frozenset[str]) -> None:
    from reconciler import wiring

    if not apps:
        return
    record(settings, "retry", ", ".join(sorted(apps)))
    try:
        wiring.failures(settings).retry(apps, SystemClock().now())
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        file = wiring.failures_path(settings)
        raise ConfigurationError(
            f"cannot write {file}: {why}; mend it, and say it again"
        ) from error


def _tell(call: Call, asked: "Sequence[_Asked]", *, loop: bool) -> None:
    for a in asked:
        why = f" ({a.reason}: {plain(a.message)})" if a.message else f" ({a.reason})"
        if a.retried:
            call.tell(f"{a.app} is tried again{why}")
        else:
            call.tell(f"{a.app} has nothing to be tried again{why}")
    retried = any(a.retried for a in asked)
    if not asked:
        call.tell("No app has failed: there is nothing to be tried again.")
    elif retried:
        call.tell(
            "The running loop does it now."
            if loop
            else "No loop is running: `archipelago run` or `apply` does it."
        )


def _document(asked: _Asked) -> dict[str, Any]:
    return {
        "app": asked.app,
        "retried": asked.retried,
        "reason": asked.reason,
        "message": asked.message,
    }
