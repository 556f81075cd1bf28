"""`archipelago remove APP`: takes the app's documents out of the desired directory."""

from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from reconciler.cli import desired
from reconciler.cli.call import Call
from reconciler.cli.desired import kept_document
from reconciler.cli.on_record import record_if_possible
from reconciler.cli.words import plain
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from reconciler.committing import Place
    from reconciler.config import Settings
    from reconciler.model.desired import Desired
    from reconciler.model.snapshot import Snapshot


def remove(
    call: Call,
    app: Annotated[str, typer.Argument(help="The app.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Even if other apps need it."),
    ] = False,
) -> None:
    """Stop wanting an app: its containers go, its volumes stay."""
    with desired.written(call) as place:
        _remove(call, place, app, force=force)


def _remove(call: Call, place: "Place", app: str, *, force: bool) -> None:
    from reconciler import wiring
    from reconciler.sources import edit

    settings = place.settings
    snapshot = desired.read(settings)
    found = wiring.desired(settings, snapshot)
    _check_requested(found, app)
    desired.check_wanted(snapshot, app)
    needed_by = dependants(found, app)
    if needed_by and not force:
        raise ConfigurationError(
            f"cannot remove {app}: it is required by {', '.join(needed_by)}; remove that first, "
            "or use --force (it then stays until nobody needs it)",
        )
    going = [app, *_goes_with(settings, snapshot, found, app)]
    record_if_possible(settings, "remove", app)
    _give_word(settings, going, last=desired.wanted(snapshot) == {app})
    done = [edit.remove_app(file, app) for file in desired.files_of(snapshot, app)]
    edits = [e for e in done if e is not None]
    kept = place.keep(f"Remove {app}", [e.file for e in edits])
    waits = desired.waits(snapshot, SystemClock().now(), removal=True)
    alerts = [spec.alert_uninstall for name in going if (spec := found.apps.get(name))]
    if call.json:
        files = [{"file": place.shown(e.file), "deleted": e.deleted} for e in edits]
        told: dict[str, object] = {
            "app": app,
            "files": files,
            "needed_by": needed_by,
            "waits": waits,
        }
        told |= {"goes_with": going[1:], "alerts": [a for a in alerts if a]}
        call.print_json(told | kept_document(kept))
        return
    for alert in filter(None, alerts):
        call.tell(plain(alert))
    for e in edits:
        call.tell(f"{'Deleted' if e.deleted else 'Cut it out of'} {place.shown(e.file)}")
    also = f", and {', '.join(going[1:])}, which nobody else requires" if going[1:] else ""
    call.tell(f"The loop removes {app}{also}; its volumes stay.")
    call.tell(f"`archipelago purge {app}` deletes its data as well, when it is gone.")
    for line in filter(None, (waits, kept.notice)):
        call.tell(line)


def _goes_with(
    settings: "Settings",
    snapshot: "Snapshot",
    found: "Desired",
    app: str,
) -> list[str]:
    """Return what was installed for the app alone."""
    from reconciler import wiring

    rest = replace(snapshot, documents=tuple(d for d in snapshot.documents if d.app != app))
    left = wiring.desired(settings, rest).apps
    return sorted(a for a, spec in found.apps.items() if not spec.requested and a not in left)


def dependants(found: "Desired", app: str) -> list[str]:
    """Return the desired apps that cannot do without the app."""
    return sorted(
        spec.id
        for spec in found.apps.values()
        if spec.id != app and any(r.app == app and not r.optional for r in spec.requires)
    )


def _check_requested(found: "Desired", app: str) -> None:
    """An app that is there for others is in no document: it goes with them."""
    spec = found.apps.get(app)
    if spec is not None and not spec.requested:
        needed_by = ", ".join(dependants(found, app))
        raise ConfigurationError(
            f"cannot remove {app}: it was installed because {needed_by} requires it;"
            f" remove {needed_by}, and it goes as well",
        )


def _give_word(settings: "Settings", going: list[str], *, last: bool) -> None:
    """Write down that these removals are meant: the guard against accidents lets them pass."""
    from reconciler import wiring
    from reconciler.security.evidence import confirm_removals

    file, now = wiring.confirmation_path(settings), SystemClock().now()
    try:
        confirm_removals(file, frozenset(going), now)
    except OSError as error:
        if last:
            why = (error.strerror or type(error).__name__).lower()
            raise ConfigurationError(
                f"cannot remove {going[0]}: it is the last one, and the word that this is meant "
                f"cannot be written to {file}: {why}",
            ) from error
