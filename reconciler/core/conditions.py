"""
What is told of an app, as answers to a few questions. Pure.

Ready: does it serve? Reconciling: is work under way? Stalled: must a person act? And, where there
is a limit, WithinDiskLimit: do its volumes hold no more? Of what runs in a network of its own,
NetworkIsolated: was it found that it reaches what it may, and nothing else? Where more is asked
for than every app may have, Approved: may it? Of what runs, Confined: does the kernel enforce what
its manifest says? The same problem always gets the same reason and
message, and only a change of the answer moves `last_transition`.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core import (
    backoff,
    confining,
    disk,
    graph,
    looping,
    policy,
    suspension,
    switching,
    verifying,
)
from reconciler.core.comparison import Comparison, is_completed
from reconciler.core.health import worst
from reconciler.core.situation import Situation
from reconciler.model.change import Change, Outcome, Plan, Reason
from reconciler.model.desired import AppSpec
from reconciler.model.health import HealthState
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.status import (
    AppStatus,
    Condition,
    ConditionType,
    ContainerStatus,
    Status,
)
from reconciler.model.trial import Trial

_STALLED = frozenset(
    {
        Reason.MANIFEST_INVALID,
        Reason.SOURCE_UNREADABLE,
        Reason.DEPENDENCY_MISSING,
        Reason.DEPENDENCY_UNSATISFIED,
        Reason.DEPENDENCY_CYCLE,
        Reason.REQUIRED_BY,
        Reason.MASS_REMOVAL,
        Reason.NOT_SUPPORTED,
        Reason.APPROVAL_REQUIRED,
        Reason.POLICY_DENIED,
        Reason.PORT_TAKEN,
        Reason.NOT_ENFORCEABLE,
        Reason.NOT_ENOUGH_STORAGE,
        Reason.SECRET_LOST,
        Reason.NOT_ON_RECORD,
        Reason.NOT_VERIFIED,
        Reason.SIGNER_CHANGED,
        Reason.TAG_MOVED_BACK,
        Reason.JOB_FAILED,
        Reason.CRASH_LOOP,
        Reason.FAILED,
        Reason.HEALTH_DEADLINE,
    },
)
_RECONCILING = frozenset(
    {
        Reason.STARTING,
        Reason.HEALTH_DEADLINE,
        Reason.ENDING,
        Reason.BACK_OFF,
        Reason.CRASH_LOOP,
        Reason.FAILED,
        Reason.DEPENDENCY_NOT_READY,
        Reason.CONTAINER_NOT_READY,
        Reason.DEPENDANTS_FIRST,
        Reason.SIGNATURE_PENDING,
    },
)


Answer = tuple[bool, str, str]  # whether, the reason, and a message


class Reported(Struct, frozen=True):
    """What conditions are made of, besides the situation: the plan, and the lanes."""

    plan: Plan
    comparisons: Mapping[str, Comparison]
    running: Mapping[str, Change]
    progress: Mapping[str, str]
    last: Mapping[str, Outcome]
    trials: Mapping[str, Trial] = field(default_factory=dict[str, Trial])


def app_statuses(
    situation: Situation,
    reported: Reported,
    previous: Status | None,
) -> tuple[AppStatus, ...]:
    """Return the status of every app in the plan, sorted by id."""
    containers: dict[str, list[ObservedContainer]] = {}
    for seen in situation.observed.containers:
        containers.setdefault(seen.app, []).append(seen)
    before = {app.id: app for app in previous.apps} if previous else {}
    needed_by = dependants(situation)
    return tuple(
        _app_status(
            situation,
            reported,
            change,
            tuple(containers.get(change.app, ())),
            before.get(change.app),
            needed_by.get(change.app, ()),
        )
        for change in reported.plan.changes
    )


def _app_status(
    situation: Situation,
    reported: Reported,
    planned: Change,
    containers: tuple[ObservedContainer, ...],
    before: AppStatus | None,
    needed_by: tuple[str, ...],
) -> AppStatus:
    app = planned.app
    spec = situation.desired.apps.get(app)
    comparison = reported.comparisons.get(app)
    change = reported.running.get(app, planned)
    if app in reported.progress:
        change = replace(change, message=reported.progress[app])
    health = {c.ref: _health(comparison, c) for c in containers}
    trial = reported.trials.get(app)
    outcome = reported.last.get(app)
    return AppStatus(
        id=app,
        version=spec.version if spec else "",
        action=change.action,
        reason=change.reason,
        message=change.message,
        conditions=_conditions(
            _Facts(situation, spec, comparison, change, containers, trial), before
        ),
        digest=spec.digest if spec else max((c.digest for c in containers), default=""),
        health=worst(tuple(health.values())),
        containers=tuple(_container_status(c, health[c.ref]) for c in containers),
        requires=_requires(spec, containers),
        last_change=f"{outcome.change.action} {outcome.result}" if outcome else _kept(before),
        last_change_at=outcome.ended_at if outcome else _kept_at(before),
        manifest_changed_at=spec.manifest_changed_at if spec else None,
        requested=spec.requested if spec else True,
        required_by=needed_by,
        disk_bytes=disk.held(app, spec, situation.usage, before),
        disk_limit=spec.disk_limit if spec else None,
        suspended=suspension.in_force(situation.desired, app, situation.now),
        commit=situation.commits.get(app),
    )


def dependants(situation: Situation) -> Mapping[str, tuple[str, ...]]:
    """Return, for each app that desired ones cannot do without, which these are."""
    return graph.dependants(
        {
            app: [r.app for r in spec.requires if not r.optional]
            for app, spec in situation.desired.apps.items()
        },
    )


class _Facts(Struct, frozen=True):
    situation: Situation
    spec: AppSpec | None
    comparison: Comparison | None
    change: Change
    containers: tuple[ObservedContainer, ...]
    trial: Trial | None


def _conditions(facts: _Facts, before: AppStatus | None) -> tuple[Condition, ...]:
    change = facts.change
    ready = _serves(facts.spec, facts.comparison, facts.containers)
    suspended = change.reason is Reason.SUSPENDED
    ready = ready and not (suspended and facts.spec and facts.spec.suspended)
    ready = ready and not _keeps_ending(facts) and _is_reached(facts)
    rolled_back = facts.spec.rolled_back if facts.spec else ""
    serving = "RolledBack" if rolled_back else "Serving"
    acts = change.acts or change.reason in _RECONCILING
    told = {
        ConditionType.READY: (
            ready,
            serving if ready and not suspended else str(change.reason),
            rolled_back if ready and not suspended else change.message,
        ),
        ConditionType.RECONCILING: (
            acts,
            str(change.reason) if acts else "Settled",
            change.message if acts else "",
        ),
        ConditionType.STALLED: _stalled(facts, before),
    }
    if facts.spec and facts.spec.disk_limit is not None:
        usage = facts.situation.usage
        within = disk.within(facts.spec.id, facts.spec.disk_limit, usage, before)
        told[ConditionType.WITHIN_DISK_LIMIT] = within
    if facts.spec and facts.spec.network and _is_tried(facts, before):
        told[ConditionType.NETWORK_ISOLATED] = verifying.isolated(
            facts.spec, facts.situation, facts.trial, before
        )
    approved = policy.answer(facts.spec, facts.situation.evidence.policy) if facts.spec else None
    if approved:
        told[ConditionType.APPROVED] = approved
    confined = confining.confined(facts.comparison, before, facts.situation.observed.unlimited)
    if confined:
        told[ConditionType.CONFINED] = confined
    now = facts.situation.now
    return tuple(_condition(kind, answer, before, now) for kind, answer in told.items())


def _is_tried(facts: _Facts, before: AppStatus | None) -> bool:
    """What never ran was never tried; what does not run now is what it was found to be."""
    runs = any(c.state is ContainerState.RUNNING for c in facts.containers)
    known = before.condition(ConditionType.NETWORK_ISOLATED) if before else None
    return runs or known is not None


def _stalled(facts: _Facts, before: AppStatus | None) -> Answer:
    """Say whether a person must act; one more try of what keeps failing is no reason to hope."""
    change = facts.change
    if change.reason in _STALLED:
        return True, str(change.reason), change.message
    denial = facts.spec.denial if facts.spec and not facts.spec.suspended else None
    if denial and not denial.admitted:
        return True, str(policy.reason(denial)), denial.message
    known = before.condition(ConditionType.STALLED) if before else None
    if facts.spec and facts.spec.rolled_back and not facts.spec.suspended:
        # Told when it is done; and once told, a repair of what stands in takes nothing back.
        told = known is not None and known.status and known.reason == Reason.ROLLED_BACK
        if told or (change.reason is Reason.ROLLED_BACK and not change.acts):
            return True, str(Reason.ROLLED_BACK), facts.spec.rolled_back
    attempts = facts.situation.attempts.get(change.app, Attempts())
    often = max(attempts.failures, attempts.starts) >= backoff.LOOPS_AFTER
    told = known is not None and known.reason in {Reason.FAILED, Reason.CRASH_LOOP}
    if often and attempts.digest == change.attempt and known and known.status and told:
        return True, known.reason, known.message
    return False, "Fine", ""


def _keeps_ending(facts: _Facts) -> bool:
    """
    Whether an app that seems to serve at this moment has only just been started once more.

    It serves again when it did so for its window; until then each try would be news.
    """
    if facts.comparison is not None and switching.stands_in(facts.comparison) is not None:
        return False  # what keeps ending is not what serves
    attempts = facts.situation.attempts.get(facts.change.app, Attempts())
    return looping.loops(attempts, facts.change.attempt)


def _is_reached(facts: _Facts) -> bool:
    """Whether what serves is where the port of the app leads, if that is for us to say."""
    comparison = facts.comparison
    if comparison is None or not switching.hands_over(comparison.spec):
        return True
    return switching.reached(comparison) or bool(facts.situation.observed.unenforceable)


def _condition(
    kind: ConditionType,
    answer: Answer,
    before: AppStatus | None,
    now: datetime,
) -> Condition:
    status, reason, message = answer
    old = before.condition(kind) if before else None
    since = old.last_transition if old and old.status == status else now
    return Condition(kind, status, reason, message, since)


def _serves(
    spec: AppSpec | None,
    comparison: Comparison | None,
    containers: tuple[ObservedContainer, ...],
) -> bool:
    """
    Whether every container does its work, in the desired revision or the one before.

    One that is taken back never did; and one that went on meanwhile need not be asked again first.
    """
    if spec is None or comparison is None:
        return bool(containers) and all(
            c.state is ContainerState.RUNNING or c.exit_code == 0 for c in containers
        )
    return all(
        comparison.good(c.name)
        or switching.went_on(comparison, c.name)
        or any(
            o.container == c.name and (o.state is ContainerState.RUNNING or is_completed(c, o))
            for o in (() if spec.rolled_back else comparison.outdated)
        )
        for c in spec.containers
    )


def _health(comparison: Comparison | None, seen: ObservedContainer) -> HealthState:
    if comparison is None or comparison.current.get(seen.container) != seen:
        return HealthState.NONE
    return comparison.health[seen.container].state


def _container_status(seen: ObservedContainer, health: HealthState) -> ContainerStatus:
    return ContainerStatus(
        name=seen.container,
        id=seen.ref,
        image=seen.image,
        image_digest=seen.image_digest,
        state=seen.state,
        started_at=seen.started_at,
        health=health,
        exit_code=seen.exit_code,
        pid=seen.pid,
    )


def _requires(
    spec: AppSpec | None,
    containers: tuple[ObservedContainer, ...],
) -> tuple[str, ...]:
    if spec:
        return tuple(sorted(r.app for r in spec.requires))
    return tuple(sorted({need for c in containers for need in c.requires}))


def _kept(before: AppStatus | None) -> str:
    return before.last_change if before else ""


def _kept_at(before: AppStatus | None) -> datetime | None:
    return before.last_change_at if before else None
