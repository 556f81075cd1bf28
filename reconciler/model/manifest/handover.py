"""What has to hold of an app whose revisions run beside each other while one takes over."""

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.model.container import MountKind, NetworkPolicy, Restart
from reconciler.model.manifest.complaint import Complaint
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.placement import Placement

_AT: Final = ("update", "strategy")
_HINT: Final = "write replace, or change that"


def complaints_about_handover(
    placement: Placement,
    containers: Mapping[str, ContainerManifest],
    network: NetworkPolicy,
) -> Iterator[Complaint]:
    """Tell what is in the way of two revisions at once: both would write, or listen, there."""
    if network is not NetworkPolicy.ISOLATED:
        message = f"blue-green needs a network of the app's own, not `network_policy: {network}`"
        yield Complaint(_AT, message, _HINT)
        return
    if len(containers) != 1:
        message = f"blue-green is for apps of one container, and this one has {len(containers)}"
        yield Complaint(_AT, message, "write replace")
        return
    (name, container) = next(iter(containers.items()))
    yield from _about_ports(placement, name, container)
    yield from _about_mounts(placement, name, container)
    if container.restart is not Restart.ALWAYS:
        message = f"blue-green needs a container that goes on, not `restart: {container.restart}`"
        yield Complaint((*placement.path(name, "restart"),), message, "write always")


def _about_ports(
    placement: Placement, name: str, container: ContainerManifest
) -> Iterator[Complaint]:
    if len(container.ports) != 1:
        found = len(container.ports) or "none"
        message = f"blue-green needs one published port of tcp, and this app has {found}"
        yield Complaint(_AT, message, _HINT)
        return
    port, path = container.ports[0], (*placement.path(name, "ports"), 0)
    if port.protocol != "tcp":
        message = f"blue-green needs a port of tcp, not {port.protocol}"
        yield Complaint((*path, "protocol"), message, "write tcp")
    if ":" in port.bind:
        message = f"blue-green leads addresses of IPv4 alone, not {port.bind}"
        yield Complaint((*path, "bind"), message, "write 0.0.0.0, or an address of IPv4")


def _about_mounts(
    placement: Placement, name: str, container: ContainerManifest
) -> Iterator[Complaint]:
    for index, volume in enumerate(container.volumes):
        if volume.type is not MountKind.TMPFS and "ro" not in volume.options:
            message = f"with blue-green both revisions would write to `{volume.target}` at once"
            path = (*placement.path(name, "volumes"), index, "target")
            yield Complaint(path, message, "give it `options: [ro]`, or write strategy: replace")
