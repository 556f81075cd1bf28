"""
The one importer of podman-py: its session over a unix socket, for requests that change something.

Podman's own library hides errors that matter (a pull that failed is an empty image to it), so we
ask for replies and read them ourselves.
"""

from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import unquote, urlparse

import podman
from podman.api.uds import UDSConnection, UDSConnectionPool
from typing_extensions import override

from reconciler.drivers.podman.stream import connected


class Reply(Protocol):
    """What a request returns."""

    status_code: int
    content: bytes


class Session(Protocol):
    """What we use of podman-py's APIClient, typed. Its errors are OSErrors, as requests has it."""

    def post(self, path: str, **options: object) -> Reply:
        """Send a body."""
        ...

    def delete(self, path: str, **options: object) -> Reply:
        """Delete."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class _Connection(UDSConnection):
    """podman-py's connection, but for the socket that it leaves open where nobody listens."""

    @override
    def connect(self) -> None:
        path = unquote(urlparse(str(cast("Any", self).uds)).netloc)
        self.sock = connected(Path(path), cast("float", self.timeout))


class _Pool(UDSConnectionPool):
    ConnectionCls = _Connection


def open_session(socket_path: Path) -> Session:
    """Return a session with the service at a path; for one thread."""
    opened = podman.PodmanClient(base_url=f"unix://{socket_path}")
    adapter = cast("Any", opened.api.get_adapter("http://"))
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool}
    return cast("Session", opened.api)
