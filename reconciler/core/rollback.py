"""
What is desired instead of an update that failed, and what is told of updates. Pure.

An update that failed is written down by its content. From then on the last good revision stands in
for what is written, until that changes or the operator asks for another try: whatever holds for a
desired app holds for it.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.core import digest, looping, pins
from reconciler.core.comparison import Comparison
from reconciler.core.decide import Decision
from reconciler.core.judging import (
    attempts_of,
    due_at,
    late_at,
    may_roll_back,
    still_runs,
)
from reconciler.core.revisions import is_revision, proven_at, standing_in
from reconciler.core.situation import Situation
from reconciler.model.change import Action, Change, Reason
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.evidence import Evidence
from reconciler.model.revision import FailedRevision

TOO_LATE = "did not become healthy in time; edit the manifest, its log may say why"
_FORWARD = frozenset({Action.INSTALL, Action.UPDATE, Action.START})


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
        if failure is not None and may_roll_back(spec)
    }
    return replace(desired, apps={**desired.apps, **stand_ins}) if stand_ins else desired


def way_back(situation: Situation, comparison: Comparison) -> bool:
    """Whether what keeps failing is an update that will be judged: nobody has to act for now."""
    spec = comparison.spec
    good = situation.evidence.good.get(spec.id)
    return (
        good is not None
        and may_roll_back(spec)
        and not spec.rolled_back
        and not comparison.to_create()
        and not still_runs(comparison)
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
        due = due_at(situation, comparison)
        attempts = attempts_of(situation, comparison)
        moments += [m for m in (due, late_at(comparison, attempts, due)) if m > situation.now]
        late = situation.now >= due and change.reason in {Reason.STARTING, Reason.UNHEALTHY}
        # Where there is a way back it is still on its way; else a person has to act, and the
        # words stay the same, whatever is tried meanwhile.
        if late and not way_back(situation, comparison):
            change = replace(change, reason=Reason.HEALTH_DEADLINE, message=TOO_LATE)
    known = [moment for moment in moments if moment is not None]
    return Decision(change, min(known, default=None))


def _worded(comparison: Comparison, change: Change) -> Change:
    back = comparison.spec.rolled_back
    idle = change.action is Action.KEEP and change.reason is Reason.IN_SYNC
    if back and idle:
        return replace(change, reason=Reason.ROLLED_BACK, message=back)
    if back and change.reason is Reason.PREVIOUS_SUPERSEDED:
        message = "the revision before serves again, the failed one is removed"
        return replace(change, action=Action.ROLLBACK, reason=Reason.ROLLED_BACK, message=message)
    if back and comparison.outdated and change.acts and change.action in _FORWARD:
        return replace(change, action=Action.ROLLBACK, reason=Reason.ROLLED_BACK, message=back)
    if idle and comparison.outdated:
        message = "the new revision serves; the one before is kept until that has proved itself"
        return replace(change, reason=Reason.PREVIOUS_KEPT, message=message)
    return change


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
    """Return the good revision, saying why it is not what is written."""
    message = (
        f"the update to {_named(spec, failure)} failed and was rolled back: {failure.why};"
        f" edit the manifest, or say `archipelago retry {spec.id}`"
    )
    return replace(standing_in(spec, good), rolled_back=message)


def _named(spec: AppSpec, failure: FailedRevision) -> str:
    version = f"{spec.version}, " if spec.version else ""
    images = sorted({image.removeprefix("sha256:")[:8] for _, image in failure.images if image})
    image = f", image {' '.join(images)}" if images else ""
    return f"{version}revision {digest.short(spec.digest)}{image}"
