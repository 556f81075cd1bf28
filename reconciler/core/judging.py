"""
When an update has failed. Pure.

All of it is made, the one before stands still, and it does not get ready.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from reconciler.core import backoff, digest
from reconciler.core.comparison import Comparison, asked_again, compare
from reconciler.core.revisions import is_revision
from reconciler.core.situation import Situation, by_app
from reconciler.model.desired import AppSpec
from reconciler.model.health import HealthState
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.revision import FailedRevision

REFUSALS = 2  # of a start, with nothing running meanwhile: the first may have been bad luck
_PROCESS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.ENDING})


class _Try(Struct, frozen=True):
    """An update that is under way: what it looks like, and what is known of earlier tries."""

    comparison: Comparison
    attempts: Attempts
    situation: Situation


def judged(situation: Situation, busy: Collection[str] = ()) -> dict[str, FailedRevision]:
    """
    Return the updates that have failed by now, and that something good could stand in for.

    Of an app that is `busy` nobody knows: what stands still may just be on its way.
    """
    containers = by_app(situation.observed)
    found: dict[str, FailedRevision] = {}
    for app in situation.evidence.good.keys() - set(busy):
        spec = situation.desired.apps.get(app)
        seen = containers.get(app, ())
        if spec is None or not may_roll_back(spec) or not seen:
            continue
        if spec.suspended or spec.left_alone:
            continue
        update = _update(situation, spec, seen)
        if update is None or _waits_for_others(situation, spec, containers):
            continue
        why = _why_failed(update)
        if why:
            found[app] = FailedRevision(digest.content(spec), _images(update.comparison), why)
    return found


def may_roll_back(spec: AppSpec) -> bool:
    """Whether something else may stand in for a revision."""
    return spec.rollback and not spec.unsupported


def _update(
    situation: Situation,
    spec: AppSpec,
    seen: tuple[ObservedContainer, ...],
) -> _Try | None:
    """Return the update that waits to be judged: all is made, the one before stands still."""
    good = situation.evidence.good[spec.id]
    if is_revision(good, spec, seen):
        return None  # at rest, this is all that is asked
    comparison = _compared(situation, spec, seen)
    if comparison.to_create() or is_revision(good, spec, comparison.current.values()):
        return None
    if comparison.ready() or still_runs(comparison):
        return None
    return _Try(comparison, attempts_of(situation, comparison), situation)


def still_runs(comparison: Comparison) -> bool:
    """Whether the one before was not stopped yet: nothing is lost so far."""
    return any(c.state in _PROCESS for c in comparison.outdated)


def attempts_of(situation: Situation, comparison: Comparison) -> Attempts:
    """Return what was tried of this very revision."""
    known = situation.attempts.get(comparison.spec.id, Attempts())
    same = known.digest == comparison.spec.digest + comparison.pins()
    return known if same else Attempts()


def _compared(
    situation: Situation,
    spec: AppSpec,
    seen: tuple[ObservedContainer, ...],
) -> Comparison:
    networks = frozenset(n.name for n in situation.observed.networks)
    ledger = situation.evidence.pins
    found = compare(spec, seen, networks, situation.probes, situation.now, ledger)
    return asked_again(found, situation.evidence.retried.get(spec.id))


def _waits_for_others(
    situation: Situation,
    spec: AppSpec,
    containers: Mapping[str, tuple[ObservedContainer, ...]],
) -> bool:
    """Whether somebody else may be to blame: an app that it requires is not ready."""
    for app in (r.app for r in spec.requires if not r.optional):
        other, seen = situation.desired.apps.get(app), containers.get(app, ())
        if other is None:
            ready = any(c.state is ContainerState.RUNNING for c in seen)
        else:
            ready = not other.suspended and _compared(situation, other, seen).ready()
        if not ready:
            return True
    return False


def _why_failed(update: _Try) -> str:
    """Say why an update has failed; empty while it may still get ready."""
    comparison, attempts = update.comparison, update.attempts
    ended = [c for c in comparison.current.values() if _ended_badly(comparison, c)]
    stands = any(c.state not in _PROCESS for c in comparison.current.values())
    # What a job printed comes a moment after its end.
    words = update.situation.last_words
    if any(c.ref in words for c in comparison.failed_jobs()):
        return _told_ends(comparison.failed_jobs(), words)
    if stands and attempts.failures >= REFUSALS:
        return attempts.message
    again = [c for c in ended if _starts(attempts, c.container) >= backoff.LOOPS_AFTER]
    if again:
        return _told_ends(again, words)
    due = due_at(update.situation, comparison)
    if update.situation.now < due:
        return ""
    unhealthy = _told_health(comparison, HealthState.UNHEALTHY, "is unhealthy")
    if unhealthy:
        return unhealthy
    tried = [c for c in ended if _starts(attempts, c.container)]
    if tried:
        return _told_ends(tried, words)
    late = update.situation.now >= late_at(comparison, attempts, due) and _all_probed(update)
    if not late:
        return ""
    return _told_health(comparison, HealthState.STARTING, "did not become healthy in time")


def _starts(attempts: Attempts, name: str) -> int:
    """Return how often a container was started; what is kept from before may not have been."""
    return dict(attempts.by_container).get(name, 0 if attempts.by_container else attempts.starts)


def _ended_badly(comparison: Comparison, seen: ObservedContainer) -> bool:
    return seen.state is ContainerState.EXITED and not comparison.completed(seen.container)


def _told_ends(ended: Iterable[ObservedContainer], words: Mapping[str, str]) -> str:
    told = (
        f"{c.container} ended with exit code {c.exit_code}{words.get(c.ref, '')}"
        for c in sorted(ended, key=lambda c: c.container)
    )
    return "; ".join(told)


def _told_health(comparison: Comparison, state: HealthState, verb: str) -> str:
    told = (
        f"{name} {verb}: {health.message}" if health.message else f"{name} {verb}"
        for name, health in sorted(comparison.health.items())
        if health.state is state
    )
    return "; ".join(told)


def _all_probed(update: _Try) -> bool:
    """Whether all that is to become healthy was asked at all since it was started."""
    probes = update.situation.probes
    return all(
        (record := probes.get(seen.ref)) is not None
        and (record.pid, record.started_at) == (seen.pid, seen.started_at)
        and record.last_at is not None
        for name, seen in update.comparison.current.items()
        if update.comparison.health[name].state is HealthState.STARTING
    )


def due_at(situation: Situation, comparison: Comparison) -> datetime:
    """
    Return when an update has to be ready: so long after it was made, and the one before ended.

    An edit that makes no container, and a word of the operator, give it the same time anew.
    """
    spec = comparison.spec
    edited, asked = spec.manifest_changed_at, situation.evidence.retried.get(spec.id)
    moments = [c.created_at for c in comparison.current.values()]
    moments += [c.finished_at for c in comparison.outdated]
    moments += [min(moment, situation.now) for moment in (edited, asked) if moment]
    known = [moment for moment in moments if moment is not None]
    return max(known, default=situation.now) + timedelta(seconds=spec.health_deadline)


def late_at(comparison: Comparison, attempts: Attempts, due: datetime) -> datetime:
    """
    Return when what still starts is late: at the deadline.

    What was started only after that, the machine having been off or the app suspended, has as long
    again; being started once more for being unwell gives no more time.
    """
    again = [
        seen.started_at
        for name, seen in comparison.current.items()
        if comparison.health[name].state is HealthState.STARTING
        and seen.started_at is not None
        and seen.started_at >= due
        and _starts(attempts, name) <= 1
    ]
    deadline = timedelta(seconds=comparison.spec.health_deadline)
    return max(again) + deadline if again else due


def _images(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    return tuple((c.name, c.pin) for c in comparison.spec.containers)
