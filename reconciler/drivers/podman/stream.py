"""
A reply read as it comes, on a connection of its own, that any thread may end at any time.

podman-py's session cannot be ended while another thread waits on it, and has no deadline for a
reply as a whole. Only the standard library is used here; its errors are translated by the
`client`, which is the one that opens streams.
"""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

from msgspec import Struct, field

_PIECE = 65536
_FRAME_HEADER = 8


class Ask(Struct, frozen=True):
    """A request whose reply is a stream. `deadline` (seconds) is for all of it; None: no end."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | IO[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    deadline: float | None = None
    patience: float = 30.0  # until the reply begins
    prefix: str = ""  # of another API than the client's own


class Stream:
    """One reply, as it comes."""

    def __init__(self, socket_path: Path, prefix: str, ask: Ask) -> None:
        self._ends = None if ask.deadline is None else time.monotonic() + ask.deadline
        self._lock = threading.Lock()
        self._closed = self._reading = False
        self._socket = connected(socket_path, min(ask.patience, ask.deadline or ask.patience))
        try:
            self._response = self._send(prefix, ask)
        except BaseException:
            self._socket.close()
            raise
        self.status = self._response.status

    def pieces(self) -> Iterator[bytes]:
        """Yield bytes as they arrive, until the end, the deadline (TimeoutError) or `close`."""
        with self._lock:
            if self._closed:
                return
            self._reading = True
        try:
            while not self._closed:
                if self._response.isclosed():  # with the last byte, in Python 3.12 and later
                    return
                self._socket.settimeout(self._left())
                piece = self._response.read1(_PIECE)
                if not piece:
                    return
                yield piece
        except (OSError, http.client.HTTPException, ValueError):
            if not self._closed:
                raise
        finally:
            self._release()

    def lines(self) -> Iterator[bytes]:
        """Yield lines as they arrive, without their ends."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield (1 output or 2 errors, bytes): each frame has its kind and size before it."""
        rest = b""
        for piece in self.pieces():
            rest += piece
            while len(rest) >= _FRAME_HEADER:
                end = _FRAME_HEADER + int.from_bytes(rest[4:_FRAME_HEADER], "big")
                if len(rest) < end:
                    break
                yield rest[0], rest[_FRAME_HEADER:end]
                rest = rest[end:]

    def text(self, most: int = _PIECE) -> str:
        """Return the beginning of what is left."""
        found = b""
        for piece in self.pieces():
            found += piece
            if len(found) >= most:
                break
        return found[:most].decode(errors="replace")

    def close(self) -> None:
        """End it; a thread that waits for the next piece sees the end."""
        with self._lock:
            self._closed = True
            reading = self._reading
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if not reading:  # else who reads lets go of it: it is not safe to do so beneath him
            self._release()

    def _send(self, prefix: str, ask: Ask) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self._socket
        query = f"?{urlencode(ask.params)}" if ask.params else ""
        headers = {"Connection": "close", **ask.headers}
        path = (ask.prefix or prefix) + ask.path + query
        connection.request(ask.method, path, ask.body, headers)
        return connection.getresponse()

    def _release(self) -> None:
        self._closed = True
        self._response.close()
        self._socket.close()

    def _left(self) -> float | None:
        if self._ends is None:
            return None
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def connected(path: Path, timeout: float) -> socket.socket:
    """Return a socket that is connected to a path."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
