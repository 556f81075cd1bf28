"""
What the operator keeps stopped, or as it is, at a given moment. Pure: the moment is an argument.

Of several words on one app, one that stops it is stronger than one that leaves it as it is, and
the last to end counts.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from reconciler.model.desired import AppSpec, Desired, Suspension
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest

EVERY = ""  # the name under which a suspension of all apps is kept
BEGINNING = datetime.min.replace(tzinfo=UTC)  # when all that is written is in force


def written(documents: Iterable[Document]) -> dict[str, tuple[Suspension, ...]]:
    """Return all suspensions in these documents, by app."""
    found: dict[str, tuple[Suspension, ...]] = {}
    for document in documents:
        said = document.manifest
        if isinstance(said, SuspendManifest):
            own = Suspension(said.until, said.keep_running)
        elif isinstance(said, InstallManifest) and said.suspend:
            own = Suspension()
        else:
            continue
        found[document.app] = (*found.get(document.app, ()), own)
    return found


def as_of(desired: Desired, now: datetime) -> Desired:
    """Return what should be at a moment: with the suspensions that are in force then."""
    if not desired.suspensions:
        return desired
    apps = {app: _as_of(spec, in_force(desired, app, now)) for app, spec in desired.apps.items()}
    return replace(desired, apps=apps)


def in_force(desired: Desired, app: str, now: datetime) -> Suspension | None:
    """Return what counts for an app at a moment, desired or not."""
    active = [s for s in _about(desired, app) if s.until is None or now < s.until]
    if not active:
        return None
    ends = [s.until for s in active if s.until is not None]
    until = max(ends) if len(ends) == len(active) else None
    return Suspension(until, keep_running=all(s.keep_running for s in active))


def ends(desired: Desired, now: datetime) -> Iterator[datetime]:
    """Yield the moments at which a suspension ends."""
    for suspensions in desired.suspensions.values():
        yield from (s.until for s in suspensions if s.until is not None and now < s.until)


def told(until: datetime | None, *, keep_running: bool) -> str:
    """Say it in words that stay the same for as long as it does."""
    what = "left as it is" if keep_running else "suspended"
    return f"{what} by the operator" + (f" until {_shown(until)}" if until else "")


def _about(desired: Desired, app: str) -> tuple[Suspension, ...]:
    every = desired.suspensions.get(EVERY, ())
    return (*desired.suspensions.get(app, ()), *every)


def _as_of(spec: AppSpec, word: Suspension | None) -> AppSpec:
    return replace(
        spec,
        suspended=word is not None and not word.keep_running,
        left_alone=word is not None and word.keep_running,
        suspended_until=word.until if word else None,
    )


def _shown(moment: datetime) -> str:
    seconds = ":%S" if moment.second else ""
    return moment.strftime(f"%Y-%m-%d %H:%M{seconds} UTC")
