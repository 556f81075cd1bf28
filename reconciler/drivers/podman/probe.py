"""
Asks a container whether it is well, from the inside: `localhost` is the container itself.

As root the question is put by sockets made in its network. Without that right it goes to the
published port where there is one; else a process of ours enters the container's user and network
namespaces (nsenter -U -n) and asks there.
"""

import json
import socket
import subprocess
import sys

from msgspec.structs import asdict, replace

from reconciler.drivers.podman import exec_probe
from reconciler.drivers.podman.asking import ask
from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.foreign_execs import ForeignExecs
from reconciler.drivers.podman.liveness import Liveness
from reconciler.drivers.podman.network_namespace import socket_in
from reconciler.errors import DriverConflict, DriverError
from reconciler.model.container import HealthCheck, HealthKind
from reconciler.model.health import ProbeResult
from reconciler.model.observed import ObservedContainer

_REACHED_ON_LOOPBACK = {"", "0.0.0.0", "127.0.0.1", "::", "::1"}  # noqa: S104 - compared only
_NOT_RUNNING = ProbeResult(False, "the container is not running")


class Prober:
    """Probes containers."""

    def __init__(self, client: Client, liveness: Liveness, execs: ForeignExecs) -> None:
        self._client = client
        self._liveness = liveness
        self._execs = execs

    def probe(self, container: ObservedContainer, check: HealthCheck) -> ProbeResult:
        """Ask; never raises."""
        try:
            if check.kind is HealthKind.EXEC:
                with self._execs.ours(container.ref):
                    return exec_probe.run(self._client, self._liveness, container.ref, check)
            if self._liveness.rootful:
                return self._from_inside(container, check)
            return self._without_rights(container, check)
        except (ProcessLookupError, DriverConflict):
            return _NOT_RUNNING
        except DriverError as error:
            return ProbeResult(False, str(error))
        except Exception as error:  # noqa: BLE001 - the port says that a probe never raises
            return ProbeResult(False, f"the probe itself failed: {type(error).__name__}")

    def _from_inside(self, container: ObservedContainer, check: HealthCheck) -> ProbeResult:
        def open_socket(family: int) -> socket.socket:
            return socket_in(self._liveness, container.pid, container.ref, family)

        if not self._liveness.runs(container.pid, container.ref):
            raise ProcessLookupError
        return ask(check, open_socket)

    def _without_rights(self, container: ObservedContainer, check: HealthCheck) -> ProbeResult:
        if not self._liveness.runs(container.pid, container.ref):
            raise ProcessLookupError
        published = self._published(container.ref, check.port)
        if published:
            return ask(
                replace(check, port=published),
                lambda family: socket.socket(family, socket.SOCK_STREAM),
            )
        return _from_a_child(container.pid, check)

    def _published(self, ref: str, port: int) -> int | None:
        """Return the host's port behind which a container's port is, on loopback."""
        request = Request(
            "inspect_container",
            "probe the container",
            "GET",
            f"/containers/{ref}/json",
        )
        settings: Json = self._client.call(request).object().get("NetworkSettings") or {}
        ports: dict[str, list[dict[str, str]] | None] = settings.get("Ports") or {}
        for binding in ports.get(f"{port}/tcp") or ():
            if binding.get("HostIp") in _REACHED_ON_LOOPBACK:
                return int(binding["HostPort"])
        return None


def _from_a_child(pid: int, check: HealthCheck) -> ProbeResult:
    question = json.dumps(asdict(check) | {"command": []})
    command = ["nsenter", "-t", str(pid), "-U", "-n", "--preserve-credentials"]
    try:
        done = subprocess.run(
            [*command, sys.executable, "-m", "reconciler.drivers.podman.asking", question],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=check.timeout + 5.0,
            check=True,
        )
        return ProbeResult(**json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return ProbeResult(False, "the container's network cannot be entered")
