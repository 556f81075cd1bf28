"""
Which Podman to talk to: the candidates for its API socket, in order, and whether one answers.

One that was named on purpose is the only candidate: quietly talking to another Podman instead
would be talking about other containers.
"""

import http.client
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from reconciler.errors import ConfigurationError, DriverUnavailable

PING_DEADLINE = 2.0
LONGEST_PATH = 107  # the kernel's limit for the path of a unix socket, less the final zero


class Candidate(Struct, frozen=True):
    """A socket that may be Podman's, and why it is thought so."""

    path: Path
    origin: str
    named: bool  # by the operator: then there is no other


def candidates(explicit: str | None, environment: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Return where Podman's API may be, the most wanted first."""
    if explicit:
        return (Candidate(socket_path(explicit, "--podman"), "--podman", named=True),)
    if address := environment.get("CONTAINER_HOST"):
        return (Candidate(socket_path(address, "CONTAINER_HOST"), "CONTAINER_HOST", named=True),)
    if os.geteuid() == 0:
        return (Candidate(Path("/run/podman/podman.sock"), "the system's service", named=False),)
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        path = Path(runtime, "podman/podman.sock")
        return (Candidate(path, "the user's service", named=False),)
    return ()


def find(explicit: str | None, environment: Mapping[str, str]) -> Candidate | None:
    """
    Return the first candidate that answers; None when there is none, and we may start our own.

    One that was named and does not answer is an error.
    """
    for candidate in candidates(explicit, environment):
        if answers(candidate.path):
            return candidate
        if candidate.named:
            raise DriverUnavailable(
                f"cannot reach Podman at {candidate.path} ({candidate.origin}): nobody "
                f"answers there; start it with "
                f"`podman system service --time=0 unix://{candidate.path}`"
            )
    return None


def socket_path(address: str, origin: str) -> Path:
    """Return the path in `unix:///path` or a plain absolute path; anything else is refused."""
    scheme, separator, rest = address.partition("://")
    path = Path(rest if separator else address)
    if separator and scheme != "unix":
        raise ConfigurationError(
            f'cannot use "{address}" from {origin}: a Podman behind {scheme}:// is another '
            f"machine's, and this program looks after its own; give unix:///path/of/podman.sock"
        )
    if not path.is_absolute():
        raise ConfigurationError(
            f'cannot use "{address}" from {origin}: the path is not absolute; '
            f"give unix:///path/of/podman.sock"
        )
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ConfigurationError(
            f'cannot use "{path}" from {origin}: a socket\'s path has at most {LONGEST_PATH} '
            f"bytes; choose a shorter directory"
        )
    return path


def answers(path: Path, deadline: float = PING_DEADLINE) -> bool:
    """Say whether Podman's API answers at `path`, within `deadline` seconds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(deadline)
        talk = http.client.HTTPConnection("podman", timeout=deadline)
        talk.sock = connection
        try:
            connection.connect(str(path))
            talk.request("GET", "/_ping")
            with talk.getresponse() as reply:
                return reply.status == http.client.OK and reply.read(16).strip() == b"OK"
        except (OSError, http.client.HTTPException):
            return False
