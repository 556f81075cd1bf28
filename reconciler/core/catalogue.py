"""The catalogue: what apps can be installed, also where an entry is broken at the moment. Pure."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from msgspec import Struct

from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest
from reconciler.model.origin import Problem
from reconciler.model.snapshot import Snapshot


class Catalogue(Struct, frozen=True):
    """Entries by app; `stale` ones are the last good version of what is broken now."""

    documents: Mapping[str, Document]
    manifests: Mapping[str, AppManifest]
    stale: Mapping[str, Problem]
    broken: Mapping[str, Problem]
    snapshot: Snapshot


def catalogue_of(snapshot: Snapshot) -> Catalogue:
    """Return what is known: an app whose entry is broken now by its last good one."""
    documents: dict[str, Document] = {}
    manifests: dict[str, AppManifest] = {}
    stale: dict[str, Problem] = {}
    broken: dict[str, Problem] = {}
    for app, found in by_app(snapshot.documents).items():
        if len(found) > 1:
            broken[app] = doubled(app, found)
        elif isinstance(manifest := found[0].manifest, AppManifest):
            documents[app], manifests[app] = found[0], manifest
    for document in snapshot.last_good:
        app, manifest = document.app, document.manifest
        if app not in documents and isinstance(manifest, AppManifest):
            documents[app], manifests[app] = document, manifest
            stale[app] = why_stale(document, snapshot)
    for problem in snapshot.problems:
        if problem.app and problem.app not in documents:
            broken.setdefault(problem.app, problem)
    return Catalogue(documents, manifests, stale, broken, snapshot)


def by_app(documents: Iterable[Document]) -> dict[str, list[Document]]:
    """Return the documents that want an app, by app."""
    found: dict[str, list[Document]] = {}
    for document in documents:
        if isinstance(document.manifest, AppManifest | InstallManifest):
            found.setdefault(document.app, []).append(document)
    return found


def doubled(app: str, documents: list[Document]) -> Problem:
    """Say that an app is written more than once, and where."""
    places = sorted(d.origin for d in documents)
    told = " and ".join(str(place) for place in places)
    return Problem(
        places[-1],
        f"cannot use `{app}`: it is written in {told}",
        "an app may be written in one place only: remove one of them",
        app,
    )


def why_stale(document: Document, snapshot: Snapshot) -> Problem:
    """Say what is wrong with the file that this is the last good version of."""
    same_file = [p for p in snapshot.problems if p.origin.file == document.origin.file]
    own = [p for p in same_file if p.app == document.app]
    found = next(iter(own or same_file or snapshot.problems), None)
    return found or Problem(document.origin, "cannot be read now", "", document.app)


def not_in_catalogue(document: Document, catalogue: Catalogue) -> Problem:
    """Say why an app cannot be installed."""
    app = document.app
    if app in catalogue.broken:
        problem = catalogue.broken[app]
        message = f"cannot install `{app}`: its catalogue entry is broken: {problem}"
        return Problem(document.origin, message, "", app)
    near = get_close_matches(app, catalogue.documents, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "write an `app:` document instead"
    message = f"cannot install `{app}`: it is not in the catalogue"
    return Problem(document.origin, message, hint, app)
