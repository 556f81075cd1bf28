"""
When an update has failed, and what is desired instead. Pure.

An update that failed is written down by its content. From then on the last good revision stands in
for what is written, until that changes or the operator asks for another try: whatever holds for a
desired app holds for it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core import backoff, digest, looping, pins
from reconciler.core.comparison import Comparison, compare
from reconciler.core.decide import Decision
from reconciler.core.revisions import is_revision, proven_at
from reconciler.core.situation import Situation, by_app
from reconciler.model.change import Action, Change, Reason
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.evidence import Evidence
from reconciler.model.health import HealthState
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.revision import FailedRevision

REFUSALS = 2  # of a start, with nothing running meanwhile: the first may have been bad luck
_FORWARD = frozenset({Action.INSTALL, Action.UPDATE, Action.START})
_PROCESS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.ENDING})


@dataclass(frozen=True, slots=True)
class _Try:
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
        if spec is None or spec.suspended or not _may_roll_back(spec) or not seen:
            continue
        update = _update(situation, spec, seen)
        if update is None or _waits_for_others(situation, spec, containers):
            continue
        why = _why_failed(update)
        if why:
            found[app] = FailedRevision(digest.content(spec), _images(update.comparison), why)
    return found


def with_failed(evidence: Evidence, failed: Mapping[str, FailedRevision]) -> Evidence:
    """Return the evidence with these failures among those that are known."""
    more = {app: (*evidence.failed.get(app, ()), what) for app, what in failed.items()}
    return replace(evidence, failed={**evidence.failed, **more}) if more else evidence


def effective(desired: Desired, evidence: Evidence) -> Desired:
    """Return what should run: for each revision that failed, the last good one in its place."""
    stand_ins = {
        app: _stand_in(spec, evidence.good[app].spec, failure)
        for app in sorted(evidence.failed.keys() & evidence.good.keys() & desired.apps.keys())
        for spec in [desired.apps[app]]
        for failure in [_failure(spec, evidence)]
        if failure is not None and _may_roll_back(spec)
    }
    return replace(desired, apps={**desired.apps, **stand_ins}) if stand_ins else desired


def way_back(situation: Situation, comparison: Comparison) -> bool:
    """Whether what keeps failing is an update that will be judged: nobody has to act for now."""
    spec = comparison.spec
    good = situation.evidence.good.get(spec.id)
    return (
        good is not None
        and _may_roll_back(spec)
        and not spec.rolled_back
        and not comparison.to_create()
        and not is_revision(good, spec, comparison.current.values())
    )


def told(situation: Situation, comparison: Comparison, decision: Decision) -> Decision:
    """Return a decision in the words of an update, and with the moments at which it is judged."""
    change, spec = _worded(comparison, decision.change), comparison.spec
    if change.reason is Reason.JOB_FAILED:
        message = change.message + looping.last_words(situation, comparison)
        change = replace(change, message=message)
    calmed_at = looping.calmed_at(situation, comparison)
    if calmed_at is not None and change.action is Action.KEEP:
        message = "was started once more; it counts as serving when it has for a while"
        change = replace(change, reason=Reason.STARTING, message=message)
    moments = [decision.look_again_at, proven_at(situation, comparison), calmed_at]
    if comparison.outdated and not comparison.ready() and not spec.rolled_back:
        due = _due(situation, comparison)
        moments += [m for m in (due, _fair(comparison)) if m and m > situation.now]
        late = situation.now >= due and change.reason is Reason.STARTING
        # Where there is a way back it is still on its way; else a person has to act.
        if late and not way_back(situation, comparison):
            change = replace(change, reason=Reason.HEALTH_DEADLINE, message=_late(comparison))
    known = [moment for moment in moments if moment is not None]
    return Decision(change, min(known, default=None))


def _worded(comparison: Comparison, change: Change) -> Change:
    back = comparison.spec.rolled_back
    idle = change.action is Action.KEEP and change.reason is Reason.IN_SYNC
    if back and idle:
        return replace(change, reason=Reason.ROLLED_BACK, message=back)
    if back and comparison.outdated and change.acts and change.action in _FORWARD:
        return replace(change, action=Action.ROLLBACK, reason=Reason.ROLLED_BACK, message=back)
    if idle and comparison.outdated:
        message = "the new revision serves; the one before is kept until that has proved itself"
        return replace(change, reason=Reason.PREVIOUS_KEPT, message=message)
    return change


def _may_roll_back(spec: AppSpec) -> bool:
    return spec.rollback and not spec.unsupported


def _failure(spec: AppSpec, evidence: Evidence) -> FailedRevision | None:
    """
    Return how this very revision failed, if it did.

    An image that nobody remembers any more is taken for the one that failed: what is not known is
    no reason to try again.
    """
    content = digest.content(spec)
    images = {c.name: pins.written_down(c, evidence.pins) for c in spec.containers}
    for failure in reversed(evidence.failed[spec.id]):
        same = all(images.get(name, "") in {"", image} for name, image in failure.images if image)
        if failure.content == content and same:
            return failure
    return None


def _stand_in(spec: AppSpec, good: AppSpec, failure: FailedRevision) -> AppSpec:
    """Return the good revision, with what was written since about everything but containers."""
    message = (
        f"the update to {_named(spec, failure)} failed and was rolled back: {failure.why};"
        f" edit the manifest, or say `archipelago retry {spec.id}`"
    )
    return replace(
        good,
        origin=spec.origin,
        manifest_changed_at=spec.manifest_changed_at,
        suspended=spec.suspended,
        requested=spec.requested,
        stale=spec.stale,
        rolled_back=message,
    )


def _named(spec: AppSpec, failure: FailedRevision) -> str:
    version = f"{spec.version}, " if spec.version else ""
    images = sorted({image.removeprefix("sha256:")[:8] for _, image in failure.images if image})
    image = f", image {' '.join(images)}" if images else ""
    return f"{version}revision {digest.short(spec.digest)}{image}"


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
    if comparison.ready() or any(c.state in _PROCESS for c in comparison.outdated):
        return None
    attempts = situation.attempts.get(spec.id, Attempts())
    same = attempts.digest == comparison.spec.digest + comparison.pins()
    return _Try(comparison, attempts if same else Attempts(), situation)


def _compared(
    situation: Situation,
    spec: AppSpec,
    seen: tuple[ObservedContainer, ...],
) -> Comparison:
    networks = frozenset(n.name for n in situation.observed.networks)
    ledger = situation.evidence.pins
    found = compare(spec, seen, networks, situation.probes, situation.now, ledger)
    return replace(found, retried_at=situation.evidence.retried.get(spec.id))


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
    if update.situation.now < _due(update.situation, comparison):
        return ""
    unhealthy = _told_health(comparison, HealthState.UNHEALTHY, "is unhealthy")
    if unhealthy:
        return unhealthy
    tried = [c for c in ended if _starts(attempts, c.container)]
    if tried:
        return _told_ends(tried, words)
    fair = _fair(comparison)
    if fair is None or update.situation.now < fair or not _all_probed(update):
        return ""
    return _late(comparison)


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


def _late(comparison: Comparison) -> str:
    return _told_health(comparison, HealthState.STARTING, "did not become healthy in time")


def _due(situation: Situation, comparison: Comparison) -> datetime:
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


def _fair(comparison: Comparison) -> datetime | None:
    """Return until when what was started last has to be waited for, whenever it was made."""
    started = [
        seen.started_at
        for name, seen in comparison.current.items()
        if comparison.health[name].state is HealthState.STARTING and seen.started_at
    ]
    deadline = timedelta(seconds=comparison.spec.health_deadline)
    return max(started) + deadline if started else None


def _images(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    return tuple((c.name, c.pin) for c in comparison.spec.containers)
