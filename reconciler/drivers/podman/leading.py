"""
Ports of the machine that our rules lead to containers: what has to hold for that outside of rules.

Connections from the machine itself come from 127.0.0.1, which a bridge takes only if it is told
so; a bridge that is made anew has to be told again. And nobody listens at a port that is led, so
an engine or a program that wants it would not be refused: whoever has it already is asked for.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reconciler.drivers.podman.liveness import parent, read_all
from reconciler.errors import DriverRejected
from reconciler.model.isolation import EVERYWHERE, IsolationSpec, Lead

_LISTENS = "0A"  # of proc(5)'s net/tcp
_SOCKET = "socket:["


def is_open(interface: str) -> bool:
    """Whether a bridge, if it is there, takes what comes from this machine at 127.0.0.1."""
    try:
        return _setting(interface).read_text().strip() == "1"
    except OSError:
        return True


def open_bridge(interface: str) -> None:
    """Have a bridge take it, as the engine does where it publishes ports itself."""
    setting = _setting(interface)
    try:
        if setting.exists():
            setting.write_text("1")
    except OSError as error:
        raise DriverRejected(
            f"cannot lead a port to {interface}: cannot write {setting}: {error.strerror}"
        ) from error


def refuse_if_led(app: str, lead: Lead, others: Iterable[IsolationSpec]) -> None:
    """Refuse a port that leads to another app."""
    for other in others:
        if other.lead is not None and other.lead.overlaps(lead.bind, lead.host):
            raise DriverRejected(
                f"cannot lead port {lead.host} to {app}: it leads to {other.app};"
                " choose another host port for one of them"
            )


def refuse_if_taken(app: str, lead: Lead, own: Iterable[int]) -> None:
    """Refuse a port at which a program listens; the engine may, for the app's `own` processes."""
    tables = [read_all(os.getpid(), name) for name in ("net/tcp", "net/tcp6")]
    taken = {inode for table in tables for inode in listening(table, lead.bind, lead.host)}
    if taken and taken - {inode for pid in own if pid for inode in _sockets(parent(pid))}:
        raise DriverRejected(
            f"cannot lead port {lead.host} to {app}: it is in use; choose another host port, or"
            " stop what listens there"
        )


def listening(table: str, bind: str, port: int) -> frozenset[str]:
    """Return the sockets, in a table of proc(5), that listen where a port is bound."""
    found: set[str] = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, _, number = fields[1].rpartition(":")
        here = not address.strip("0") or bind in EVERYWHERE or address == _hex(bind)
        if fields[3] == _LISTENS and int(number, 16) == port and here:
            found.add(fields[9])
    return frozenset(found)


def _hex(address: str) -> str:
    """Return an address as the kernel shows it, which is in the order of this machine."""
    number = bytes(int(part) for part in address.split("."))
    return number[::-1].hex().upper()


def _sockets(pid: int) -> frozenset[str]:
    found: set[str] = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith(_SOCKET):
                    found.add(target.removeprefix(_SOCKET).rstrip("]"))
    return frozenset(found)


def _setting(interface: str) -> Path:
    return Path(f"/proc/sys/net/ipv4/conf/{interface}/route_localnet")
