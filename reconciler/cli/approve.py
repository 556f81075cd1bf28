"""`archipelago approve APP`: the operator's word on what an app asks for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli import desired, prompt
from reconciler.cli.call import Call
from reconciler.cli.desired import kept_document
from reconciler.cli.on_record import record_if_possible
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from reconciler.committing import Place
    from reconciler.config import Settings
    from reconciler.core.requests import Request
    from reconciler.model.desired import Desired
    from reconciler.model.snapshot import Snapshot

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needs the hash.")]
Accepted = Annotated[
    list[str] | None,
    typer.Option("--accept-permissions", metavar="HASH", help="What was read: its hash."),
]


def approve(
    call: Call,
    app: Annotated[str, typer.Argument(help="The app.")],
    yes: Yes = False,
    accept_permissions: Accepted = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the word back.")] = False,
) -> None:
    """Show what an app asks for, and let it have that."""
    with desired.written(call) as place:
        snapshot = desired.read(place.settings)
        if revoke:
            return _revoke(call, place, snapshot, app)
        return _approve(call, place, snapshot, app, (accept_permissions or [], yes))


def _approve(
    call: Call,
    place: "Place",
    snapshot: "Snapshot",
    app: str,
    word: tuple[list[str], bool],
) -> None:
    settings, (accepted, yes) = place.settings, word
    request = _request(settings, snapshot, app)
    prompt.agree(call, [request], accepted, yes=yes, nothing="nothing was approved")
    files = prompt.write(settings, [request])
    kept = place.keep(f"Approve {app}", files)
    wrote = [place.shown(file) for file in files]
    if call.json:
        told = {"file": next(iter(wrote), None), "changed": bool(files)}
        call.print_json(prompt.request_document(request) | told | kept_document(kept))
        return
    if files:
        call.tell(f"Wrote {wrote[0]}: {app} may do that; the loop goes on.")
    else:
        call.tell(f"{app} asks for nothing that is not approved.")
    if kept.notice:
        call.tell(kept.notice)


def _request(settings: "Settings", snapshot: "Snapshot", app: str) -> "Request":
    from reconciler import wiring

    found = wiring.desired(settings, snapshot)
    if app not in found.apps:
        desired.check_wanted(snapshot, app)
        raise ConfigurationError(f"cannot approve {app}: {found.broken[app]}")
    [request] = prompt.requests(settings, found, [app])
    if request.missing:
        _check_elsewhere(settings, found, app)
    return request


def _check_elsewhere(settings: "Settings", found: "Desired", app: str) -> None:
    """What was written elsewhere is the operator's; beside it, this word would not count."""
    from reconciler.sources import edit

    own = edit.approval_file(settings.desired_state, app)
    for approval in found.approvals.get(app, ()):
        if Path(approval.origin.file) != own:
            raise ConfigurationError(
                f"cannot approve {app}: there is an approval already, {approval.origin}, that does"
                f" not cover it; `archipelago approve {app} --revoke` takes it away",
            )


def _revoke(call: Call, place: "Place", snapshot: "Snapshot", app: str) -> None:
    from reconciler import wiring
    from reconciler.sources import edit

    settings = place.settings
    if app in wiring.desired(settings, snapshot).approvals:
        record_if_possible(settings, "approve --revoke", app)
    done = [edit.revoke(file, app) for file in desired.files_of(snapshot, app)]
    edits = [e for e in done if e is not None]
    if not edits:
        desired.check_wanted(snapshot, app)
    kept = place.keep(f"Revoke the approval of {app}", [e.file for e in edits])
    if call.json:
        files = [{"file": place.shown(e.file), "deleted": e.deleted} for e in edits]
        told = {"app": app, "files": files, "changed": bool(edits)}
        call.print_json(told | kept_document(kept))
        return
    if edits:
        call.tell(
            f"The approval of {app} is revoked: what runs goes on, unless the policy stops it."
        )
    else:
        call.tell(f"{app} is not approved.")
    if kept.notice:
        call.tell(kept.notice)
