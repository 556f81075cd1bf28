"""
The address that a container keeps in its app's network, as long as nobody else has it.

Others know a container by its address, so it should be the same after each start. Podman loses
track of addresses when its service is killed; what cannot have its own starts with another.
"""

import re
from collections.abc import Callable
from typing import cast
from urllib.parse import quote
from zlib import crc32

from reconciler.drivers.podman import create_request
from reconciler.drivers.podman.belongings import Belongings
from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.listing import Listed
from reconciler.errors import DriverRejected
from reconciler.model.container import ContainerSpec

_TAKEN = re.compile(
    r"requested ip address \S+ is already allocated|IP address already", re.IGNORECASE
)


_LED = 60  # houses of containers that are led, from there on: a network has 127 at least


def keep_address(
    body: dict[str, object],
    container: ContainerSpec,
    belongings: Belongings,
) -> None:
    """Ask for the container's own address in the body of a create request."""
    networks = cast("dict[str, dict[str, object]]", body.get("Networks", {}))
    for network, options in networks.items():
        address = belongings.address(network, place(container))
        if address:
            options["static_ips"] = [address]


def place(container: ContainerSpec) -> int:
    """Return where it lives: of one that is led two revisions do at once, each by its name."""
    if not container.led:
        return container.place
    return _LED + crc32(container.container_name.encode()) % _LED


def with_any_address(client: Client, listed: Listed, begin: Callable[[], None]) -> None:
    """Begin; if its address is taken, give it up and begin with any."""
    try:
        begin()
    except DriverRejected as error:
        if not _TAKEN.search(str(error)):
            raise
        for network in listed.container.networks:
            _attach_anew(client, listed, network)
        begin()


def attach(client: Client, listed: Listed, container: ContainerSpec, address: str) -> None:
    """Connect it to its app's network as when it was made; with any address, if that is taken."""
    network = container.network or ""
    body: dict[str, object] = {
        "container": listed.ref,
        "aliases": create_request.aliases(container),
    }
    try:
        _post(
            client, listed, network, "connect", body | {"static_ips": [address] if address else []}
        )
    except DriverRejected as error:
        if "already connected" in str(error):
            return
        if not _TAKEN.search(str(error)):
            raise
        _post(client, listed, network, "connect", body)


def detach(client: Client, listed: Listed, network: str) -> None:
    """Disconnect it from a network."""
    try:
        _post(client, listed, network, "disconnect", {"Container": listed.ref, "Force": True})
    except DriverRejected as error:
        if "not connected" not in str(error) and "network not found" not in str(error):
            raise


def _attach_anew(client: Client, listed: Listed, network: str) -> None:
    inspect = Request(
        "inspect_container", f"inspect {listed.name}", "GET", f"/containers/{listed.ref}/json"
    )
    found: Json = client.call(inspect).object().get("NetworkSettings") or {}
    networks: dict[str, Json] = found.get("Networks") or {}
    known: list[str] = networks.get(network, {}).get("Aliases") or []
    aliases = [alias for alias in known if alias != listed.ref[:12]]
    _post(client, listed, network, "disconnect", {"Container": listed.ref, "Force": True})
    body: dict[str, object] = {"container": listed.ref, "aliases": aliases}
    _post(client, listed, network, "connect", body)


def _post(
    client: Client, listed: Listed, network: str, verb: str, body: dict[str, object]
) -> None:
    client.call(
        Request(
            f"{verb}_network",
            f"{verb} {listed.name} and network {network}",
            "POST",
            f"/networks/{quote(network, safe='')}/{verb}",
            body=body,
            timeout=30.0,
        )
    )
