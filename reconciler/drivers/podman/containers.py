"""
Containers: found by our labels, made, started, stopped, removed.

Whatever is asked for by name or id is looked up with our instance's label first, and then acted
on by its id, so that nothing of somebody else's is ever touched.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from reconciler.drivers.podman import create_request, host_paths
from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.listing import (
    Listed,
    after_inspect,
    is_ours,
    needs_process,
    parse_item,
)
from reconciler.drivers.podman.liveness import Liveness
from reconciler.drivers.podman.refusal import without
from reconciler.errors import (
    DriverConflict,
    DriverError,
    DriverRejected,
    DriverUnavailable,
)
from reconciler.model import labels
from reconciler.model.desired import ContainerSpec
from reconciler.model.observed import ContainerState

_ID = re.compile(r"[0-9a-f]{64}")
_PORT_TAKEN = re.compile(r"address already in use|port is already allocated", re.IGNORECASE)
_HALF_MADE = re.compile(
    r"already exists|layer not known|container state improper|invalid argument.*container",
    re.IGNORECASE,
)
_NOT_MODIFIED = 304
_ABSENT = frozenset({404})


class Containers:
    """This instance's containers in Podman."""

    def __init__(
        self,
        client: Client,
        instance: str,
        liveness: Liveness,
        data_dir: Path,
        warn: Callable[[str], None],
    ) -> None:
        self._client = client
        self._instance = instance
        self._liveness = liveness
        self._data_dir = data_dir
        self._warn = warn

    def all(self) -> list[Listed]:
        """Return all of ours, each with the state of its process."""
        seen = [self._seen(listed) for listed in self._list({})]
        return [listed for listed in seen if listed is not None]

    def find(self, ref: str) -> Listed | None:
        """Return one of ours, by id or name, with the state of its process."""
        listed = self._find(ref)
        return None if listed is None else self._seen(listed)

    def create(self, container: ContainerSpec) -> None:
        """Have it; replaces a half-made one, refuses one that is not ours."""
        name = container.container_name
        present = self.find(name)
        if present is not None:
            if present.container.state is not ContainerState.BROKEN:
                return
            self._delete(present.ref, name)
        body = create_request.create_request(container, self._instance)
        host_paths.prepare(container, self._data_dir)
        try:
            self._post_create(container, body)
        except DriverRejected as error:
            if "already in use" not in str(error):
                raise
            self._make_room(name, error)
            self._post_create(container, body)

    def start(self, ref: str) -> Listed:
        """Have it running; returns what was started. One that cannot be started is removed."""
        listed = self.find(ref)
        if listed is None:
            raise DriverConflict(f"cannot start {ref}: it is gone; it is made again")
        match listed.container.state:
            case ContainerState.RUNNING:
                return listed
            case ContainerState.PAUSED:
                self._post("unpause", listed, "start_container")
            case ContainerState.CREATED | ContainerState.EXITED:
                self._post_start(listed)
            case ContainerState.ENDING:
                raise DriverConflict(f"cannot start {listed.name}: it is just ending")
            case ContainerState.LOST | ContainerState.BROKEN:
                self._clear_away(listed)
        return listed

    def stop(self, ref: str, grace: float) -> None:
        """Have it not running: asked, waited for, killed."""
        listed = self.find(ref)
        if listed is None:
            return
        if listed.container.state is ContainerState.PAUSED:
            self._post("unpause", listed, "stop_container")
        if listed.container.state not in {
            ContainerState.RUNNING,
            ContainerState.PAUSED,
            ContainerState.ENDING,
        }:
            return
        seconds = max(0, round(grace))
        self._client.call(
            Request(
                "stop_container",
                f"stop {listed.name}",
                "POST",
                f"/containers/{listed.ref}/stop",
                {"timeout": str(seconds)},
                timeout=seconds + 30.0,
                expected=_ABSENT,
            )
        )

    def remove(self, ref: str) -> None:
        """Have it gone, at once. Its named volumes stay; what only it could see goes with it."""
        listed = self._find(ref)
        if listed is None:
            return
        try:
            self._delete(listed.ref, listed.name)
        except DriverUnavailable:
            # The service finishes what it began even if nobody waits: look before complaining.
            if self._find(listed.ref) is not None:
                raise

    def _list(self, filters: dict[str, list[str]]) -> list[Listed]:
        ours = {"label": [f"{labels.INSTANCE}={self._instance}"], **filters}
        items = self._list_raw(ours)
        return [parse_item(item) for item in items if is_ours(item, self._instance)]

    def _list_raw(self, filters: dict[str, list[str]]) -> list[Json]:
        request = Request(
            "list_containers",
            "list containers",
            "GET",
            "/containers/json",
            {"all": "true", "filters": json.dumps(filters)},
        )
        return self._client.call(request).objects()

    def _find(self, ref: str) -> Listed | None:
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

    def _post_create(self, container: ContainerSpec, body: dict[str, object]) -> None:
        name = container.container_name
        request = Request(
            "create_container",
            f"create {name}",
            "POST",
            "/containers/create",
            body=body,
            timeout=60.0,
        )
        try:
            reply = self._client.call(request)
        except DriverError as error:
            covered = without(str(error), (value for _, value in container.environment))
            # A missing image or network answers 500: the plan was made for another world.
            kind = DriverConflict if "network not found" in covered else type(error)
            raise kind(covered) from error
        for warning in reply.object().get("Warnings") or ():
            self._warn(f"{name}: {warning}")

    def _make_room(self, name: str, error: DriverRejected) -> None:
        """Remove what is left of a half-made container of that name; never somebody else's."""
        others = self._list_raw({"name": [_exactly(name)]})
        if any(name in (other.get("Names") or ()) for other in others):
            if self._find(name) is None:
                raise DriverRejected(
                    f"cannot create {name}: the name is taken by a container that is not ours;"
                    " rename or remove it",
                ) from error
            raise DriverConflict(f"cannot create {name}: it was made meanwhile") from error
        # Only its storage is there: made by a service that was killed before it wrote it down.
        self._delete(name, name)

    def _post_start(self, listed: Listed) -> None:
        try:
            self._post("start", listed, "start_container", timeout=90.0)
        except DriverRejected as error:
            if _PORT_TAKEN.search(str(error)):
                raise DriverRejected(_which_port(listed.name, str(error))) from error
            if _HALF_MADE.search(str(error)):
                self._clear_away(listed, error)
            raise

    def _clear_away(self, listed: Listed, error: Exception | None = None) -> None:
        self._delete(listed.ref, listed.name)
        raise DriverConflict(
            f"cannot start {listed.name}: it was half-made and is removed; it is made again",
        ) from error

    def _post(self, verb: str, listed: Listed, kind: str, timeout: float = 30.0) -> None:
        self._client.call(
            Request(
                kind,
                f"{verb} {listed.name}",
                "POST",
                f"/containers/{listed.ref}/{verb}",
                timeout=timeout,
            )
        )

    def _delete(self, ref: str, name: str) -> None:
        self._client.call(
            Request(
                "remove_container",
                f"remove {name}",
                "DELETE",
                f"/containers/{quote(ref, safe='')}",
                # Without a timeout of 0 it waits the container's own; volumes: unnamed ones only.
                {"force": "true", "timeout": "0", "volumes": "true"},
                timeout=60.0,
                expected=_ABSENT,
            )
        )


def _only(ref: str) -> dict[str, list[str]]:
    return {"id": [ref]} if _ID.fullmatch(ref) else {"name": [_exactly(ref)]}


def _exactly(name: str) -> str:
    return f"^{re.escape(name)}$"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _which_port(name: str, message: str) -> str:
    found = re.search(r":(\d+)\b(?=[^:]*(?:: (?:bind|listen))?.*already)", message)
    port = f"port {found[1]}" if found else "one of its ports"
    return (
        f"cannot start {name}: {port} is in use;"
        " choose another host port, or stop what listens there"
    )
