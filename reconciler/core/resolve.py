"""
From documents to specs: catalogue looked up, dependencies added, defaults filled in. Pure.

What cannot be resolved is not an exception but a broken app with its problem, so that one bad
document never takes the others with it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core import approvals, suspension
from reconciler.core.catalogue import (
    Catalogue,
    by_app,
    catalogue_of,
    doubled,
    not_in_catalogue,
    why_stale,
)
from reconciler.core.providers import Needs, needs_of
from reconciler.core.specs import Given, Platform, app_spec, provided
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.origin import Problem
from reconciler.model.snapshot import Snapshot
from reconciler.model.version_range import admits

__all__ = ["Platform", "resolve"]


class _Entry(Struct, frozen=True):
    """One app that should be: what it is, where that is written, and who asked for it."""

    manifest: AppManifest
    document: Document  # that asks for it
    place: Document  # that says what it is
    catalogued: bool = False
    stale: Problem | None = None
    requested: bool = True

    @property
    def given(self) -> Given:
        asked = self.document.manifest
        if not isinstance(asked, InstallManifest):
            return Given(origin=self.document.origin)
        return Given(
            parameters=asked.parameters,
            places=self.document.places,
            origin=self.document.origin,
            overrides=asked.overrides,
        )


class _Resolved(Struct):
    entries: dict[str, _Entry] = field(default_factory=dict[str, _Entry])
    apps: dict[str, AppSpec] = field(default_factory=dict[str, AppSpec])
    broken: dict[str, Problem] = field(default_factory=dict[str, Problem])


def resolve(snapshot: Snapshot, catalogue: Snapshot, platform: Platform) -> Desired:
    """Return what should run on this box, and what could not be understood."""
    known = catalogue_of(catalogue)
    resolved = _Resolved()
    _want(snapshot, known, resolved)
    wanted = {app: entry.manifest for app, entry in resolved.entries.items()}
    needs = needs_of(wanted, known.manifests, resolved.broken.keys() - wanted.keys())
    for app in needs.more:
        resolved.entries[app] = _of_catalogue(known, known.documents[app], requested=False)
    for app in resolved.entries:
        _specify(app, snapshot, known, platform, needs, resolved)
    desired = Desired(
        apps={app: spec for app, spec in resolved.apps.items() if app not in resolved.broken},
        broken=resolved.broken,
        problems=_problems(snapshot, catalogue, resolved, known),
        broken_files=_broken_files(snapshot),
        complete=snapshot.complete,
        incomplete_because=snapshot.incomplete_because,
        suspensions=suspension.written((*snapshot.documents, *snapshot.last_good)),
        approvals=approvals.written((*snapshot.documents, *snapshot.last_good)),
    )
    return suspension.as_of(desired, suspension.BEGINNING)


def _want(snapshot: Snapshot, known: Catalogue, resolved: _Resolved) -> None:
    """Collect what is asked for by a document, of now or of before."""
    by_id = by_app(snapshot.documents)
    for app, documents in by_id.items():
        if len(documents) > 1:
            resolved.broken[app] = doubled(app, documents)
        else:
            _enter(documents[0], None, known, resolved)
    for document in snapshot.last_good:
        if document.app not in by_id:
            _enter(document, why_stale(document, snapshot), known, resolved)
    for problem in snapshot.problems:
        if problem.app and problem.app not in resolved.entries:
            resolved.broken.setdefault(problem.app, problem)


def _enter(
    document: Document,
    stale: Problem | None,
    known: Catalogue,
    resolved: _Resolved,
) -> None:
    app, asked = document.app, document.manifest
    if isinstance(asked, AppManifest):
        resolved.entries[app] = _Entry(asked, document, document, stale=stale)
    elif isinstance(asked, InstallManifest):
        manifest = known.manifests.get(app)
        if manifest is None:
            resolved.broken[app] = not_in_catalogue(document, known)
        elif problem := _wrong_version(document, asked, manifest):
            resolved.broken[app] = problem
        else:
            entry = _of_catalogue(known, document)
            resolved.entries[app] = replace(entry, stale=stale or entry.stale)


def _of_catalogue(known: Catalogue, document: Document, *, requested: bool = True) -> _Entry:
    app = document.app
    return _Entry(
        known.manifests[app],
        document,
        known.documents[app],
        catalogued=True,
        stale=known.stale.get(app),
        requested=requested,
    )


def _wrong_version(
    document: Document,
    asked: InstallManifest,
    manifest: AppManifest,
) -> Problem | None:
    if asked.version is None or (manifest.version and admits(asked.version, manifest.version)):
        return None
    has = f"has {manifest.version}" if manifest.version else "does not say its version"
    message = f"cannot install `{asked.app}` {asked.version}: the catalogue {has}"
    return Problem(document.origin, message, "ask for another version, or for any", asked.app)


def _specify(
    app: str,
    snapshot: Snapshot,
    known: Catalogue,
    platform: Platform,
    needs: Needs,
    resolved: _Resolved,
) -> None:
    """Make the spec of one app, or say what is wrong with it."""
    entry = resolved.entries[app]
    dependencies = {
        asked: provided(resolved.entries[by].manifest, resolved.entries[by].given, platform)
        for asked, by in needs.found[app].items()
        if by in resolved.entries
    }
    given = replace(entry.given, dependencies=dependencies, requirements=needs.requirements[app])
    contexts = known.snapshot.contexts if entry.catalogued else snapshot.contexts
    spec = app_spec(entry.manifest, entry.place.origin, contexts, platform, given)
    if isinstance(spec, Problem):
        resolved.broken[app] = spec
        return
    source = entry.document.origin.file
    resolved.apps[app] = replace(
        spec,
        containers=tuple(replace(c, source=source) for c in spec.containers),
        origin=entry.document.origin,
        manifest_changed_at=_changed_at(entry, snapshot, known.snapshot),
        stale=entry.stale,
        requested=entry.requested,
    )


def _changed_at(entry: _Entry, snapshot: Snapshot, catalogue: Snapshot) -> datetime | None:
    """The later of the two files that say what the app is."""
    own, place = entry.document.origin.file, entry.place.origin.file
    written = (snapshot.modified.get(own), catalogue.modified.get(place))
    return max((at for at in written if at), default=None)


def _suspensions(snapshot: Snapshot) -> Iterator[Document]:
    for document in (*snapshot.documents, *snapshot.last_good):
        if isinstance(document.manifest, SuspendManifest):
            yield document


def _broken_files(snapshot: Snapshot) -> Mapping[str, Problem]:
    """A file with a problem that names no app may have held any app."""
    files: dict[str, Problem] = {}
    for problem in snapshot.problems:
        files.setdefault(problem.origin.file, problem)
    return files


def _problems(
    snapshot: Snapshot,
    catalogue: Snapshot,
    resolved: _Resolved,
    known: Catalogue,
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
        if d.app and d.app not in resolved.apps and d.app not in resolved.broken
    }
    said = approvals.written(wanted)
    found |= {*approvals.problems(said, resolved.apps.keys() | resolved.broken.keys())}
    return tuple(sorted(found, key=str))
