"""What has to hold between the containers of one app."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from reconciler.model.container import Restart, StartCondition
from reconciler.model.manifest.complaint import Complaint, Path, did_you_mean
from reconciler.model.manifest.container import ContainerManifest

Containers = Mapping[str, ContainerManifest]
Where = Callable[[str, str], Path]
_ENDS: Final = frozenset({Restart.NO, Restart.ON_FAILURE})


def complaints_about_starting(containers: Containers, where: Where) -> Iterator[Complaint]:
    """Tell which container waits for what can never come."""
    for name, container in containers.items():
        for other, condition in container.depends_on.items():
            path = (*where(name, "depends_on"), other)
            if other == name:
                yield Complaint(path, "a container cannot wait for itself", "remove it")
            elif other not in containers:
                message = f"this app has no container `{other}`"
                yield Complaint(path, message, did_you_mean(other, containers), at_key=True)
            else:
                yield from _complaints_about_waiting(path, other, containers[other], condition)
    ring = _ring(containers)
    if ring:
        path = where(ring[0], "depends_on")
        message = f"these containers wait for each other in a ring: {' → '.join(ring)}"
        yield Complaint(path, message, "remove one of these lines", at_key=True)


def _complaints_about_waiting(
    path: Path,
    other: str,
    container: ContainerManifest,
    condition: StartCondition,
) -> Iterator[Complaint]:
    if condition is StartCondition.HEALTHY and container.health_check is None:
        message = f"`{other}` has no `health_check`, so it never counts as healthy"
        yield Complaint(path, message, f"give `{other}` one, or write started")
    if condition is StartCondition.COMPLETED and container.restart not in _ENDS:
        message = f"`{other}` is always started again, so it never counts as completed"
        yield Complaint(path, message, f"give `{other}` restart: no, or write started")


def _ring(containers: Containers) -> tuple[str, ...]:
    """Return one ring, its first name again at the end, or nothing."""
    waits = {
        name: [other for other in container.depends_on if other in containers and other != name]
        for name, container in containers.items()
    }
    while free := [name for name, others in waits.items() if not others]:
        for name in free:
            del waits[name]
        for others in waits.values():
            others[:] = [other for other in others if other in waits]
    if not waits:
        return ()
    trail = [next(iter(waits))]
    while trail[-1] not in trail[:-1]:
        trail.append(waits[trail[-1]][0])
    return tuple(trail[trail.index(trail[-1]) :])


def complaints_about_mounts(containers: Containers, where: Where) -> Iterator[Complaint]:
    """Tell where two things are mounted over each other."""
    for name, container in containers.items():
        taken: set[str] = set()
        places = [
            *(
                ((*where(name, "volumes"), i, "target"), v.target)
                for i, v in enumerate(container.volumes)
            ),
            *(((*where(name, "tmpfs"), i), target) for i, target in enumerate(container.tmpfs)),
        ]
        for path, target in places:
            if target in taken:
                yield Complaint(
                    path, f"two things are mounted at `{target}`", "choose another target"
                )
            taken.add(target)


def complaints_about_probes(containers: Containers, where: Where) -> Iterator[Complaint]:
    """Tell which health check asks somebody else."""
    for name, container in containers.items():
        host = container.health_check.host if container.health_check else None
        if host is None or host in {name, container.hostname, *container.network_aliases}:
            continue
        path = (*where(name, "health_check"), "endpoint")
        if host in containers:
            hint = f"give `{host}` a health_check of its own, and write localhost here"
            yield Complaint(path, f"`{host}` is another container of this app", hint)
        else:
            message = f"`{host}` is not this container, and only itself is asked"
            yield Complaint(path, message, "write localhost")


def complaints_about_names(containers: Containers, where: Where) -> Iterator[Complaint]:
    """Tell which names in the app's network mean two containers."""
    owner = {name: name for name in containers}
    for name, container in containers.items():
        for index, alias in enumerate(container.network_aliases):
            other = owner.setdefault(alias, name)
            if other != name:
                path = (*where(name, "network_aliases"), index)
                yield Complaint(path, f"the name `{alias}` already means container `{other}`")
