"""
Containers: made, started, stopped, removed.

Whatever is asked for by name or id is looked up first, with our instance's label or in the
inventory, and then acted on by its id, so that nothing of somebody else's is ever touched.
"""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from reconciler.drivers.podman import (
    attachment,
    create_request,
    devices,
    differences,
    filling,
    host,
    host_paths,
    seccomp,
    selinux,
    temporary,
)
from reconciler.drivers.podman.app_names import AppNames
from reconciler.drivers.podman.apparmor import AppArmor
from reconciler.drivers.podman.belongings import Belongings
from reconciler.drivers.podman.client import Client, Request
from reconciler.drivers.podman.listing import Listed
from reconciler.drivers.podman.lookup import Lookup, exactly
from reconciler.drivers.podman.refusal import PORT_TAKEN, which_port, without
from reconciler.drivers.podman.shares import Shares
from reconciler.drivers.podman.users import UsersOf
from reconciler.errors import (
    DriverConflict,
    DriverError,
    DriverRejected,
    DriverUnavailable,
)
from reconciler.model.container import ContainerSpec, NetworkPolicy
from reconciler.model.isolation import Names
from reconciler.model.observed import ContainerState
from reconciler.ports import Secrets

# The third is what remains when the service was killed between the runtime's create and its start;
# a command that cannot be run fails in the create. The last: the text of its profile was lost.
_HALF_MADE = re.compile(
    r"already exists|layer not known|/(?:runc|crun) start \S+ failed|attr/(?:apparmor/)?exec",
    re.IGNORECASE,
)
_PAUSES = (0.05, 0.2, 0.5)  # between tries to remove what is just ending
_ENDED = {ContainerState.CREATED, ContainerState.EXITED, ContainerState.LOST}
_ABSENT = frozenset({404})


class Places(Struct, frozen=True):
    """What a container is given of the machine: directories, files, secrets, addresses, names."""

    data_dir: Path
    shares: Shares
    secrets: Secrets
    belongings: Belongings
    names: AppNames
    apparmor: AppArmor
    users: UsersOf


class Containers:
    """This instance's containers in Podman, to act on."""

    def __init__(
        self,
        client: Client,
        lookup: Lookup,
        instance: str,
        places: Places,
        warn: Callable[[str], None],
    ) -> None:
        self._client = client
        self._lookup = lookup
        self._instance = instance
        self._places = places
        self._warn = warn
        self._temporary = temporary.Temporary(client)

    def create(self, container: ContainerSpec, image: str) -> str:
        """
        Have it, of this image, and return its id.

        Replaces a half-made one, refuses one that is not ours.
        """
        name = container.container_name
        present = self._lookup.find(name)
        if present is not None:
            if present.container.state is not ContainerState.BROKEN:
                return present.ref
            self._delete_patiently(present)
        chosen = seccomp.with_profile(container, self._places.data_dir)
        chosen = replace(chosen, apparmor_profile=self._places.apparmor.chosen(container))
        here = filling.revealed(devices.present(chosen), self._places.secrets)
        users = self._places.users(container)
        body = create_request.create_request(here, self._instance, host.base_ulimits(), users)
        body["image"] = image
        mounts = cast("list[selinux.Mount]", body["mounts"])
        mounts = [*mounts, *self._places.shares.mounts(container)]
        own = (self._places.data_dir / container.app, self._places.shares.folder)
        body["mounts"] = selinux.labelled(mounts, own) if selinux.ENABLED.is_dir() else mounts
        attachment.keep_address(body, container, self._places.belongings)
        host_paths.prepare(container, self._places.data_dir, users)
        try:
            made = self._post_create(here, body)
        except DriverRejected as error:
            if "already in use" not in str(error):
                raise
            self._make_room(name, error)
            made = self._post_create(here, body)
        memory = temporary.targets(body)
        listed = self._lookup.find(made) if memory else None
        if listed is not None:
            self._temporary.open_up(name, listed.container.image_id, memory)
        return made

    def start(self, ref: str, names: Names = ()) -> Listed:
        """Have it running; returns what was started. One that cannot be started is removed."""
        listed = self._lookup.find(ref)
        if listed is None:
            raise DriverConflict(f"cannot start {ref}: it is gone; it is made again")
        match listed.container.state:
            case ContainerState.RUNNING:
                return listed
            case ContainerState.PAUSED:
                self._post("unpause", listed, "start_container")
            case ContainerState.CREATED | ContainerState.EXITED:
                self._places.apparmor.ready(listed.name)
                self._lookup.we_start(listed.ref)
                self._post_start(listed, names)
            case ContainerState.ENDING:
                raise DriverConflict(f"cannot start {listed.name}: it is just ending")
            case ContainerState.LOST | ContainerState.BROKEN:
                self._clear_away(listed)
        return listed

    def stop(self, ref: str, grace: float) -> None:
        """Have it not running: asked, waited for, killed."""
        listed = self._lookup.find(ref)
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
        self._lookup.we_stop(listed.ref)
        try:
            self._post_stop(listed, max(0, round(grace)))
        except DriverRejected:
            # It may have ended by itself in the same moment, which Podman calls improper.
            if not self._ends_soon(listed.ref):
                raise

    def remove(self, ref: str) -> str:
        """
        Have it gone, at once; returns its id, if it was there.

        Its named volumes stay; what only it could see goes with it.
        """
        listed = self._lookup.find_unseen(ref)
        if listed is None:
            return ""
        try:
            self._delete_patiently(listed)
        except DriverUnavailable:
            # The service finishes what it began even if nobody waits: look before complaining.
            if self._lookup.find_unseen(listed.ref) is not None:
                raise
        return listed.ref

    def _post_create(self, container: ContainerSpec, body: dict[str, object]) -> str:
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
            # A missing network answers 500: the plan was made for another world.
            if "network not found" not in covered:
                raise differences.cannot_create(type(error)(covered)) from error
            if container.network_policy is NetworkPolicy.NAMED:
                raise DriverRejected(
                    f"cannot create {name}: there is no network {container.network};"
                    f" make it (`podman network create {container.network}`), or name another",
                ) from error
            raise DriverConflict(covered) from error
        made = reply.object()
        for warning in made.get("Warnings") or ():
            self._warn(f"{name}: {warning}")
        return str(made["Id"])

    def _make_room(self, name: str, error: DriverRejected) -> None:
        """Remove what is left of a half-made container of that name; never somebody else's."""
        others = self._lookup.list_raw({"name": [exactly(name)]})
        if any(name in (other.get("Names") or ()) for other in others):
            if self._lookup.find_unseen(name) is None:
                raise DriverRejected(
                    f"cannot create {name}: the name is taken by a container that is not ours;"
                    " rename or remove it",
                ) from error
            raise DriverConflict(f"cannot create {name}: it was made meanwhile") from error
        # Only its storage is there: made by a service that was killed before it wrote it down.
        self._delete(name, name)

    def _post_stop(self, listed: Listed, seconds: int) -> None:
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

    def _ends_soon(self, ref: str) -> bool:
        for pause in _PAUSES:
            listed = self._lookup.find(ref)
            if listed is None or listed.container.state in _ENDED:
                return True
            threading.Event().wait(pause)
        return False

    def _delete_patiently(self, listed: Listed) -> None:
        """Remove it; one that is just ending, or whose conmon is gone, is refused at first."""
        for pause in _PAUSES:
            try:
                self._delete(listed.ref, listed.name)
            except DriverRejected:
                threading.Event().wait(pause)
            else:
                break
        else:
            self._delete(listed.ref, listed.name)
        self._places.apparmor.forget(listed.name)

    def _post_start(self, listed: Listed, names: Names) -> None:
        try:
            attachment.with_any_address(self._client, listed, lambda: self._begin(listed, names))
        except DriverRejected as error:
            if PORT_TAKEN.search(str(error)):
                raise DriverRejected(which_port(listed.name, str(error))) from error
            now = self._lookup.find(listed.ref)
            if now is not None and now.container.state is ContainerState.RUNNING:
                return  # somebody else started it in the same moment
            if _HALF_MADE.search(str(error)):
                self._clear_away(listed, error)
            raise

    def _begin(self, listed: Listed, names: Names) -> None:
        """Podman writes its hosts file before the first instruction, and we between the two."""
        if names:
            if listed.word != "initialized":
                self._post("init", listed, "init_container", timeout=90.0)
            self._places.names.write(listed, names)
        self._post("start", listed, "start_container", timeout=90.0)

    def _clear_away(self, listed: Listed, error: Exception | None = None) -> None:
        self._delete_patiently(listed)
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
