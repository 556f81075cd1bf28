"""
From documents to specs: catalogue looked up, defaults filled in, names made. Pure.

What cannot be resolved is not an exception but a broken app with its problem, so that one bad
document never takes the others with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches

from reconciler.core.specs import Given, Platform, app_spec
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.origin import Problem
from reconciler.model.snapshot import Snapshot

__all__ = ["Platform", "resolve"]


@dataclass(slots=True)
class _Resolved:
    apps: dict[str, AppSpec] = field(default_factory=dict[str, AppSpec])
    broken: dict[str, Problem] = field(default_factory=dict[str, Problem])


def resolve(snapshot: Snapshot, catalogue: Snapshot, platform: Platform) -> Desired:
    """Return what should run on this box, and what could not be understood."""
    known = _catalogue(catalogue)
    resolved = _Resolved()
    by_id = _by_app(snapshot.documents)
    for app, documents in by_id.items():
        if len(documents) > 1:
            resolved.broken[app] = _doubled(app, documents)
        else:
            _resolve(documents[0], None, snapshot, known, platform, resolved)
    for document in snapshot.last_good:
        if document.app not in by_id:
            stale = _why_stale(document, snapshot)
            _resolve(document, stale, snapshot, known, platform, resolved)
    for problem in snapshot.problems:
        if problem.app and problem.app not in resolved.apps:
            resolved.broken.setdefault(problem.app, problem)
    suspended = {d.app for d in _suspensions(snapshot)}
    apps = {
        app: replace(spec, suspended=spec.suspended or app in suspended)
        for app, spec in resolved.apps.items()
        if app not in resolved.broken
    }
    return Desired(
        apps=apps,
        broken=resolved.broken,
        problems=_problems(snapshot, catalogue, resolved, known),
        broken_files=_broken_files(snapshot),
        complete=snapshot.complete,
        incomplete_because=snapshot.incomplete_because,
        in_catalogue=frozenset(known.documents),
    )


@dataclass(frozen=True, slots=True)
class _Catalogue:
    documents: Mapping[str, Document]
    stale: Mapping[str, Problem]
    broken: Mapping[str, Problem]
    snapshot: Snapshot


def _catalogue(snapshot: Snapshot) -> _Catalogue:
    """An app whose entry is broken now is still known by its last good one."""
    documents: dict[str, Document] = {}
    stale: dict[str, Problem] = {}
    broken: dict[str, Problem] = {}
    for app, found in _by_app(snapshot.documents).items():
        if len(found) > 1:
            broken[app] = _doubled(app, found)
        elif isinstance(found[0].manifest, AppManifest):
            documents[app] = found[0]
    for document in snapshot.last_good:
        if document.app not in documents and isinstance(document.manifest, AppManifest):
            documents[document.app] = document
            stale[document.app] = _why_stale(document, snapshot)
    for problem in snapshot.problems:
        if problem.app and problem.app not in documents:
            broken.setdefault(problem.app, problem)
    return _Catalogue(documents, stale, broken, snapshot)


def _resolve(
    document: Document,
    stale: Problem | None,
    snapshot: Snapshot,
    catalogue: _Catalogue,
    platform: Platform,
    resolved: _Resolved,
) -> None:
    """Add one document's app to what is resolved, or to what is broken."""
    manifest, suspended, place, contexts = document.manifest, False, document, snapshot.contexts
    given = Given(origin=document.origin)
    if isinstance(manifest, InstallManifest):
        suspended = manifest.suspend
        given = replace(given, parameters=manifest.parameters, places=document.places)
        entry = catalogue.documents.get(document.app)
        if entry is None or not isinstance(entry.manifest, AppManifest):
            resolved.broken[document.app] = _not_in_catalogue(document, catalogue)
            return
        manifest, place, contexts = entry.manifest, entry, catalogue.snapshot.contexts
        stale = stale or catalogue.stale.get(document.app)
    if not isinstance(manifest, AppManifest):
        return
    spec = app_spec(manifest, place.origin, contexts, platform, given)
    if isinstance(spec, Problem):
        resolved.broken[document.app] = spec
        return
    containers = tuple(replace(c, source=document.origin.file) for c in spec.containers)
    resolved.apps[document.app] = replace(
        spec,
        containers=containers,
        origin=document.origin,
        manifest_changed_at=_changed_at(document, place, snapshot, catalogue.snapshot),
        suspended=suspended,
        stale=stale,
    )


def _changed_at(
    document: Document,
    place: Document,
    snapshot: Snapshot,
    catalogue: Snapshot,
) -> datetime | None:
    """The later of the two files that say what the app is."""
    own, entry = document.origin.file, place.origin.file
    written = (snapshot.modified.get(own), catalogue.modified.get(entry))
    return max((at for at in written if at), default=None)


def _by_app(documents: Iterable[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for document in documents:
        if _wants(document):
            found.setdefault(document.app, []).append(document)
    return found


def _wants(document: Document) -> bool:
    return isinstance(document.manifest, AppManifest | InstallManifest)


def _suspensions(snapshot: Snapshot) -> Iterator[Document]:
    for document in (*snapshot.documents, *snapshot.last_good):
        if isinstance(document.manifest, SuspendManifest):
            yield document


def _doubled(app: str, documents: list[Document]) -> Problem:
    places = sorted(d.origin for d in documents)
    told = " and ".join(str(place) for place in places)
    return Problem(
        places[-1],
        f"cannot use `{app}`: it is written in {told}",
        "an app may be written in one place only: remove one of them",
        app,
    )


def _not_in_catalogue(document: Document, catalogue: _Catalogue) -> Problem:
    app = document.app
    if app in catalogue.broken:
        problem = catalogue.broken[app]
        return Problem(
            document.origin,
            f"cannot install `{app}`: its catalogue entry is broken: {problem}",
            "",
            app,
        )
    near = get_close_matches(app, catalogue.documents, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "write an `app:` document instead"
    message = f"cannot install `{app}`: it is not in the catalogue"
    return Problem(document.origin, message, hint, app)


def _why_stale(document: Document, snapshot: Snapshot) -> Problem:
    same_file = [p for p in snapshot.problems if p.origin.file == document.origin.file]
    own = [p for p in same_file if p.app == document.app]
    found = next(iter(own or same_file or snapshot.problems), None)
    return found or Problem(document.origin, "cannot be read now", "", document.app)


def _broken_files(snapshot: Snapshot) -> dict[str, Problem]:
    """A file with a problem that names no app may have held any app."""
    files: dict[str, Problem] = {}
    for problem in snapshot.problems:
        files.setdefault(problem.origin.file, problem)
    return files


def _problems(
    snapshot: Snapshot,
    catalogue: Snapshot,
    resolved: _Resolved,
    known: _Catalogue,
) -> tuple[Problem, ...]:
    """Return everything a person should mend, once, sorted by place."""
    found = {*snapshot.problems, *resolved.broken.values()}
    found |= {p for app, p in known.broken.items() if app in resolved.broken}
    wanted = (*snapshot.documents, *snapshot.last_good)
    if not catalogue.complete and any(isinstance(d.manifest, InstallManifest) for d in wanted):
        found |= set(catalogue.problems)
    found |= {
        Problem(
            d.origin, f"suspends `{d.app}`, which is not desired", "remove this document", d.app
        )
        for d in _suspensions(snapshot)
        if d.app not in resolved.apps and d.app not in resolved.broken
    }
    return tuple(sorted(found, key=str))
