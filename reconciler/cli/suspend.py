"""`archipelago suspend APP` and `resume APP`: an app that stays installed and does not run."""

from typing import Annotated

import typer

from reconciler.cli import desired
from reconciler.cli.call import Call
from reconciler.errors import ConfigurationError

App = Annotated[str, typer.Argument(help="The app.")]


def suspend(call: Call, app: App) -> None:
    """Stop an app and keep it stopped, until it is resumed."""
    from reconciler.model.manifest.verbs import SuspendManifest
    from reconciler.sources import edit

    settings = call.settings()
    snapshot = desired.read(settings)
    desired.check_wanted(snapshot, app)
    known = [
        str(d.origin)
        for d in snapshot.documents
        if d.app == app and isinstance(d.manifest, SuspendManifest)
    ]
    known += desired.suspended_in_install(snapshot, app)
    file = None if known else edit.suspend(settings.desired_state, app)
    notice = desired.commit_notice(settings.desired_state) if file else ""
    if call.json:
        places = known or [str(file)]
        call.print_json({"app": app, "suspended": places, "changed": not known, "notice": notice})
    elif known:
        call.tell(f"{app} is suspended already, by {known[0]}")
    else:
        call.tell(f"Wrote {file}: the loop stops {app}, `archipelago resume {app}` starts it.")
        if notice:
            call.tell(notice)


def resume(call: Call, app: App) -> None:
    """Let a suspended app run again."""
    from reconciler.sources import edit

    settings = call.settings()
    snapshot = desired.read(settings)
    done = [edit.resume(file, app) for file in desired.files_of(snapshot, app)]
    edits = [e for e in done if e is not None]
    elsewhere = list(desired.suspended_in_install(snapshot, app))
    if elsewhere:
        raise ConfigurationError(
            f"cannot resume {app}: {elsewhere[0]} says `suspend: true`; "
            "that file is yours: take the line out",
        )
    if not edits:
        desired.check_wanted(snapshot, app)
    notice = desired.commit_notice(settings.desired_state) if edits else ""
    if call.json:
        files = [{"file": str(e.file), "deleted": e.deleted} for e in edits]
        call.print_json({"app": app, "files": files, "changed": bool(edits), "notice": notice})
        return
    call.tell(f"{app} is resumed: the loop starts it." if edits else f"{app} is not suspended.")
    if notice:
        call.tell(notice)
