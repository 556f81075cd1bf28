"""Waits until nobody is connected to a container any more, as the kernel of its network has it."""

import threading
import time

from reconciler.drivers.podman.liveness import read_all

LOOK_SECONDS = 0.1
QUIET_LOOKS = 5  # with nobody, one after the other: what is just beginning may not be counted yet
# States of proc(5)'s net/tcp in which there is somebody, or something was not delivered yet.
_OPEN = frozenset({"01", "03", "04", "08", "09", "0B"})
_LISTENS = "0A"
# 127.0.0.0/8, and what stands for the loopback with addresses of IPv6.
_LOOPBACK = ("7F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


def drain(pid: int, grace: float, stop: threading.Event) -> None:
    """Return once nobody is connected to a container (by its process), or grace is over."""
    ends, quiet = time.monotonic() + grace, 0
    while quiet < QUIET_LOOKS and time.monotonic() < ends:
        tables = (read_all(pid, "net/tcp"), read_all(pid, "net/tcp6"))
        if not any(tables):
            return  # it is gone
        quiet = 0 if connected(*tables) else quiet + 1
        if stop.wait(LOOK_SECONDS):
            return


def connected(*tables: str) -> int:
    """Return how many connections lead from outside to where somebody listens."""
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    doors = {_port(fields) for fields in lines if fields[3] == _LISTENS}
    return sum(
        fields[3] in _OPEN and _port(fields) in doors and not _is_loopback(fields)
        for fields in lines
    )


def _port(fields: list[str]) -> str:
    return fields[1].rpartition(":")[2]


def _is_loopback(fields: list[str]) -> bool:
    address = fields[1].rpartition(":")[0]
    return address in _LOOPBACK or (len(address) == 8 and address.endswith("7F"))  # noqa: PLR2004 - of IPv4
