"""`archipelago permissions APP|FILE`: what an app may do on this machine, in plain sentences."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from reconciler.cli.call import Call
from reconciler.cli.prompt import request_document, requests, unenforced
from reconciler.cli.words import plain, unknown_app
from reconciler.errors import ConfigurationError
from reconciler.model.permission import Risk

if TYPE_CHECKING:
    from reconciler.config import Settings
    from reconciler.core.requests import Request
    from reconciler.model.desired import Desired

_TITLES = {
    Risk.HOST: "as good as root of this machine",
    Risk.ELEVATED: "more than every app may do",
    Risk.BASELINE: "what every app may do",
}


def permissions(
    call: Call,
    app: Annotated[str, typer.Argument(metavar="APP|FILE", help="An app, or its manifest.")],
) -> None:
    """Print what an app may do on this machine, the riskiest first; what is new is marked."""
    settings = call.settings()
    desired, apps = _of_file(settings, Path(app)) if _is_file(app) else _of_app(settings, app)
    for one in apps:
        if one in desired.broken:
            raise ConfigurationError(str(desired.broken[one]))
    found = requests(settings, desired, apps)
    if call.json:
        call.print_json({"apps": [request_document(request) for request in found]})
        return
    for request in found:
        for line in (*_lines(request), *unenforced()):
            call.print(line)


def _is_file(text: str) -> bool:
    return "/" in text or text.endswith((".yml", ".yaml"))


def _of_file(settings: "Settings", file: Path) -> "tuple[Desired, list[str]]":
    """Return the apps that a file would install, as far as its questions can be guessed."""
    from reconciler import wiring
    from reconciler.core.catalogue import by_app

    if not file.is_file():
        raise ConfigurationError(f"cannot read {file}: there is no such file")
    snapshot = wiring.documents(file)
    if snapshot.problems:
        raise ConfigurationError("\n".join(str(problem) for problem in snapshot.problems))
    apps = sorted(by_app(snapshot.documents))
    if not apps:
        raise ConfigurationError(f"cannot say what {file} asks for: no app is in it")
    return wiring.desired(settings, snapshot, assumed=True), apps


def _of_app(settings: "Settings", app: str) -> "tuple[Desired, list[str]]":
    """Return an app that is desired, or one that could be installed."""
    from reconciler import wiring
    from reconciler.core.catalogue import catalogue_of
    from reconciler.model.snapshot import Snapshot

    there = settings.desired_state.is_dir()
    snapshot = wiring.documents(settings.desired_state) if there else Snapshot()
    desired = wiring.desired(settings, snapshot)
    if app in desired.apps or app in desired.broken:
        return desired, [app]
    known = catalogue_of(wiring.documents(settings.catalogue))
    if app not in known.documents:
        raise ConfigurationError(unknown_app(app, {*desired.apps, *known.documents}))
    alone = replace(snapshot, documents=(known.documents[app],))
    return wiring.desired(settings, alone, assumed=True), [app]


def _lines(request: "Request") -> Iterator[str]:
    from reconciler.core.risks import sentence

    yield f"{plain(request.name)} ({request.app})"
    for harm, title in _TITLES.items():
        found = [p for p, its in request.permissions if its is harm]
        if found:
            yield f"  {title}:"
        for permission in sorted(found, key=lambda p: p not in request.new):
            mark = "+" if permission in request.new else "-"
            word = ", not approved" if permission in request.missing else ""
            yield f"    {mark} {plain(sentence(permission))}{word}"
    if request.gone:
        yield "  no longer:"
        yield from (f"    {plain(sentence(permission))}" for permission in request.gone)
    yield from (f"  {plain(denial)}" for denial in request.denials)
    if request.missing:
        yield f"  `archipelago approve {request.app}` asks for your word; hash: {request.hash}"
