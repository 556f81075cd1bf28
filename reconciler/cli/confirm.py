"""`archipelago confirm`: the operator's word on what looks like an accident."""

from typing import Annotated

import typer

from reconciler.cli.call import Call
from reconciler.cli.on_record import record
from reconciler.cli.words import plain
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError
from reconciler.model.change import Plan, Reason
from reconciler.model.commit import Commit


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
        _ask(call, "Remove them?")
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


def revision(
    call: Call,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Let the newest commit of the git source be taken, although history was rewritten."""
    from reconciler import wiring

    settings = call.settings()
    repository = wiring.repository(settings)
    if repository is None:
        raise ConfigurationError("cannot confirm a revision: no [git] is set, nothing is followed")
    head, applied = repository.commit(repository.fetch()), repository.applied()
    if applied is None or repository.contains(head.id, applied.id):
        _tell_commits(call, head, applied, confirmed=False)
        call.tell("Nothing to confirm: the newest commit contains the one in force.")
        return
    call.tell(f"In force: {applied.short} {plain(applied.subject)} ({plain(applied.author)})")
    call.tell(f"To come:  {head.short} {plain(head.subject)} ({plain(head.author)})")
    if not yes:
        _ask(call, "Take it?")
    record(settings, "confirm revision", "", head.id)
    try:
        wiring.allow_commit(settings, head.id)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot write the confirmation: {why}") from error
    _tell_commits(call, head, applied, confirmed=True)
    call.tell("Confirmed: a running loop takes it now, if it is signed as it has to be.")


def _tell_commits(call: Call, head: Commit, applied: Commit | None, *, confirmed: bool) -> None:
    if call.json:
        before = applied.id if applied else None
        call.print_json({"commit": head.id, "applied": before, "confirmed": confirmed})


def held(made: Plan) -> list[str]:
    """Return the apps whose removal waits for a word."""
    return [c.app for c in made.changes if c.reason is Reason.MASS_REMOVAL]


def _nothing(call: Call) -> None:
    if call.json:
        call.print_json({"apps": [], "confirmed": False, "until": None})
    call.tell("Nothing to confirm: no removal is held back.")


def _ask(call: Call, question: str) -> None:
    """Ask a person; a machine has to say --yes."""
    if call.json:
        raise ConfigurationError("cannot ask with --output json: say --yes if this is meant")
    if not typer.confirm(question):
        raise ConfigurationError("Nothing was confirmed, and nothing changes.")
