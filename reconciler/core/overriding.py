"""What the operator changes about an app of the catalogue: variables, limits, host ports. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.core.filling import FillingError
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.overrides import ContainerOverridesManifest, OverridesManifest
from reconciler.model.manifest.ports import PortManifest

_MAIN = "main"
Containers = Mapping[str, ContainerManifest]


def overridden(containers: Containers, overrides: OverridesManifest | None) -> Containers:
    """Return the containers as they were changed. Raises FillingError for what is not there."""
    if overrides is None:
        return containers
    changes = dict(overrides.containers)
    if overrides.changes_main:
        changes[_main(containers)] = overrides
    for name in changes:
        if name not in containers:
            message = f"there is no container `{name}` to override"
            raise FillingError(message, f"there are: {', '.join(containers)}")
    return {
        name: _changed(container, changes[name]) if name in changes else container
        for name, container in containers.items()
    }


def _main(containers: Containers) -> str:
    if len(containers) == 1 or _MAIN not in containers:
        return next(iter(containers))
    return _MAIN


def _changed(
    container: ContainerManifest,
    changes: ContainerOverridesManifest,
) -> ContainerManifest:
    limits = {key: getattr(changes.resources, key) for key in changes.resources.model_fields_set}
    return container.model_copy(
        update={
            "environment": MappingProxyType({**container.environment, **changes.environment}),
            "resources": container.resources.model_copy(update=limits),
            "ports": _ports(container, changes),
        },
    )


def _ports(
    container: ContainerManifest,
    changes: ContainerOverridesManifest,
) -> tuple[PortManifest, ...]:
    by_place = {(p.container, p.protocol): p for p in container.ports}
    for change in changes.ports:
        place = (change.container, change.protocol)
        if place not in by_place:
            there = ", ".join(f"{port}/{protocol}" for port, protocol in by_place) or "none"
            message = f"no port {change.container}/{change.protocol} is published to override"
            raise FillingError(message, f"there are: {there}")
        given = {k: v for k, v in (("host", change.host), ("bind", change.bind)) if v is not None}
        by_place[place] = by_place[place].model_copy(update=given)
    return tuple(by_place.values())
