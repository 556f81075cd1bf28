"""
The plan: one change for every app that is desired, broken or observed. Pure.

Rule 1  Total: each such app gets exactly one action.
Rule 2  Unreadable is not absent; losing much at once needs a word from the operator.
Rule 3  Removal needs proof, and what others need stays.
Rule 4  An app whose dependency is not ready waits; rings hold only themselves.
Rule 5  Gates guard what is new, never what stops or goes.
Rule 6  Digests decide replacing; the process decides running.
Rule 7  At rest nothing acts.

What the rules say of processes is completed by `isolation`: who may reach whom.
"""

from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from reconciler.core import (
    admission,
    backoff,
    gates,
    graph,
    looping,
    rollback,
    stopping,
    suspension,
    trusting,
)
from reconciler.core.basis import basis
from reconciler.core.comparison import Comparison, asked_again, compare
from reconciler.core.decide import Circumstances, Decision, decide
from reconciler.core.drift import with_repairs
from reconciler.core.isolation import unprotected, with_isolation
from reconciler.core.relations import Surroundings
from reconciler.core.removal import decide_removals
from reconciler.core.situation import Situation, by_app
from reconciler.model.change import Action, Change, Plan, Reason, StartContainer
from reconciler.model.desired import Desired
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, ObservedContainer

RECORD_AGAIN = timedelta(seconds=5)


def plan(situation: Situation, compared: Mapping[str, Comparison] | None = None) -> Plan:
    """Return what will be done to every app; `compared` spares comparing them twice."""
    containers = by_app(situation.observed)
    comparisons = compare_all(situation) if compared is None else compared
    decisions = {
        app: Decision(Change(app, Action.HOLD, Reason.MANIFEST_INVALID, str(problem)))
        for app, problem in situation.desired.broken.items()
    }
    decisions |= {
        app: Decision(change) for app, change in decide_removals(situation, containers).items()
    }
    ready = _ready(situation, comparisons, containers)
    around = Surroundings(situation)
    decisions = {app: _shut_in(app, decision, around) for app, decision in decisions.items()}
    decisions |= {
        app: _put_right(decision, comparisons[app], around)
        for app, decision in _decide_desired(situation, comparisons, containers, ready).items()
    }
    for app, decision in decisions.items():
        comparison = comparisons.get(app)
        if comparison is None or not looping.revived(situation, comparison, ready):
            decisions[app] = _patient(situation, decision, comparison)
        decisions[app] = _on_record(situation, decisions[app], comparison)
    moments = [d.look_again_at for d in decisions.values() if d.look_again_at]
    moments += suspension.ends(situation.desired, situation.now)
    changes = {app: decisions[app].change for app in sorted(decisions)}
    return Plan(
        changes=tuple(stopping.in_turn(changes, situation.desired.apps).values()),
        look_again_at=min(moments, default=None),
    )


def compare_all(situation: Situation) -> dict[str, Comparison]:
    """Set every desired app beside what runs of it."""
    containers = by_app(situation.observed)
    networks = frozenset(n.name for n in situation.observed.networks)
    return {
        app: asked_again(
            compare(
                trusting.guarded(spec, situation.evidence.trust),
                containers.get(app, ()),
                networks,
                situation.probes,
                situation.now,
                situation.evidence.pins,
            ),
            situation.evidence.retried.get(app),
        )
        for app, spec in situation.desired.apps.items()
    }


def _decide_desired(
    situation: Situation,
    comparisons: Mapping[str, Comparison],
    containers: dict[str, tuple[ObservedContainer, ...]],
    ready: Mapping[str, bool],
) -> dict[str, Decision]:
    apps = situation.desired.apps
    rings = graph.rings(
        {app: [r.app for r in s.requires if not r.optional] for app, s in apps.items()},
    )
    decisions: dict[str, Decision] = {}
    for app, comparison in comparisons.items():
        missing, not_ready = _dependencies(comparison, ready)
        circumstances = Circumstances(
            now=situation.now,
            evidence=situation.evidence,
            ring=rings.get(app, ()),
            missing=missing,
            not_ready=not_ready,
            restarted=_restarted(comparison, containers),
            volumes=tuple(v for v in situation.observed.volumes if v.app == app),
        )
        decided = decide(comparison, circumstances)
        worded = rollback.told(situation, comparison, decided)
        decisions[app] = admission.told(comparison.spec, worded)
    return decisions


def _put_right(decision: Decision, comparison: Comparison, around: Surroundings) -> Decision:
    change = with_isolation(decision.change, comparison, around)
    return replace(decision, change=with_repairs(change, comparison))


def _shut_in(app: str, decision: Decision, around: Surroundings) -> Decision:
    """What is held runs on, and runs on with rules."""
    change = None if decision.change.acts else unprotected(app, around)
    return replace(decision, change=change) if change else decision


def _ready(
    situation: Situation,
    comparisons: Mapping[str, Comparison],
    containers: dict[str, tuple[ObservedContainer, ...]],
) -> dict[str, bool]:
    """Return whether each app that is known is ready for those that require it."""
    ready = {app: _running(seen) for app, seen in containers.items()}
    ready |= dict.fromkeys(situation.desired.broken.keys() - ready.keys(), False)
    ready |= {app: c.ready() and not c.spec.suspended for app, c in comparisons.items()}
    return ready


def _dependencies(
    comparison: Comparison,
    ready: Mapping[str, bool],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which required apps are missing, and which are not ready; `ready` knows all apps."""
    required = sorted(r.app for r in comparison.spec.requires if not r.optional)
    missing = tuple(app for app in required if app not in ready)
    return missing, tuple(app for app in required if not ready.get(app, True))


def _restarted(
    comparison: Comparison,
    containers: dict[str, tuple[ObservedContainer, ...]],
) -> tuple[str, ...]:
    """Return the dependencies whose new start the app has to follow."""
    follows = sorted(r.app for r in comparison.spec.requires if r.restart_with)
    own = [c.process_start for c in comparison.current.values() if c.process_start]
    if not follows or not own:
        return ()
    first = min(own)
    return tuple(
        app for app in follows if any(c.process_start > first for c in containers.get(app, ()))
    )


def _patient(
    situation: Situation,
    decision: Decision,
    comparison: Comparison | None,
) -> Decision:
    """Put off what failed, or did not last, the last time it was done."""
    change = decision.change
    attempts = situation.attempts.get(change.app)
    if attempts is None or attempts.digest != change.attempt or not change.acts:
        return decision
    starts = any(isinstance(s, StartContainer) for s in change.steps)
    repairs = change.action is Action.ISOLATE
    due = backoff.due_at(change.app, attempts, starting=starts, repairing=repairs)
    if due is None or situation.now >= due:
        return decision
    reason, message = _not_yet(change, attempts)
    if change.reason is Reason.HEALTH_DEADLINE:
        reason, message = change.reason, change.message
    if comparison is not None and rollback.way_back(situation, comparison):
        reason = Reason.BACK_OFF
    if comparison is not None and reason is Reason.CRASH_LOOP:
        message += looping.last_words(situation, comparison)
    held = replace(change, action=Action.HOLD, reason=reason, message=message, steps=())
    return Decision(held, min(due, decision.look_again_at or due))


def _on_record(
    situation: Situation, decision: Decision, comparison: Comparison | None
) -> Decision:
    """Say upon what it is done, for the record; hold what cannot be put there."""
    change = gates.on_record(decision.change, situation.evidence)
    if change.acts and comparison is not None:
        change = replace(change, basis=basis(comparison.spec, situation))
    if change.acts or not decision.change.acts:
        return replace(decision, change=change)
    soon = situation.now + RECORD_AGAIN
    return Decision(change, min(soon, decision.look_again_at or soon))


def _not_yet(change: Change, attempts: Attempts) -> tuple[Reason, str]:
    """Say what keeps going wrong: no counts and no times, so that the words stay the same."""
    if attempts.failures:
        often = attempts.failures >= backoff.LOOPS_AFTER
        return (Reason.FAILED if often else Reason.BACK_OFF), attempts.message
    often = attempts.starts >= backoff.LOOPS_AFTER and change.action is not Action.ISOLATE
    return (Reason.CRASH_LOOP if often else Reason.BACK_OFF), change.message


def still_wanted(change: Change, desired: Desired) -> bool:
    """Whether a change under way leads to where desired is now; a broken file stops nothing."""
    spec = desired.apps.get(change.app)
    if change.action is Action.ISOLATE and spec is None:
        return True
    if change.action is Action.REMOVE:
        return spec is None and change.app not in desired.broken
    if spec is None:
        return change.app in desired.broken or not desired.complete
    if change.action is Action.STOP:
        return spec.suspended or spec.denial is not None
    return spec.digest == change.digest and not spec.suspended


def _running(containers: tuple[ObservedContainer, ...]) -> bool:
    """All that can be said of an app without a spec."""
    return any(c.state is ContainerState.RUNNING for c in containers)
