"""
What was changed behind our back in a container that runs, and how it is put right in place. Pure.

A container is in its app's network and in no other; what the kernel lets it use is what its spec
says. Neither needs a restart.
"""

from msgspec.structs import replace

from reconciler.core.comparison import Comparison
from reconciler.model.change import (
    Action,
    AttachNetwork,
    Change,
    DetachNetwork,
    Reason,
    SetLimits,
    Step,
)
from reconciler.model.container import ContainerSpec, Resources
from reconciler.model.observed import ContainerState, ObservedContainer

# The kernel counts memory in pages, and CPU in microseconds of a period.
_MEMORY_SLACK, _CPU_SLACK = 64 * 1024, 0.011


def with_repairs(change: Change, comparison: Comparison) -> Change:
    """Return the change with the repairs of what drifted, unless it acts on processes anyway."""
    if change.acts and change.action is not Action.ISOLATE:
        return change
    if comparison.spec.suspended or comparison.spec.left_alone:
        return change
    work: list[Step] = []
    told: list[str] = []
    for spec in comparison.spec.containers:
        seen = comparison.current.get(spec.name)
        if seen is None or seen.state is not ContainerState.RUNNING:
            continue
        if not comparison.network_missing:
            _networks(spec, seen, work, told)
        _limits(spec, seen, work, told)
    if not work:
        return change
    reason = Reason.ISOLATION_DIFFERS if change.acts else Reason.DRIFTED
    message = "; ".join([change.message, *told] if change.acts else told)
    steps = (*change.steps, *work)
    return replace(change, action=Action.ISOLATE, reason=reason, message=message, steps=steps)


def _networks(
    spec: ContainerSpec,
    seen: ObservedContainer,
    work: list[Step],
    told: list[str],
) -> None:
    """Out of what it does not belong to first: less is never more urgent than enough."""
    if spec.network is None:
        return
    for network in seen.networks:
        if network != spec.network:
            work.append(DetachNetwork(seen.ref, network))
            told.append(f"{spec.name} was connected to network {network} by hand")
    if spec.network not in seen.networks:
        work.append(AttachNetwork(seen.ref, spec))
        told.append(f"{spec.name} was disconnected from network {spec.network} by hand")


def _limits(
    spec: ContainerSpec,
    seen: ObservedContainer,
    work: list[Step],
    told: list[str],
) -> None:
    if seen.limits is not None and _differ(spec.resources, seen.limits):
        work.append(SetLimits(seen.ref, spec))
        told.append(f"the limits of {spec.name} were changed by hand")


def _differ(wanted: Resources, found: Resources) -> bool:
    """Whether one that is wanted is another; what could not be read is not compared."""
    memory = wanted.memory is not None and found.memory is not None
    cpu = wanted.cpu is not None and found.cpu is not None
    pids = wanted.pids is not None and found.pids is not None
    return (
        (memory and abs((wanted.memory or 0) - (found.memory or 0)) > _MEMORY_SLACK)
        or (cpu and abs((wanted.cpu or 0) - (found.cpu or 0)) > _CPU_SLACK)
        or (pids and wanted.pids != found.pids)
    )
