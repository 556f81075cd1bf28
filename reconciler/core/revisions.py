"""
Which revision of an app is the one to go back to. Pure.

A revision is good once it has served for its window. Until an app had one, the first that served
at all stands in: going back to what worked for a moment is better than staying with what does not.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from reconciler.core import pins
from reconciler.core.comparison import Comparison
from reconciler.core.situation import Situation
from reconciler.model.desired import AppSpec, Requirement
from reconciler.model.evidence import Evidence
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.origin import Origin
from reconciler.model.revision import Revision

Changes = Mapping[str, Revision | None]
_STARTS = 2  # a start and its first repair: more, and it does not last


def belongs(good: Revision, seen: ObservedContainer) -> bool:
    """Whether a container is one of a revision."""
    wanted = good.spec.container(seen.container)
    return (
        wanted is not None
        and wanted.digest == seen.digest
        and (not wanted.pin or wanted.pin == seen.image_digest)
    )


def standing_in(spec: AppSpec, good: AppSpec) -> AppSpec:
    """Return the good revision, with what was written since about everything but itself."""
    return replace(
        good,
        origin=spec.origin,
        manifest_changed_at=spec.manifest_changed_at,
        suspended=spec.suspended,
        suspended_until=spec.suspended_until,
        left_alone=spec.left_alone,
        requested=spec.requested,
        stale=spec.stale,
    )


def is_revision(good: Revision, spec: AppSpec, seen: Iterable[ObservedContainer]) -> bool:
    """Whether a spec is that revision, judged in the same way, and so are these containers."""
    return (
        good.spec.digest == spec.digest
        and _judged(good.spec) == _judged(spec)
        and all(belongs(good, each) for each in seen)
    )


def _judged(spec: AppSpec) -> object:
    """What decides whether it gets ready and is in no digest; asked in each pass, so cheap."""
    return [(c.name, c.health, c.restart, c.depends_on) for c in spec.containers]


def superseded(comparison: Comparison, evidence: Evidence) -> tuple[ObservedContainer, ...]:
    """
    Return what may go once the app serves: what is outdated, but not the way back.

    A double of what runs is no way back: it is where we are.
    """
    good = evidence.good.get(comparison.spec.id)
    if good is None or not comparison.spec.rollback or comparison.spec.rolled_back:
        return comparison.outdated
    here = {name for name, seen in comparison.current.items() if belongs(good, seen)}
    return tuple(c for c in comparison.outdated if c.container in here or not belongs(good, c))


def serving_since(situation: Situation, comparison: Comparison) -> datetime:
    """
    Return since when an app that is ready has served in this revision.

    It is told in the status, so a restart of the reconciler does not begin the count anew; and no
    revision serves before its containers were started.
    """
    told = situation.ready_since.get(comparison.spec.id, situation.now)
    started = [
        c.started_at
        for c in comparison.current.values()
        if c.started_at and c.state is ContainerState.RUNNING
    ]
    return max([told, *started])


def proven_at(situation: Situation, comparison: Comparison) -> datetime | None:
    """Return when time alone makes this revision the good one; None where it is, or cannot be."""
    spec = comparison.spec
    good = situation.evidence.good.get(spec.id)
    if spec.suspended or spec.rolled_back or not comparison.ready():
        return None
    if good is not None and good.proven and is_revision(good, spec, comparison.current.values()):
        return None
    return serving_since(situation, comparison) + situation.window


def to_remember(situation: Situation, comparisons: Mapping[str, Comparison]) -> Changes:
    """Return what has to be written down of good revisions; None: to be forgotten."""
    changes: dict[str, Revision | None] = dict.fromkeys(_gone(situation))
    for app, comparison in comparisons.items():
        due = proven_at(situation, comparison)
        good = situation.evidence.good.get(app)
        if due is not None and situation.now >= due:
            changes[app] = Revision(_kept(comparison))
        elif due is not None and good is None and _starts(situation, comparison) <= _STARTS:
            changes[app] = Revision(_kept(comparison), proven=False)
        elif good is not None and not good.proven and _fails(situation, comparison, good):
            changes[app] = None
    return changes


def _fails(situation: Situation, comparison: Comparison, good: Revision) -> bool:
    """Whether what served only for a moment turns out not to last."""
    spec = comparison.spec
    own = not spec.rolled_back and is_revision(good, spec, comparison.current.values())
    return own and _starts(situation, comparison) > _STARTS


def _starts(situation: Situation, comparison: Comparison) -> int:
    attempts = situation.attempts.get(comparison.spec.id, Attempts())
    tried = comparison.spec.digest + comparison.pins()
    return attempts.starts if attempts.digest == tried else 0


def _gone(situation: Situation) -> Iterable[str]:
    """An app that was removed begins anew when it comes back, with nothing to go back to."""
    desired, evidence = situation.desired, situation.evidence
    if not desired.complete:
        return ()
    known = desired.apps.keys() | desired.broken.keys() | situation.observed.apps()
    return sorted((evidence.good.keys() | evidence.failed.keys()) - known)


def _kept(comparison: Comparison) -> AppSpec:
    """Return the spec as it is to be run again: with its images, without what is of this day."""
    spec = comparison.spec
    containers = tuple(
        replace(c, pin=_image(comparison, c.name) if pins.has_tag_of_registry(c.image) else "")
        for c in spec.containers
    )
    return replace(
        spec,
        containers=containers,
        origin=Origin(spec.origin.file),
        manifest_changed_at=None,
        requested=True,
        stale=None,
        denial=None,
        requires=tuple(Requirement(r.app, r.optional, "", r.restart_with) for r in spec.requires),
    )


def _image(comparison: Comparison, name: str) -> str:
    seen = comparison.current.get(name)
    return seen.image_digest if seen else ""
