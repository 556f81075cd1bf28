"""`archipelago confirm removal`: the operator's word on a removal that looks like an accident."""

from typing import Annotated

import typer

from reconciler.cli.call import Call
from reconciler.cli.on_record import record
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError
from reconciler.model.change import Plan, Reason


def removal(
    call: Call,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """List what the loop would remove if it dared, and let it."""
    from reconciler import wiring
    from reconciler.security.evidence import confirm_removals

    settings = call.settings()
    with wiring.reader(settings) as reconciler:
        _, made = reconciler.preview()
    apps = held(made)
    if not apps:
        return _nothing(call)
    call.tell("These apps are to go (their volumes stay): " + ", ".join(apps))
    if not yes:
        _ask(call)
    record(settings, "confirm removal", ", ".join(apps))
    file = wiring.confirmation_path(settings)
    try:
        until = confirm_removals(file, frozenset(apps), SystemClock().now())
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot write the confirmation to {file}: {why}") from error
    if call.json:
        call.print_json({"apps": apps, "confirmed": True, "until": until.isoformat()})
    shown = until.astimezone().strftime("%H:%M")
    call.tell(f"Confirmed until {shown}: a running loop removes them now.")
    return None


def held(made: Plan) -> list[str]:
    """Return the apps whose removal waits for a word."""
    return [c.app for c in made.changes if c.reason is Reason.MASS_REMOVAL]


def _nothing(call: Call) -> None:
    if call.json:
        call.print_json({"apps": [], "confirmed": False, "until": None})
    call.tell("Nothing to confirm: no removal is held back.")


def _ask(call: Call) -> None:
    """Ask a person; a machine has to say --yes."""
    if call.json:
        raise ConfigurationError("cannot ask with --output json: say --yes if this is meant")
    if not typer.confirm("Remove them?"):
        raise ConfigurationError("Nothing was confirmed, and nothing is removed.")
