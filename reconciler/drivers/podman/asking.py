"""
The conversation of a probe: connect, ask, read the answer's first line, all within one deadline.

Also a program (`python -m`): where the reconciler has no right to enter a container's network, it
sends this there, in a process of its own.
"""

import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from reconciler.model.container import HealthCheck, HealthKind
from reconciler.model.health import ProbeResult

OpenSocket = Callable[[int], socket.socket]  # an address family's
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_LONGEST_HEADER = 16384
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r|\n|$)")
_FIRST_OK, _FIRST_BAD = 200, 400


def ask(check: HealthCheck, open_socket: OpenSocket) -> ProbeResult:
    """Ask over sockets of the caller's making; never raises for what the network does."""
    ends = time.monotonic() + check.timeout
    try:
        with _connect(check.port, open_socket, ends) as connection:
            if check.kind is HealthKind.TCP:
                return ProbeResult(True)
            return _http(check, connection, ends)
    except TimeoutError:
        return ProbeResult(False, f"no answer within {check.timeout:g} s")
    except ConnectionRefusedError:
        return ProbeResult(False, "connection refused")
    except ssl.SSLError as error:
        return ProbeResult(False, f"no TLS: {(error.reason or 'unknown').lower()}")
    except OSError as error:
        return ProbeResult(False, (error.strerror or "the connection broke").lower())


def main() -> None:
    """Ask as the first argument (a check in JSON) says, and print the result in JSON."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    given["kind"] = HealthKind(given["kind"])
    check = HealthCheck(**given)
    result = ask(check, lambda family: socket.socket(family, socket.SOCK_STREAM))
    sys.stdout.write(json.dumps(asdict(result)))


def _connect(port: int, open_socket: OpenSocket, ends: float) -> socket.socket:
    """Connect to the first loopback address that takes it."""
    first: OSError | None = None
    for family, host in _LOOPBACK:
        try:
            connection = open_socket(family)
        except OSError as error:
            first = first or error
            continue
        try:
            connection.settimeout(_left(ends))
            connection.connect((host, port))
        except OSError as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise
            first = first or error
        else:
            return connection
    raise first or ConnectionRefusedError


def _http(check: HealthCheck, plain: socket.socket, ends: float) -> ProbeResult:
    connection = _encrypted(plain, ends) if check.scheme == "https" else plain
    with connection:
        connection.settimeout(_left(ends))
        connection.sendall(_request(check))
        status = _status(connection, ends)
    if status is None:
        return ProbeResult(False, "does not answer in HTTP")
    ok = _FIRST_OK <= status < _FIRST_BAD
    return ProbeResult(ok, "" if ok else f"answers {status}")


def _encrypted(plain: socket.socket, ends: float) -> socket.socket:
    # It is the app itself, on its own loopback: there is nobody to tell it from.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain.settimeout(_left(ends))
    return context.wrap_socket(plain, server_hostname="localhost")


def _request(check: HealthCheck) -> bytes:
    lines = (
        f"GET {check.path} HTTP/1.1",
        f"Host: localhost:{check.port}",
        "User-Agent: archipelago",
        "Accept: */*",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _status(connection: socket.socket, ends: float) -> int | None:
    """Return the status of the answer; interim ones (1xx) are passed over."""
    got = b""
    while len(got) < _LONGEST_HEADER:
        if b"\n" in got:
            match = _STATUS.match(got)
            if match is None:
                return None
            if int(match[1]) >= _FIRST_OK:
                return int(match[1])
            _, whole, rest = got.partition(b"\r\n\r\n")
            if whole:
                got = rest
                continue
        connection.settimeout(_left(ends))
        piece = connection.recv(4096)
        if not piece:
            return None
        got += piece
    return None


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


if __name__ == "__main__":
    main()
