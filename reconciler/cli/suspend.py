"""`archipelago suspend` and `resume`: apps that stay installed and are stopped, or left alone."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from reconciler.cli import desired
from reconciler.cli.call import Call
from reconciler.cli.desired import kept_document
from reconciler.cli.on_record import EVERY_APP, record_if_possible
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError
from reconciler.model.desired import Suspension

if TYPE_CHECKING:
    from reconciler.committing import Place
    from reconciler.model.snapshot import Snapshot

_Every = Annotated[bool, typer.Option("--all", help="Every app of this box.")]
_App = Annotated[str | None, typer.Argument(help="The app.")]


def suspend(
    call: Call,
    app: _App = None,
    every: _Every = False,
    period: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="For so long, such as 2h.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="Until then, such as 2026-12-01T10:00."),
    ] = None,
    keep_running: Annotated[
        bool,
        typer.Option("--keep-running", help="Stop nothing, and leave it exactly as it is."),
    ] = False,
) -> None:
    """Stop an app and keep it stopped, until it is resumed."""
    whom = _whom("suspend", app, every=every)
    word = Suspension(_end(period, until, SystemClock().now()), keep_running)
    with desired.written(call) as place:
        _suspend(call, place, whom, word)


def _suspend(call: Call, place: "Place", whom: str, word: Suspension) -> None:
    from reconciler.sources import edit

    settings = place.settings
    snapshot = desired.read(settings)
    if whom:
        desired.check_wanted(snapshot, whom)
    own = edit.suspension_file(settings.desired_state, whom)
    said = _in_force(snapshot, whom, SystemClock().now())
    _check_elsewhere(whom, word, [s for s in said if s.file != own])
    known = [s.place for s in said if s.word == word]
    files: list[Path] = []
    if not known:
        record_if_possible(settings, "suspend", whom or EVERY_APP, _promise(whom, word))
        files = [edit.suspend(settings.desired_state, whom, word)]
    name = whom or "everything"
    kept = place.keep(f"Suspend {name}", files)
    wrote = [place.shown(file) for file in files]
    if call.json:
        told = {"app": whom or None, "suspended": known or wrote, "changed": not known}
        ends = word.until.isoformat().replace("+00:00", "Z") if word.until else None
        told |= {"until": ends, "keep_running": word.keep_running}
        call.print_json(told | kept_document(kept))
        return
    call.tell(
        f"{name} is suspended already, by {known[0]}"
        if known
        else f"Wrote {wrote[0]}: {_promise(whom, word)}"
    )
    if kept.notice:
        call.tell(kept.notice)


def resume(call: Call, app: _App = None, every: _Every = False) -> None:
    """Let a suspended app run again."""
    whom = _whom("resume", app, every=every)
    with desired.written(call) as place:
        _resume(call, place, whom)


def _resume(call: Call, place: "Place", whom: str) -> None:
    from reconciler.sources import edit

    settings = place.settings
    snapshot = desired.read(settings)
    record_if_possible(settings, "resume", whom or EVERY_APP)
    done = [edit.resume(file, whom) for file in desired.files_of(snapshot, whom)]
    edits = [e for e in done if e is not None]
    elsewhere = list(desired.suspended_in_install(snapshot, whom))
    if elsewhere:
        raise ConfigurationError(
            f"cannot resume {whom}: {elsewhere[0]} says `suspend: true`; "
            "that file is yours: take the line out",
        )
    if not edits and whom:
        desired.check_wanted(snapshot, whom)
    name = whom or "everything"
    kept = place.keep(f"Resume {name}", [e.file for e in edits])
    still = _still(snapshot, whom)
    if call.json:
        files = [{"file": place.shown(e.file), "deleted": e.deleted} for e in edits]
        told = {"app": whom or None, "files": files, "changed": bool(edits), "still": still}
        call.print_json(told | kept_document(kept))
        return
    call.tell(
        f"{name} is resumed: the loop takes it up again." if edits else f"{name} is not suspended."
    )
    for line in still:
        call.tell(line)
    if kept.notice:
        call.tell(kept.notice)


class _Said(Struct, frozen=True):
    """A suspension that is in force, and where it stands."""

    word: Suspension
    place: str
    file: Path


def _whom(verb: str, app: str | None, *, every: bool) -> str:
    """Return the app; nothing for all."""
    if (app is None) != every:
        raise ConfigurationError(f"cannot {verb}: name one app, or say --all")
    return app or ""


def _end(period: str | None, until: str | None, now: datetime) -> datetime | None:
    """Return when it ends, in whole seconds."""
    from reconciler.model.quantities import QuantityError, parse_duration

    if period is not None and until is not None:
        raise ConfigurationError("cannot suspend: say --for or --until, not both")
    try:
        if period is not None:
            end = now + timedelta(seconds=parse_duration(period))
        elif until is not None:
            end = datetime.fromisoformat(until).astimezone(now.tzinfo)
        else:
            return None
    except QuantityError as error:
        raise ConfigurationError(f"cannot use --for: {error}; {error.hint}") from error
    except (ValueError, OverflowError) as error:
        what = "--for: it is too long" if until is None else f"--until {until}"
        hint = "write 2h or 30d" if until is None else "write for example 2026-12-01T10:00"
        raise ConfigurationError(f"cannot use {what}; {hint}") from error
    end = end.replace(microsecond=0)
    if end <= now:
        raise ConfigurationError("cannot suspend until then: that moment is over")
    return end


def _in_force(snapshot: "Snapshot", whom: str, now: datetime) -> list[_Said]:
    from reconciler.core.suspension import written

    return [
        _Said(word, str(document.origin), Path(document.origin.file))
        for document in snapshot.documents
        for word in written([document]).get(whom, ())
        if word.until is None or now < word.until
    ]


def _check_elsewhere(whom: str, word: Suspension, elsewhere: list[_Said]) -> None:
    """What the operator wrote by hand is theirs: beside it, another word would be weaker."""
    other = next((s for s in elsewhere if s.word != word), None)
    if other is not None and not any(s.word == word for s in elsewhere):
        from reconciler.core.suspension import told

        said = told(other.word.until, keep_running=other.word.keep_running)
        raise ConfigurationError(
            f"cannot suspend {whom or 'everything'} so: it is {said} already, by {other.place}; "
            "that file is yours: edit it",
        )


def _promise(whom: str, word: Suspension) -> str:
    """Say what the loop does now, and what ends it."""
    whose = whom or "--all"
    what = f"the loop stops {whom or 'everything'}"
    if word.keep_running:
        what = f"the loop leaves {whom or 'everything'} exactly as it is"
    if word.until is None:
        return f"{what}, `archipelago resume {whose}` starts it."
    end = word.until.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{what} until {end}, or until `archipelago resume {whose}`."


def _still(snapshot: "Snapshot", whom: str) -> list[str]:
    """Say what is suspended all the same: an app with all others, or some of all on their own."""
    from reconciler.core.suspension import EVERY, written

    now = SystemClock().now()
    if whom:
        every = _in_force(snapshot, EVERY, now)
        text = f"{whom} stays suspended with all others, by "
        return [f"{text}{s.place}: `archipelago resume --all`" for s in every]
    apps = sorted(
        app for app in written(snapshot.documents) if app and _in_force(snapshot, app, now)
    )
    return [f"Still suspended, each on its own: {', '.join(apps)}"] if apps else []
