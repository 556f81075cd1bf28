"""`archipelago confirm`: the operator's word on what looks like an accident."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.call import Call
from reconciler.cli.on_record import record
from reconciler.cli.words import plain
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError, RegistryError
from reconciler.model.change import Plan, Reason
from reconciler.model.commit import Commit
from reconciler.model.pin import Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.config import Settings
    from reconciler.model.pin import PinKey, Signer


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


def signer(
    call: Call,
    app: Annotated[str, typer.Argument(help="The app whose image another one signed.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Let an app's images be signed by who signed what its tags mean now, also from now on."""
    from reconciler import wiring

    settings = call.settings()
    trust = wiring.trust(settings)
    if trust is None or trust.problem:
        why = trust.problem if trust is not None else "there is none"
        raise ConfigurationError(f"cannot tell who signed: the trust file cannot be used: {why}")
    past = wiring.past(settings)
    known = past.past()
    try:
        found = wiring.new_signers(trust, _images(settings, app), known)
    except RegistryError as error:
        raise ConfigurationError(str(error)) from error
    changes = [_signer_document(key, known[key].signers, new) for key, new in found.items()]
    if changes:
        lines = [f"{c['app']}/{c['container']}: {_arrow(c)}" for c in changes]
        call.tell("Signed until now, and to come: " + "; ".join(lines))
        if not yes:
            _ask(call, "Let these sign as well?")
        record(settings, "confirm signer", app, "; ".join(lines))
        try:
            past.accept(found)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise ConfigurationError(f"cannot write the confirmation: {why}") from error
        call.tell(
            "Confirmed: a running loop takes what is held now, `archipelago update` the rest."
        )
    else:
        call.tell(f"Nothing to confirm: nobody else has signed the images of {app}.")
    if call.json:
        call.print_json({"signers": changes, "confirmed": bool(changes)})


def _images(settings: "Settings", app: str) -> "Iterator[tuple[PinKey, str]]":
    """Yield what an app's images are pinned to, and what their names mean now."""
    from reconciler.cli.outdated import asked
    from reconciler.model.image_reference import parse_image_reference

    used, told = asked(settings, app)
    for u in used:
        named = parse_image_reference(u.image)
        now = told[u.image] if u.image in told else Told(named.digest or "")
        if now.error:
            raise ConfigurationError(now.error)
        for digest in sorted({u.pinned, now.digest} - {""}):
            yield (u.app, u.container), named.at(digest)


def _signer_document(
    key: "PinKey", before: "Sequence[Signer]", new: "Sequence[Signer]"
) -> dict[str, Any]:
    return {
        "app": key[0],
        "container": key[1],
        "before": sorted({s.name for s in before}),
        "after": sorted({s.name for s in new}),
    }


def _arrow(change: dict[str, Any]) -> str:
    return f"{', '.join(change['before'])} → {', '.join(change['after'])}"


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
