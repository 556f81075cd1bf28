"""
Containers as they are: found by our labels or in the inventory, with what their processes say.

One list tells of all; only where a process contradicts Podman is that one container inspected.
"""

import json
import re
import time

from msgspec.structs import replace

from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.listing import (
    Listed,
    after_inspect,
    as_adopted,
    is_marked,
    is_ours,
    needs_process,
    parse_item,
)
from reconciler.drivers.podman.liveness import Liveness
from reconciler.model import labels
from reconciler.model.observed import ContainerState
from reconciler.ports import Inventory

REMOVAL_SECONDS = 1.0  # what `podman rm -f` may need after the process ended
_ID = re.compile(r"[0-9a-f]{64}")
_ABSENT = frozenset({404})


class Lookup:
    """This instance's containers in Podman, to look at."""

    def __init__(
        self, client: Client, instance: str, liveness: Liveness, inventory: Inventory
    ) -> None:
        self._client = client
        self._instance = instance
        self._inventory = inventory
        self._liveness = liveness
        self._stopping: dict[str, float] = {}  # when it was last seen to be stopped
        self._stopped: dict[str, float] = {}  # when it was first seen not to be cleaned up
        self._ours: set[str] = set()

    def we_stop(self, ref: str) -> None:
        """Know that it is we who stop it: nobody is going to remove it."""
        self._ours.add(ref)

    def we_start(self, ref: str) -> None:
        """Know that a run of it begins, and that nothing is known of its end."""
        self._forget(ref)

    def _forget(self, ref: str) -> None:
        self._ours.discard(ref)
        self._stopping.pop(ref, None)
        self._stopped.pop(ref, None)

    def all(self) -> list[Listed]:
        """Return all of ours, each with the state of its process."""
        listed = self._list({})
        seen = [self._seen(each) for each in listed]
        known = self._stopping.keys() | self._stopped.keys() | self._ours
        for ref in known - {each.ref for each in listed}:
            self._forget(ref)
        return [each for each in seen if each is not None]

    def find(self, ref: str) -> Listed | None:
        """Return one of ours, by id or name, with the state of its process."""
        listed = self.find_unseen(ref)
        return None if listed is None else self._seen(listed)

    def _list(self, filters: dict[str, list[str]]) -> list[Listed]:
        """Return those with our labels, and those that stand for them in the inventory."""
        adopted = self._inventory.adoptions().containers
        ours = {"label": [f"{labels.INSTANCE}={self._instance}"], **filters}
        items = self.list_raw(ours)
        found = [parse_item(item) for item in items if is_ours(item, self._instance)]
        if not adopted:
            return found
        more = self.list_raw(filters or {"id": sorted(adopted)})
        return found + [
            as_adopted(parse_item(item), adopted[item["Id"]], self._instance)
            for item in more
            if item["Id"] in adopted and not is_marked(item)
        ]

    def list_raw(self, filters: dict[str, list[str]]) -> list[Json]:
        """Return containers of anybody, as listed."""
        request = Request(
            "list_containers",
            "list containers",
            "GET",
            "/containers/json",
            {"all": "true", "filters": json.dumps(filters)},
        )
        return self._client.call(request).objects()

    def find_unseen(self, ref: str) -> Listed | None:
        """Return one of ours as listed, whatever its process says."""
        found = self._list(_only(ref))
        return next((listed for listed in found if ref in {listed.ref, listed.name}), None)

    def _seen(self, listed: Listed) -> Listed | None:
        """
        Return it with what its process says.

        One that somebody else stops may be about to be removed: what would be started in between
        loses its container and runs on, so for a while it counts as ending.
        """
        if listed.word == "stopping":
            self._stopping[listed.ref] = time.monotonic()
        seen = self._with_process(listed)
        if seen is None or seen.container.state is not ContainerState.EXITED:
            return seen
        now = time.monotonic()
        # Without its conmon it is cleaned up in a moment, or removed, or (after a crash) never.
        unclean = seen.word == "stopped"
        since = (
            self._stopped.setdefault(seen.ref, now) if unclean else self._stopping.get(seen.ref)
        )
        if since is None or seen.ref in self._ours or now >= since + REMOVAL_SECONDS:
            return seen
        return replace(seen, container=replace(seen.container, state=ContainerState.ENDING))

    def _with_process(self, listed: Listed) -> Listed | None:
        """Ask the kernel, and Podman again only where the two contradict each other."""
        container = listed.container
        if not needs_process(listed.word):
            return listed
        if self._liveness.runs(container.pid, listed.ref):
            if listed.word != "running":
                return listed
            began = self._liveness.began(container.pid)
            return replace(listed, container=replace(container, process_start=began))
        what = f"inspect {listed.name}"
        path = f"/containers/{listed.ref}/json"
        expected = frozenset({404, 500})
        reply = self._client.call(
            Request("inspect_container", what, "GET", path, expected=expected)
        )
        if reply.status in _ABSENT:
            return None
        inspected = reply.object() if reply.status not in expected else {}
        state: dict[str, object] = inspected.get("State") or {"Status": "unknown"}
        pid, conmon = _number(state.get("Pid")), _number(state.get("ConmonPid"))
        return after_inspect(
            listed,
            {"State": state},
            process=self._liveness.runs(pid, listed.ref),
            watched=self._liveness.watched(conmon, listed.ref),
        )


def _only(ref: str) -> dict[str, list[str]]:
    return {"id": [ref]} if _ID.fullmatch(ref) else {"name": [exactly(ref)]}


def exactly(name: str) -> str:
    """Return the filter that a name and nothing else passes: Podman takes a pattern."""
    return f"^{re.escape(name)}$"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
