"""`archipelago remove APP`: takes the app's documents out of the desired directory."""

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli import desired
from reconciler.cli.call import Call
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from reconciler.config import Settings
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
    from reconciler.sources import edit

    settings = call.settings()
    snapshot = desired.read(settings)
    desired.check_wanted(snapshot, app)
    needed_by = dependants(settings, snapshot, app)
    if needed_by and not force:
        raise ConfigurationError(
            f"cannot remove {app}: it is required by {', '.join(needed_by)}; remove that first, "
            "or use --force (it then stays until nobody needs it)",
        )
    _give_word(settings, app, last=desired.wanted(snapshot) == {app})
    done = [edit.remove_app(file, app) for file in desired.files_of(snapshot, app)]
    edits = [e for e in done if e is not None]
    notice = desired.commit_notice(settings.desired_state)
    if call.json:
        files = [{"file": str(e.file), "deleted": e.deleted} for e in edits]
        call.print_json({"app": app, "files": files, "needed_by": needed_by, "notice": notice})
        return
    for e in edits:
        call.tell(f"{'Deleted' if e.deleted else 'Cut it out of'} {e.file}")
    call.tell(f"The loop removes {app}; its volumes stay.")
    if notice:
        call.tell(notice)


def dependants(settings: "Settings", snapshot: "Snapshot", app: str) -> list[str]:
    """Return the desired apps that cannot do without the app."""
    from reconciler import wiring
    from reconciler.core.resolve import Platform, resolve

    catalogue = wiring.documents(settings.catalogue)
    found = resolve(snapshot, catalogue, Platform(settings.instance)).apps
    return sorted(
        spec.id
        for spec in found.values()
        if spec.id != app and any(r.app == app and not r.optional for r in spec.requires)
    )


def _give_word(settings: "Settings", app: str, *, last: bool) -> None:
    """Write down that this removal is meant, so that the guard against accidents lets it pass."""
    from reconciler import wiring
    from reconciler.security.evidence import confirm_removals, confirmed_removals

    file, now = wiring.confirmation_path(settings), SystemClock().now()
    try:
        confirm_removals(file, confirmed_removals(file, now) | {app}, now)
    except OSError as error:
        if last:
            why = (error.strerror or type(error).__name__).lower()
            raise ConfigurationError(
                f"cannot remove {app}: it is the last one, and the word that this is meant "
                f"cannot be written to {file}: {why}",
            ) from error
