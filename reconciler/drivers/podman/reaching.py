"""
Tries connections from inside a container's network, with sockets that were made there.

Nothing is sent but the first packet of each; who answers is hung up on at once.
"""

import errno
import os
import re
import select
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from reconciler.drivers.podman.liveness import Liveness, read_all
from reconciler.drivers.podman.network_namespace import socket_in
from reconciler.errors import DriverConflict, DriverRejected
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.trial import MACHINE, Reach, Target

SECONDS = 2.5  # the kernel asks a second time after one
OTHERS = 2  # addresses of the machine that are tried besides the bridge's
_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")
_SHUT = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM}
_CLOSED = {errno.ECONNREFUSED, errno.ECONNRESET}
_WORST = (Reach.OPEN, Reach.CLOSED, Reach.SILENT, Reach.SHUT)


def reach(
    liveness: Liveness,
    container: ObservedContainer,
    targets: tuple[Target, ...],
) -> tuple[Reach, ...]:
    """Return what became of each."""
    if not liveness.rootful:
        raise DriverRejected(
            "cannot try what an app reaches: its network is entered by root alone"
        )
    if container.state is not ContainerState.RUNNING:
        raise DriverConflict(
            f"cannot try what {container.container_name} reaches: it does not run"
        )

    def make() -> socket.socket:
        return socket_in(liveness, container.pid, container.ref, socket.AF_INET)

    meant = [_addresses(target, container.pid) for target in targets]
    flat = [
        (address, t.port) for t, found in zip(targets, meant, strict=True) for address in found
    ]
    try:
        results = iter(connect(make, flat))
    except (ProcessLookupError, OSError) as error:
        raise DriverConflict(
            f"cannot try what {container.container_name} reaches: its network is gone"
        ) from error
    return tuple(
        min((next(results) for _ in found), key=_WORST.index, default=Reach.SILENT)
        for found in meant
    )


def connect(
    make: Callable[[], socket.socket],
    targets: list[tuple[str, int]],
    seconds: float = SECONDS,
) -> list[Reach]:
    """Try all at once, and wait for the slowest as long as that."""
    found = [Reach.SILENT] * len(targets)
    with ExitStack() as stack:
        waiting: dict[int, tuple[int, socket.socket]] = {}
        poll = select.poll()
        for number, target in enumerate(targets):
            made = stack.enter_context(make())
            made.setblocking(False)
            code = made.connect_ex(target)
            if code != errno.EINPROGRESS:
                found[number] = _meaning(code)
                continue
            waiting[made.fileno()] = (number, made)
            poll.register(made, select.POLLOUT)
        ends = time.monotonic() + seconds
        while waiting and (left := ends - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                number, made = waiting.pop(descriptor)
                poll.unregister(descriptor)
                found[number] = _meaning(made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    return found


def _meaning(code: int) -> Reach:
    if code == 0:
        return Reach.OPEN
    if code in _CLOSED:
        return Reach.CLOSED
    return Reach.SHUT if code in _SHUT else Reach.SILENT


def _addresses(target: Target, pid: int) -> list[str]:
    if target.address != MACHINE:
        return [target.address]
    gateway = gateway_in(read_all(pid, "net/route"))
    own = dict.fromkeys(_LOCAL.findall(read_all(os.getpid(), "net/fib_trie")))
    others = [a for a in own if not a.startswith("127.") and a != gateway]
    return [*([gateway] if gateway else []), *others[:OTHERS]]


def gateway_in(table: str) -> str:
    """Return where a routing table of proc(5) sends what it knows no other way for."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000" and fields[2] != "00000000":
            return socket.inet_ntoa(int(fields[2], 16).to_bytes(4, sys.byteorder))
    return ""
