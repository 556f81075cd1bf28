"""`archipelago purge APP`: deletes the data of a removed app, for ever, when its name is typed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.call import Call
from reconciler.cli.on_record import record
from reconciler.cli.prompt import interactive
from reconciler.cli.volumes import measured
from reconciler.cli.words import counted, plain
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError, DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.config import Settings
    from reconciler.core.purging import Remains
    from reconciler.ports import Driver
    from reconciler.report.event import Level


def purge(
    call: Call,
    app: Annotated[str, typer.Argument(help="An app that was removed.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete the data of a removed app: its volumes, and what is kept of it. For ever."""
    from reconciler import wiring
    from reconciler.model.manifest.names import APP_ID

    if not APP_ID.fullmatch(app):
        raise ConfigurationError(f"cannot purge {plain(app)!r}: that is no app's id")
    settings = call.settings()
    with wiring.driver(settings) as (driver, _):
        remains = _may_go(settings, driver, app)
        call.tell(f"To be deleted of {app}, for ever:")
        for line in _lines(remains, measured(settings, driver, remains.volumes)):
            call.tell(f"  {line}")
        left = _left_alone(settings, remains)
        for line in left:
            call.tell(f"Left alone: {line}")
        if not yes:
            _ask(call, app)
            if _may_go(settings, driver, app) != remains:
                raise ConfigurationError(
                    f"cannot purge {app}: what there is of it changed meanwhile; look again"
                )
        _delete(settings, driver, remains)
    if call.json:
        call.print_json(_document(remains, left))
    call.tell(f"The data of {app} is deleted.")


def _may_go(settings: "Settings", driver: "Driver", app: str) -> "Remains":
    """Look at everything anew; ConfigurationError says why it may not go."""
    from reconciler import wiring
    from reconciler.core.purging import Remains, refusal

    found = driver.volumes()
    own = tuple(v for v in found if v.app == app)
    named = f"{settings.instance}-{app}-"
    try:
        kept = wiring.leftovers(settings).of(app)
    except OSError as error:
        raise _unreadable(app, error) from error
    remains = Remains(
        app,
        own,
        kept,
        {v.name: driver.volume_users(v.name) for v in own},
        tuple(v.name for v in found if not v.app and v.name.startswith(named)),
    )
    if why := refusal(remains, wiring.desired(settings), driver.observe()):
        raise ConfigurationError(why)
    return remains


def _lines(remains: "Remains", sizes: "Mapping[str, int]") -> "Iterator[str]":
    from reconciler.model.quantities import size_text

    for volume in remains.volumes:
        size = sizes.get(volume.name)
        yield f"volume {volume.name}" + ("" if size is None else f" ({size_text(size)})")
    kept = remains.kept
    yield from (f"secret {name}" for name in kept.secrets)
    if kept.copies:
        yield f"{kept.copies} copied from files that others share"
    if kept.pins:
        yield f"what {counted(kept.pins, 'image')} of it meant"
    if kept.documents:
        yield f"{counted(kept.documents, 'document')} from when it was desired"


def _left_alone(settings: "Settings", remains: "Remains") -> list[str]:
    left = [f"volume {name}, which does not carry our label" for name in remains.foreign]
    folder: Path = settings.data_dir / remains.app
    if folder.is_dir():
        left.append(f"{folder}, a folder of this box that was mounted")
    return left


def _ask(call: Call, app: str) -> None:
    """Have the name typed; a machine has to say --yes."""
    if call.json:
        raise ConfigurationError("cannot ask with --output json: say --yes if this is meant")
    if not interactive():
        raise ConfigurationError("cannot ask where nobody is: say --yes if this is meant")
    if str(typer.prompt("Type the name of the app to go on")).strip() != app:
        raise ConfigurationError("That is another name: nothing is deleted.")


def _delete(settings: "Settings", driver: "Driver", remains: "Remains") -> None:
    """Volumes first, and what they hang on when they are all gone."""
    from reconciler import wiring
    from reconciler.report.event import Level

    app = remains.app
    record(settings, "purge", app, "; ".join(_lines(remains, {})))
    gone: list[str] = []
    try:
        for volume in remains.volumes:
            driver.remove_volume(volume.name)
            gone.append(volume.name)
        wiring.leftovers(settings).forget(app)
    except (DriverError, OSError) as error:
        why = str(error) if isinstance(error, DriverError) else _unreadable(app, error)
        told = f"{why}; deleted before that: {', '.join(gone) or 'nothing'}"
        _write_down(settings, app, "PurgeFailed", told, Level.ERROR)
        raise ConfigurationError(f"{told}. Say it again when that is mended.") from error
    told = "; ".join(_lines(remains, {}))
    _write_down(settings, app, "Purged", f"deleted by the operator: {told}", Level.WARNING)


def _write_down(settings: "Settings", app: str, reason: str, told: str, level: "Level") -> None:
    from reconciler import wiring
    from reconciler.report.event import Event, EventKind
    from reconciler.report.journal import Journal

    def warn(text: str) -> None:
        typer.echo(text, err=True)

    event = Event(app, EventKind.PURGE, reason, told, SystemClock().now(), level)
    Journal(wiring.journal_path(settings), warn).told((event,))


def _unreadable(app: str, error: OSError) -> ConfigurationError:
    why = (error.strerror or type(error).__name__).lower()
    return ConfigurationError(
        f"cannot purge {app}: what the state folder keeps of it cannot be used: {why}"
    )


def _document(remains: "Remains", left: list[str]) -> dict[str, object]:
    kept = remains.kept
    return {
        "app": remains.app,
        "volumes": [v.name for v in remains.volumes],
        "secrets": list(kept.secrets),
        "copies": kept.copies,
        "pins": kept.pins,
        "documents": kept.documents,
        "left_alone": left,
    }
