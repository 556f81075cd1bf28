"""`archipelago audit`: what is on record; `audit verify` and `audit prove` hold it to its word."""

import base64
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.cli.words import counted, plain
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from reconciler.config import Settings
    from reconciler.report.audit.note import Verifier
    from reconciler.report.audit.verify import Found


def audit(
    call: Call,
    context: typer.Context,
    app: Annotated[str | None, typer.Option(help="Only what concerns this app.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Such as 2h, or 2026-12-01T10:00.")
    ] = None,
    tail: Annotated[int, typer.Option(min=0, help="How many of the last ones.")] = 50,
) -> None:
    """Show what was decided and done, by whom, and how it ended; oldest first."""
    if context.invoked_subcommand is not None:
        return
    began = _moment(since) if since else None
    found = _read(call.settings())
    told = [e for e in found.entries if app is None or e.get("app") == app]
    told = [e for e in told if began is None or _at(e) >= began]
    told = told[-tail:] if tail else []
    if call.json:
        call.print_json({"entries": told, "unended": found.unended})
        return
    for entry in told:
        call.print(_line(entry, unended=entry["seq"] in found.unended))
    if not told:
        call.tell("Nothing of that is on record.")


def verify(
    call: Call,
    key: Annotated[
        Path | None, typer.Option(help="The public key, kept elsewhere, to trust instead.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint that was exported, to hold the log to.")
    ] = None,
    against_runtime: Annotated[
        bool,
        typer.Option("--against-runtime", help="Also ask whether all that is there is on record."),
    ] = False,
) -> None:
    """Look for entries that were changed, cut out, exchanged or written anew."""
    settings = call.settings()
    found = _read(settings, key, checkpoint)
    strange = _unexplained(settings, found) if against_runtime else []
    good = not found.problems and not strange
    if call.json:
        call.print_json(_verdict(found, strange) | {"sound": good})
    else:
        _tell_verdict(call, found, strange)
    call.finish(0 if good else FAILED)


def prove(
    call: Call,
    number: Annotated[int, typer.Argument(min=0, help="The number of the entry.")],
) -> None:
    """Print a proof that an entry is in the log that was signed: RFC 6962, in JSON."""
    from reconciler.report.audit import merkle

    settings = call.settings()
    found = _read(settings)
    if found.problems:
        raise ConfigurationError(
            f"cannot prove anything: {found.problems[0]}; see `archipelago audit verify`"
        )
    signed = found.signed
    if signed is None or found.first or not number < signed.size:
        raise ConfigurationError(
            f"cannot prove entry {number}: entries 0 to {signed.size - 1 if signed else 0} are"
            " signed, and all files from the first one have to be here"
        )
    leaves = found.leaves[: signed.size]
    path = merkle.proof(leaves, number)
    if not merkle.leads_to(signed.root, signed.size, number, leaves[number], path):
        raise ConfigurationError(f"cannot prove entry {number}: it is not in the signed log")
    call.print_json(
        {
            "entry": found.entries[number],
            "index": number,
            "size": signed.size,
            "leaf": _base64(leaves[number]),
            "path": [_base64(step) for step in path],
            "checkpoint": _note(settings, None),
        }
    )


def _read(
    settings: "Settings", key: Path | None = None, checkpoint: Path | None = None
) -> "Found":
    from reconciler import wiring
    from reconciler.report.audit.verify import verify as verified

    folder = wiring.audit_path(settings)
    try:
        return verified(folder, _verifier(folder, key), _note(settings, checkpoint))
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot read the audit log in {folder}: {why}") from error


def _verifier(folder: Path, key: Path | None) -> "Verifier | None":
    from reconciler.report.audit.box_key import verifier_of
    from reconciler.report.audit.note import parse_verifier

    if key is None:
        return verifier_of(folder)
    try:
        found = parse_verifier(key.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        found = None
    if found is None:
        raise ConfigurationError(
            f"cannot use {key}: it is no public key; `key.pub` in {folder} is one"
        )
    return found


def _note(settings: "Settings", checkpoint: Path | None) -> str:
    from reconciler import wiring
    from reconciler.report.audit.files import CHECKPOINT

    file = checkpoint or wiring.audit_path(settings) / CHECKPOINT
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if checkpoint is None:
            return ""
        raise ConfigurationError(f"cannot read the checkpoint {checkpoint}") from error


def _unexplained(settings: "Settings", found: "Found") -> list[str]:
    from reconciler import wiring
    from reconciler.report.audit.things import here, impostors, unexplained

    with wiring.driver(settings) as (driver, _):
        present = here(driver, wiring.secrets(settings).kept())
        others = impostors(driver.observe().containers, found.entries)
    return sorted({*unexplained(present, found.entries), *others})


def _tell_verdict(call: Call, found: "Found", strange: list[str]) -> None:
    for problem in found.problems:
        call.tell(f"✗ {problem}")
    for thing in strange:
        call.tell(f"✗ {plain(thing)} is there, and no entry says that we made it")
    if not found.problems:
        files = counted(found.files, "file")
        call.tell(f"Sound: {counted(len(found.entries), 'entry')} in {files}.")
    if found.first:
        call.tell(f"It begins with entry {found.first}: older files are elsewhere.")
    if found.signed:
        call.tell(f"Signed up to entry {found.signed.size - 1}, by {found.signed.origin}.")
    for number in found.unended[-3:]:
        call.tell(f"The end of entry {number} is not on record: it lasts, or a crash was in it.")


def _verdict(found: "Found", strange: list[str]) -> dict[str, Any]:
    return {
        "problems": found.problems,
        "unexplained": strange,
        "first": found.first,
        "entries": len(found.entries),
        "files": found.files,
        "signed": found.signed.size if found.signed else None,
        "origin": found.signed.origin if found.signed else None,
        "unended": found.unended,
    }


def _line(entry: dict[str, Any], *, unended: bool) -> str:
    """Return an entry as a line for people, in their own time."""
    words = [str(entry.get(k, "")) for k in ("verb", "action", "result", "reason", "message")]
    match entry["kind"]:
        case "start":
            words.append(f"version {entry.get('version', '')}")
        case "found":
            words.append(f"{counted(len(entry.get('makes', ())), 'thing')} that were there before")
        case "key":
            words.append(str(entry.get("public", "")))
        case _:
            pass
    if entry["kind"] == "begin":
        words.append(f"[{', '.join(map(str, entry.get('steps', ())))}]")
    if unended:
        words.append("(its end is not on record)")
    told = plain(" ".join(word for word in words if word)).replace("\n", " ")
    at = _at(entry).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    who, app = plain(str(entry.get("actor", "-"))), plain(str(entry.get("app", "-")))
    return f"{entry['seq']:>6} {at} {who:<8} {entry['kind']:<9} {app:<20} {told}".rstrip()


def _at(entry: dict[str, Any]) -> datetime:
    from reconciler.report.moments import from_text

    try:
        return from_text(entry.get("at"))
    except ValueError:
        return datetime.fromtimestamp(0, tz=SystemClock().now().tzinfo)


def _moment(since: str) -> datetime:
    """Return the moment that is meant by a time before now, or by itself."""
    from reconciler.model.quantities import QuantityError, parse_duration

    now = SystemClock().now()
    try:
        return now - timedelta(seconds=parse_duration(since))
    except (QuantityError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(since).astimezone(now.tzinfo)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"cannot use --since {plain(since)}; write for example 2h or 2026-12-01T10:00"
        ) from error


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
