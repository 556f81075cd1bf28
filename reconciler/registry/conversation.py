"""
One request to a registry, and its answer, all within one deadline and bounded in size.

Whatever goes wrong is an OSError or an HTTPException here; `client` is who translates.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import SplitResult

from msgspec import Struct

_PIECE = 65536


class TooLarge(OSError):
    """It went on and on."""


class Answer(Struct, frozen=True):
    """What came back; `body` is empty for a HEAD."""

    status: int
    headers: Mapping[str, str]  # by name in lower case
    body: bytes


def converse(
    method: str,
    address: SplitResult,
    headers: Mapping[str, str],
    *,
    seconds: float,
    largest: int,
    context: Callable[[], ssl.SSLContext],
) -> Answer:
    """Ask and return the answer; TimeoutError when it is not all there in time."""
    if seconds <= 0:
        raise TimeoutError
    connection = _connection(address, seconds, context)
    late = threading.Event()
    # A connection forgets its socket once the answer begins, which has it from then on.
    opened: list[socket.socket] = []

    def end() -> None:
        late.set()
        for way in (connection.sock, *opened):
            with suppress(OSError, AttributeError):
                way.shutdown(socket.SHUT_RDWR)

    # A peer that sends a byte a second is never idle: the time for all of it needs a clock.
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        _send(connection, method, address, headers)
        opened.append(connection.sock)
        answer = _received(connection, method, largest)
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():  # what was cut off looks like an end
        raise TimeoutError
    return answer


def _connection(
    address: SplitResult, seconds: float, context: Callable[[], ssl.SSLContext]
) -> http.client.HTTPConnection:
    host = address.hostname or ""
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, address.port, timeout=seconds, context=context())
    return http.client.HTTPConnection(host, address.port, timeout=seconds)


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    address: SplitResult,
    headers: Mapping[str, str],
) -> None:
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    connection.request(method, target, headers={**headers, "Connection": "close"})


def _received(connection: http.client.HTTPConnection, method: str, largest: int) -> Answer:
    with connection.getresponse() as response:
        body = b""
        while method != "HEAD" and (piece := response.read1(_PIECE)):
            body += piece
            if len(body) > largest:
                raise TooLarge
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, body)
