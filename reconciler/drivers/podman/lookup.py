"""
Containers as they are: found by our labels, with what their processes say.

One list tells of all; only where a process contradicts Podman is that one container inspected.
"""

import json
import re

from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.listing import (
    Listed,
    after_inspect,
    is_ours,
    needs_process,
    parse_item,
)
from reconciler.drivers.podman.liveness import Liveness
from reconciler.model import labels

_ID = re.compile(r"[0-9a-f]{64}")
_ABSENT = frozenset({404})


class Lookup:
    """This instance's containers in Podman, to look at."""

    def __init__(self, client: Client, instance: str, liveness: Liveness) -> None:
        self._client = client
        self._instance = instance
        self._liveness = liveness

    def all(self) -> list[Listed]:
        """Return all of ours, each with the state of its process."""
        seen = [self._seen(listed) for listed in self._list({})]
        return [listed for listed in seen if listed is not None]

    def find(self, ref: str) -> Listed | None:
        """Return one of ours, by id or name, with the state of its process."""
        listed = self.find_unseen(ref)
        return None if listed is None else self._seen(listed)

    def _list(self, filters: dict[str, list[str]]) -> list[Listed]:
        ours = {"label": [f"{labels.INSTANCE}={self._instance}"], **filters}
        items = self.list_raw(ours)
        return [parse_item(item) for item in items if is_ours(item, self._instance)]

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
        """Return it with what its process says; asks Podman again only where that is odd."""
        container = listed.container
        if not needs_process(listed.word) or self._liveness.runs(container.pid, listed.ref):
            return listed
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
