"""What to do with one desired app. Pure; each rule is a function that answers or passes on."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core import gates, policy, proving, steps, suspension
from reconciler.core.comparison import Comparison
from reconciler.core.revisions import superseded
from reconciler.model.change import Action, Change, Reason
from reconciler.model.evidence import Evidence
from reconciler.model.health import HealthState
from reconciler.model.observed import ContainerState
from reconciler.model.volume import ObservedVolume

ENDING_SECONDS = 0.03  # how soon the engine will have noticed the end of a process


class Circumstances(Struct, frozen=True):
    """
    What one app's decision needs to know beyond the app itself.

    `missing` and `not_ready` are required apps; `ring` is a path that ends where it begins.
    `volumes` are its own that are there, as far as that was looked for.
    """

    now: datetime
    evidence: Evidence = Evidence()
    ring: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()


class Decision(Struct, frozen=True):
    """A change, and the moment at which time alone could change it."""

    change: Change
    look_again_at: datetime | None = None


_Rule = Callable[[Comparison, Circumstances], Decision | None]


def decide(comparison: Comparison, circumstances: Circumstances) -> Decision:
    """Return the one change of a desired app: the first rule that answers."""
    for rule in _RULES:
        decision = rule(comparison, circumstances)
        if decision is not None:
            return decision
    return _decision(comparison, Action.KEEP, Reason.IN_SYNC)


def _suspended(comparison: Comparison, _: Circumstances) -> Decision | None:
    spec = comparison.spec
    if not spec.suspended and not spec.left_alone:
        return None
    work = () if spec.left_alone else steps.stop(steps.shutdown_order(comparison))
    action = Action.STOP if work else Action.HOLD
    told = suspension.told(spec.suspended_until, keep_running=spec.left_alone)
    decision = _decision(comparison, action, Reason.SUSPENDED, told)
    return replace(decision, change=replace(decision.change, steps=work))


def _unsupported(comparison: Comparison, _: Circumstances) -> Decision | None:
    keys = comparison.spec.unsupported
    if not keys:
        return None
    message = f"cannot be carried out by this version: {', '.join(keys)}"
    return _decision(comparison, Action.HOLD, Reason.NOT_SUPPORTED, message)


def _denied(comparison: Comparison, _: Circumstances) -> Decision | None:
    """What was not let in waits; what was goes on, unless the policy has it stopped."""
    denial = comparison.spec.denial
    if denial is None or ((denial.admitted or denial.stands_in) and not denial.stops):
        return None
    work = steps.stop(steps.shutdown_order(comparison)) if denial.stops else ()
    action = Action.STOP if work else Action.HOLD
    decision = _decision(comparison, action, policy.reason(denial), denial.message)
    return replace(decision, change=replace(decision.change, steps=work))


def _in_a_ring(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    if not circumstances.ring:
        return None
    message = f"cannot be ordered, apps require each other: {' → '.join(circumstances.ring)}"
    return _decision(comparison, Action.HOLD, Reason.DEPENDENCY_CYCLE, message)


def _dependency_missing(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    if not circumstances.missing:
        return None
    unmet = {r.app: r.unmet for r in comparison.spec.requires}
    told = [unmet[app] or f"requires {app}, which is not there" for app in circumstances.missing]
    return _decision(comparison, Action.HOLD, Reason.DEPENDENCY_MISSING, "; ".join(told))


def _dependency_unsatisfied(
    comparison: Comparison,
    circumstances: Circumstances,
) -> Decision | None:
    """What runs already goes on: only a new revision has to wait for the right version."""
    told = [
        r.unmet
        for r in comparison.spec.requires
        if r.unmet and not r.optional and r.app not in circumstances.missing
    ]
    if not told:
        return None
    return _decision(comparison, Action.HOLD, Reason.DEPENDENCY_UNSATISFIED, "; ".join(told))


def _ending(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    """Acting on a process that is just ending would race with the engine."""
    ending = [n for n, c in comparison.current.items() if c.state is ContainerState.ENDING]
    if not ending:
        return None
    soon = circumstances.now + timedelta(seconds=ENDING_SECONDS)
    message = f"{', '.join(sorted(ending))} is ending"
    return _decision(comparison, Action.HOLD, Reason.ENDING, message, soon)


def _out_of_date(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    create = comparison.to_create()
    if not create and not comparison.network_missing:
        return None
    action, reason = _kind(comparison)
    stale = comparison.spec.stale
    untouched = not comparison.current and not comparison.outdated
    if stale and (action is Action.UPDATE or (untouched and comparison.network_missing)):
        return _decision(comparison, Action.HOLD, Reason.MANIFEST_INVALID, str(stale))
    if reason is Reason.NOT_INSTALLED:
        denial = gates.storage(comparison.spec, circumstances.evidence)
        if denial:
            return _decision(comparison, Action.HOLD, Reason.NOT_ENOUGH_STORAGE, denial)
    evidence, volumes = circumstances.evidence, circumstances.volumes
    denial = gates.lost_secrets(comparison, evidence, volumes) if create else ""
    if denial:
        return _decision(comparison, Action.HOLD, Reason.SECRET_LOST, denial)
    unproven = proving.unproven(create, evidence) if action is not Action.RESTART else None
    if unproven is not None:
        return _decision(comparison, Action.HOLD, *unproven)
    return _act(comparison, circumstances, action, reason)


def _kind(comparison: Comparison) -> tuple[Action, Reason]:
    """Name the way to a complete app: what is there already decides the word."""
    if comparison.beyond_use():
        return Action.RESTART, Reason.PROCESS_LOST
    if not comparison.to_create():
        return Action.START, Reason.NETWORK_MISSING
    if comparison.outdated:
        return Action.UPDATE, comparison.outdated_because()
    if comparison.current:
        return Action.INSTALL, Reason.INCOMPLETE
    return Action.INSTALL, Reason.NOT_INSTALLED


def _not_running(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    if not comparison.startable()[0]:
        return None
    return _act(comparison, circumstances, Action.START, Reason.NOT_RUNNING)


def _unhealthy(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    unhealthy = comparison.unhealthy()
    if not unhealthy:
        return None
    return _act(comparison, circumstances, Action.RESTART, Reason.UNHEALTHY)


def _job_failed(comparison: Comparison, _: Circumstances) -> Decision | None:
    failed = comparison.failed_jobs()
    if not failed:
        return None
    told = "; ".join(f"{c.container} ended with exit code {c.exit_code}" for c in failed)
    return _decision(comparison, Action.HOLD, Reason.JOB_FAILED, told)


def _waits_inside(comparison: Comparison, _: Circumstances) -> Decision | None:
    waits = comparison.startable()[1]
    if not waits:
        return None
    return _decision(comparison, Action.HOLD, Reason.CONTAINER_NOT_READY, "; ".join(waits))


def _superseded(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    going = superseded(comparison, circumstances.evidence)
    if not going or not comparison.ready():
        return None
    told = "the new revision serves, the one before is removed"
    decision = _decision(comparison, Action.UPDATE, Reason.PREVIOUS_SUPERSEDED, told)
    work = steps.discard(going)
    return replace(decision, change=replace(decision.change, steps=work))


def _starting(comparison: Comparison, _: Circumstances) -> Decision | None:
    starting = {n: h for n, h in comparison.health.items() if h.state is HealthState.STARTING}
    if not starting:
        return None
    told = [f"{name} {health.message}".strip() for name, health in sorted(starting.items())]
    return _decision(comparison, Action.KEEP, Reason.STARTING, "; ".join(told))


def _stale(comparison: Comparison, _: Circumstances) -> Decision | None:
    """What was repaired above was repaired to the last good version; the rest is held."""
    stale = comparison.spec.stale
    if not stale:
        return None
    return _decision(comparison, Action.HOLD, Reason.MANIFEST_INVALID, str(stale))


def _restarted_with(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    """Follow a new start of a dependency that is ready again, where the app asks for that."""
    ready = [app for app in circumstances.restarted if app not in circumstances.not_ready]
    if not ready:
        return None
    told = f"{', '.join(ready)} was started anew"
    decision = _decision(comparison, Action.RESTART, Reason.DEPENDENCY_RESTARTED, told)
    running = [c for c in comparison.current.values() if c.state is ContainerState.RUNNING]
    work = steps.restart(comparison, sorted(running, key=lambda c: c.container_name))
    return replace(decision, change=replace(decision.change, steps=work))


def _dependency_unhealthy(comparison: Comparison, circumstances: Circumstances) -> Decision | None:
    """Show it, and leave the app alone."""
    if not circumstances.not_ready:
        return None
    told = f"runs, though {', '.join(circumstances.not_ready)} is not ready"
    return _decision(comparison, Action.KEEP, Reason.DEPENDENCY_UNHEALTHY, told)


_RULES: tuple[_Rule, ...] = (
    _suspended,
    _unsupported,
    _denied,
    _in_a_ring,
    _dependency_missing,
    _dependency_unsatisfied,
    _ending,
    _out_of_date,
    _not_running,
    _unhealthy,
    _job_failed,
    _waits_inside,
    _superseded,
    _stale,
    _starting,
    _restarted_with,
    _dependency_unhealthy,
)


def _act(
    comparison: Comparison,
    circumstances: Circumstances,
    action: Action,
    reason: Reason,
) -> Decision:
    """Do it, unless a dependency says to wait."""
    if circumstances.not_ready and action is not Action.RESTART:
        message = f"waits for {', '.join(circumstances.not_ready)}"
        return _decision(comparison, Action.HOLD, Reason.DEPENDENCY_NOT_READY, message)
    decision = _decision(comparison, action, reason, _why(comparison, reason))
    if reason is Reason.UNHEALTHY:
        work = steps.restart(comparison, comparison.unhealthy())
    else:
        work = steps.bring_up(comparison)
    return replace(decision, change=replace(decision.change, steps=work))


def _why(comparison: Comparison, reason: Reason) -> str:
    """Say what is wrong with the containers, in words that stay the same while it is."""
    if reason in {Reason.DIGEST_CHANGED, Reason.IMAGE_CHANGED}:
        names = ", ".join(sorted(c.name for c in comparison.to_create()))
        only_image = reason is Reason.IMAGE_CHANGED
        return f"another image was asked for: {names}" if only_image else f"{names} changed"
    if reason is Reason.NETWORK_MISSING:
        return "its network is gone"
    if reason is Reason.PROCESS_LOST:
        names = ", ".join(sorted(c.container for c in comparison.beyond_use()))
        return f"{names} cannot be used any more and is made anew"
    told = [
        f"{name} is unhealthy: {health.message}"
        for name, health in sorted(comparison.health.items())
        if health.state is HealthState.UNHEALTHY
    ]
    told += [
        f"{name} ended with exit code {seen.exit_code}"
        for name, seen in sorted(comparison.current.items())
        if seen.state is ContainerState.EXITED and not comparison.completed(name)
    ]
    told += [
        f"{name} is {seen.state}"
        for name, seen in sorted(comparison.current.items())
        if seen.state in {ContainerState.CREATED, ContainerState.PAUSED}
    ]
    return "; ".join(told)


def _decision(
    comparison: Comparison,
    action: Action,
    reason: Reason,
    message: str = "",
    look_again_at: datetime | None = None,
) -> Decision:
    spec = comparison.spec
    change = Change(spec.id, action, reason, message, spec.digest, pins=comparison.pins())
    return Decision(change, look_again_at)
