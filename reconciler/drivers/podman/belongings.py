"""Networks and volumes: made with our labels, refused where one of that name is not ours."""

import json
from collections.abc import Mapping
from urllib.parse import quote

from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.errors import DriverConflict, DriverError, DriverRejected
from reconciler.model import labels
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.observed import ObservedNetwork
from reconciler.ports import Inventory

_ABSENT = 404
_EXPECT_ABSENT = frozenset({_ABSENT})


class Belongings:
    """What this instance's apps own beside their containers."""

    def __init__(self, client: Client, instance: str, inventory: Inventory) -> None:
        self._client = client
        self._instance = instance
        self._inventory = inventory
        self._interfaces: dict[str, str] = {}
        self._subnets: dict[str, str] = {}

    def networks(self) -> list[ObservedNetwork]:
        """Return all networks of ours."""
        filters = json.dumps({"label": [f"{labels.INSTANCE}={self._instance}"]})
        request = Request(
            "list_networks",
            "list networks",
            "GET",
            "/networks/json",
            {"filters": filters},
        )
        found: list[ObservedNetwork] = []
        for network in self._client.call(request).objects():
            app = self._app_of(network.get("labels"))
            if app:
                name, interface = str(network["name"]), str(network.get("network_interface", ""))
                options: Json = network.get("options") or {}
                sealed = options.get("isolate") == "true"
                found.append(ObservedNetwork(name, app, interface, sealed))
                self._note(network)
        return found

    def address(self, network: str, place: int) -> str:
        """Return the address that a container keeps, counted from the network's last one."""
        from ipaddress import IPv4Network  # here, since a look has no use for it

        try:
            subnet = IPv4Network(self._subnets.get(network, ""))
        except ValueError:
            return ""
        fits = 0 < place < subnet.num_addresses // 2
        return str(subnet.broadcast_address - place) if fits else ""

    def _note(self, network: Json) -> None:
        name = str(network["name"])
        self._interfaces[name] = str(network.get("network_interface", ""))
        subnets = [str(s.get("subnet", "")) for s in network.get("subnets") or ()]
        self._subnets[name] = next((s for s in subnets if ":" not in s), "")

    def interface(self, network: str) -> str:
        """Return the name of a network's bridge, as far as it was seen."""
        return self._interfaces.get(network, "")

    def ensure_network(self, network: NetworkSpec) -> None:
        """
        Have the bridge network, in which names resolve.

        A sealed one is shut to other sealed ones by netavark, and no rule of ours can open it:
        the others are shut by our own.
        """
        if self._is_there("network", network.name):
            return
        body = {
            "name": network.name,
            "driver": "bridge",
            "dns_enabled": True,
            "network_interface": network.interface,
            "options": {"isolate": "true"} if network.sealed else {},
            "labels": self._labels(network.app),
        }
        self._make("network", network.name, "/networks/create", body)
        self._is_there("network", network.name)

    def ensure_volume(self, volume: VolumeSpec) -> None:
        """Have the volume."""
        if self._is_there("volume", volume.name):
            return
        marks = self._labels(volume.app) | {labels.SECRETS: ",".join(volume.secrets)}
        body = {"Name": volume.name, "Labels": marks}
        self._make("volume", volume.name, "/volumes/create", body)

    def volume_place(self, name: str) -> str:
        """Return the directory of a volume of ours; empty where there is none."""
        present = self._inspect("volume", name)
        if present is None:
            return ""
        if not self._owns("volume", name, present):
            raise DriverRejected(f"cannot measure volume {name}: it is not ours")
        return str(present.get("Mountpoint") or "")

    def remove_network(self, name: str) -> None:
        """Have the network gone; one that is not ours is left alone, as if it were absent."""
        present = self._inspect("network", name)
        if present is None or not self._app_of(present.get("labels")):
            return
        what = f"remove network {name}"
        request = Request(
            "remove_network",
            what,
            "DELETE",
            f"/networks/{quote(name, safe='')}",
            timeout=30.0,
            expected=_EXPECT_ABSENT,
        )
        try:
            self._client.call(request)
        except DriverRejected as error:
            if "is being used" in str(error) or "associated containers" in str(error):
                raise DriverConflict(f"cannot {what}: containers still use it") from error
            raise

    def _is_there(self, kind: str, name: str) -> bool:
        present = self._inspect(kind, name)
        if present is None:
            return False
        if not self._owns(kind, name, present):
            raise DriverRejected(
                f"cannot use {kind} {name}: one of that name is there and is not ours;"
                " rename or remove it",
            )
        if kind == "network":
            self._note(present)
        return True

    def _inspect(self, kind: str, name: str) -> Json | None:
        request = Request(
            f"inspect_{kind}",
            f"inspect {kind} {name}",
            "GET",
            f"/{kind}s/{quote(name, safe='')}/json",
            expected=_EXPECT_ABSENT,
        )
        reply = self._client.call(request)
        return None if reply.status == _ABSENT else reply.object()

    def _make(self, kind: str, name: str, path: str, body: Mapping[str, object]) -> None:
        request = Request(
            f"create_{kind}",
            f"create {kind} {name}",
            "POST",
            path,
            body=body,
            timeout=30.0,
        )
        try:
            self._client.call(request)
        except DriverError:
            # Somebody made it in the same moment: then it is there, or it is not ours.
            if not self._is_there(kind, name):
                raise

    def _labels(self, app: str) -> dict[str, str]:
        return {
            labels.FORMAT: labels.FORMAT_VERSION,
            labels.INSTANCE: self._instance,
            labels.APP: app,
        }

    def _owns(self, kind: str, name: str, present: Json) -> bool:
        """Whether it is ours by its labels, or was adopted and is nobody else's."""
        marks: dict[str, str] = present.get("labels") or present.get("Labels") or {}
        if kind == "volume" and not marks.get(labels.INSTANCE):
            return name in self._inventory.adoptions().volumes
        return bool(self._app_of(marks))

    def _app_of(self, marks: Mapping[str, str] | None) -> str:
        """Return whose it is; empty where it is not ours."""
        if not marks or marks.get(labels.INSTANCE) != self._instance:
            return ""
        return marks.get(labels.APP, "")
