"""Stands between the reconciler and Podman's service, and writes down what is asked."""

import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import NamedTuple

_PIECE = 65536
_LENGTH = re.compile(rb"(?im)^content-length:\s*(\d+)\s*$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:.*chunked")


class Asked(NamedTuple):
    method: str
    path: str

    @property
    def mutates(self):
        return self.method not in {"GET", "HEAD"}

    @property
    def what(self):
        """The path without the API's version and without what was asked for by filter."""
        return re.sub(r"^/v[0-9.]+/libpod", "", self.path.partition("?")[0])


class Proxy:
    """Listens at `path`; every connection has one of its own to `upstream`."""

    def __init__(self, path, upstream):
        self.path, self._upstream = path, upstream
        self._lock, self._asked, self._open = threading.Lock(), [], []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def asked(self):
        with self._lock:
            return list(self._asked)

    @contextmanager
    def recording(self):
        """A list that holds, after the body, what was asked meanwhile."""
        with self._lock:
            at = len(self._asked)
        meanwhile = []
        yield meanwhile
        with self._lock:
            meanwhile += self._asked[at:]

    def wait_until_quiet(self, seconds=1.0, patience=30.0):
        """Wait until nothing was asked for a while: what was begun has ended."""
        ends = time.monotonic() + patience
        before, since = -1, time.monotonic()
        while time.monotonic() < ends:
            now = len(self.asked)
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since >= seconds:
                return
            time.sleep(0.02)
        raise AssertionError(f"never quiet: {self.asked[-20:]}")

    def close(self):
        with self._lock:
            ends = [self._listener, *self._open]
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server, client:
            with self._lock:
                self._open += [client, server]
            with suppress(OSError):
                server.connect(str(self._upstream))
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                for piece in self._noting(_pieces(client)):
                    server.sendall(piece)
                server.shutdown(socket.SHUT_WR)
                back.join()

    def _noting(self, pieces):
        """Pass on what comes, and note the first line of each request in it."""
        rest = b""
        for piece in pieces:
            rest += piece
            while (request := _request(rest)) is not None:
                asked, size = request
                with self._lock:
                    self._asked.append(asked)
                rest = rest[size:]
            yield piece


def _request(data):
    """The first request in `data` and its size; None while it is not whole."""
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    head = data[:end]
    if _CHUNKED.search(head):
        body = data.find(b"0\r\n\r\n", end)
        size = body + 5 if body >= 0 else None
    else:
        length = _LENGTH.search(head)
        size = end + (int(length[1]) if length else 0)
    if size is None or size > len(data):
        return None
    method, path, _ = head.split(b" ", 2)
    return Asked(method.decode(), path.decode()), size


def _pieces(end):
    with suppress(OSError):
        while piece := end.recv(_PIECE):
            yield piece


def _copy(source, target):
    with suppress(OSError):
        for piece in _pieces(source):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
