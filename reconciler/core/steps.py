"""The steps that carry out a decision, in an order that is safe to be killed in. Pure."""

from collections.abc import Iterable

from reconciler.core import graph, switching
from reconciler.core.comparison import Comparison
from reconciler.model.change import (
    CreateContainer,
    EnsureNetwork,
    EnsureSecret,
    EnsureVolume,
    PrepareImage,
    RemoveContainer,
    RemoveNetwork,
    StartContainer,
    Step,
    StopContainer,
    WriteFiles,
)
from reconciler.model.container import ContainerSpec
from reconciler.model.observed import ContainerState, ObservedContainer

_PROCESS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.ENDING})


def bring_up(comparison: Comparison) -> tuple[Step, ...]:
    """
    Return the steps towards the spec, as far as they can be taken now.

    Everything that may be slow or may fail (images, networks, volumes, creation) comes before
    anything that runs is touched. What is outdated is stopped, not removed: it stays until the
    new revision serves; of an app that hands over, it runs until then.
    """
    beside = switching.hands_over(comparison.spec)
    create = comparison.to_create()
    start, _ = comparison.startable()
    steps: list[Step] = [PrepareImage(c) for c in create]
    network = comparison.spec.network
    if network and (create or comparison.network_missing):
        steps.append(EnsureNetwork(network))
    if create:
        # Secrets first: a volume that is there says that its secrets were made.
        steps += [EnsureSecret(s) for s in comparison.spec.secrets]
        steps += [EnsureVolume(v) for v in comparison.spec.volumes]
    steps += [RemoveContainer(c.ref) for c in comparison.beyond_use()]
    steps += [CreateContainer(c) for c in create]
    if start and not beside:
        steps += stop(comparison.outdated)
    for container in start:
        ref = _ref(comparison, container)
        # Before each start: what was killed in between is made good.
        if container.files or container.shares:
            steps.append(WriteFiles(ref, container))
        steps.append(StartContainer(ref, container.name))
    if beside:
        steps += switching.let_go(switching.idle(comparison))
    return tuple(steps)


def restart(comparison: Comparison, containers: Iterable[ObservedContainer]) -> tuple[Step, ...]:
    """Return the steps that stop and start containers that run and are not well."""
    steps: list[Step] = []
    for seen in containers:
        spec = comparison.spec.container(seen.container)
        grace = spec.stop_grace_period if spec else seen.stop_grace_period
        steps.append(StopContainer(seen.ref, grace))
        if spec is not None and (spec.files or spec.shares):
            steps.append(WriteFiles(seen.ref, spec))
        steps.append(StartContainer(seen.ref, seen.container))
    return tuple(steps)


def stop(containers: Iterable[ObservedContainer]) -> tuple[Step, ...]:
    """Return the steps that end every process among these."""
    return tuple(
        StopContainer(c.ref, c.stop_grace_period) for c in containers if c.state in _PROCESS
    )


def discard(containers: tuple[ObservedContainer, ...]) -> tuple[Step, ...]:
    """Return the steps that stop and remove containers; their volumes stay."""
    return (*stop(containers), *(RemoveContainer(c.ref) for c in containers))


def remove(
    containers: tuple[ObservedContainer, ...],
    networks: Iterable[str],
) -> tuple[Step, ...]:
    """Return the steps that remove an app."""
    return (*discard(containers), *(RemoveNetwork(name) for name in networks))


def shutdown_order(comparison: Comparison) -> tuple[ObservedContainer, ...]:
    """Return all containers, what waits for others before what it waits for."""
    needs = {c.name: [other for other, _ in c.depends_on] for c in comparison.spec.containers}
    order = {name: i for i, name in enumerate(reversed(graph.in_order(needs)))}
    seen = (*comparison.current.values(), *comparison.outdated)
    return tuple(
        sorted(seen, key=lambda c: (order.get(c.container, len(order)), c.container_name)),
    )


def _ref(comparison: Comparison, container: ContainerSpec) -> str:
    """Ask by id what exists, since it may have been renamed; by name what is about to be made."""
    seen = comparison.current.get(container.name)
    if seen is None or seen in comparison.beyond_use():
        return container.container_name
    return seen.ref
