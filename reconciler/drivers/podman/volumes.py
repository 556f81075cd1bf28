"""Data volumes: all that there are, who uses one, and the end of one that is ours."""

import json
from urllib.parse import quote

from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.listing import moment
from reconciler.errors import DriverConflict, DriverRejected
from reconciler.model import labels
from reconciler.model.volume import ObservedVolume
from reconciler.ports import Inventory

_ABSENT, _IN_USE = 404, 409
_EXPECT_ABSENT = frozenset({_ABSENT})


class Volumes:
    """This instance's volumes in Podman."""

    def __init__(self, client: Client, instance: str, inventory: Inventory) -> None:
        self._client = client
        self._instance = instance
        self._inventory = inventory

    def all(self) -> tuple[ObservedVolume, ...]:
        """Return ours, and those that are named so and labelled by nobody."""
        # Podman cannot be asked for what has no label.
        request = Request("list_volumes", "list volumes", "GET", "/volumes/json")
        found = [self._seen(item) for item in self._client.call(request).objects()]
        known = [volume for volume in found if volume is not None]
        return tuple(sorted(known, key=lambda v: (v.app, v.name)))

    def users(self, name: str) -> tuple[str, ...]:
        """Return the names of all containers, anybody's, that it is mounted in."""
        request = Request(
            "list_containers",
            f"look who uses volume {name}",
            "GET",
            "/containers/json",
            {"all": "true", "filters": json.dumps({"volume": [name]})},
        )
        items = self._client.call(request).objects()
        return tuple(sorted((item.get("Names") or [str(item["Id"])[:12]])[0] for item in items))

    def remove(self, name: str) -> None:
        """Have it gone."""
        present = self._inspected(name)
        if present is None:
            return
        marks: dict[str, str] = present.get("Labels") or {}
        if not self._app_of(name, marks):
            raise DriverRejected(f"cannot remove volume {name}: it is not ours")
        reply = self._client.call(
            Request(
                "remove_volume",
                f"remove volume {name}",
                "DELETE",
                f"/volumes/{quote(name, safe='')}",
                timeout=120.0,  # a large one takes its time
                expected=frozenset({_ABSENT, _IN_USE}),
            )
        )
        if reply.status == _IN_USE:
            used_by = ", ".join(self.users(name)) or "a container"
            raise DriverConflict(f"cannot remove volume {name}: {used_by} uses it")

    def _inspected(self, name: str) -> Json | None:
        request = Request(
            "inspect_volume",
            f"inspect volume {name}",
            "GET",
            f"/volumes/{quote(name, safe='')}/json",
            expected=_EXPECT_ABSENT,
        )
        reply = self._client.call(request)
        return None if reply.status == _ABSENT else reply.object()

    def _seen(self, item: Json) -> ObservedVolume | None:
        marks: dict[str, str] = item.get("Labels") or {}
        name, instance = str(item["Name"]), marks.get(labels.INSTANCE)
        app = self._app_of(name, marks)
        named_so = instance is None and name.startswith(f"{self._instance}-")
        if not app and not named_so:
            return None
        told = marks.get(labels.SECRETS) if app else None  # one that was adopted says nothing
        secrets = None if told is None else tuple(part for part in told.split(",") if part)
        return ObservedVolume(name, app, moment(item.get("CreatedAt")), secrets)

    def _app_of(self, name: str, marks: dict[str, str]) -> str:
        """Return whose it is; empty where it is not ours."""
        instance = marks.get(labels.INSTANCE)
        if not instance:
            return self._inventory.adoptions().volumes.get(name, "")
        return marks.get(labels.APP, "") if instance == self._instance else ""
