"""Devices of the machine: those that are optional are left out where they are not there."""

from pathlib import Path

from msgspec.structs import replace

from reconciler.errors import DriverRejected
from reconciler.model.container import ContainerSpec, DeviceSpec


def present(container: ContainerSpec) -> ContainerSpec:
    """Return the container with the devices that are there; raises DriverRejected for the rest."""
    missing = [d for d in container.devices if not _is_there(d)]
    for device in missing:
        if not device.optional:
            raise DriverRejected(
                f"cannot create {container.container_name}: the device {device.path} is not here;"
                " plug it in, or write `optional: true`",
            )
    return replace(container, devices=tuple(d for d in container.devices if d not in missing))


def _is_there(device: DeviceSpec) -> bool:
    return Path(device.path).exists()
