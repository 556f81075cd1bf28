"""A container to which its port is led by rules of ours, so that another may take over. Pure."""

from msgspec.structs import replace

from reconciler.core.filling import FillingError
from reconciler.model.container import ContainerSpec, HealthCheck, HealthKind


def led(container: ContainerSpec) -> ContainerSpec:
    """
    Return a container with one port as it is to be led.

    What takes over has to be well: without a check it is asked whether somebody listens there.
    What the operator made of the address may be one to which nothing leads. Raises FillingError.
    """
    port = container.ports[0]
    if ":" in port.bind:
        message = f"`strategy: blue-green` leads addresses of IPv4 alone, not {port.bind}"
        raise FillingError(message, "override `bind` with 0.0.0.0, or an address of IPv4")
    check = container.health or HealthCheck(HealthKind.TCP, port.container)
    return replace(container, led=True, health=check)
