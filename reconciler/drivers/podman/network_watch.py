"""
Hears from the kernel of changed firewall rules, and of network devices that come and go.

Podman tells of neither: not of a flushed table, not of a container that was connected by hand.
What changed is not read: who is woken looks. Every start and stop of a container makes such
changes too, so this wakes more often than it must.
"""

import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

_ROUTE, _NETFILTER = 0, 12  # of linux/netlink.h
_LINKS = 1  # RTMGRP_LINK of linux/rtnetlink.h
_RULES = 1 << 6  # NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h, as a bit
_DELETED = 17  # RTM_DELLINK
_HEADER, _LINK = struct.Struct("=IHHII"), struct.Struct("=BxHiII")
_MESSAGE = 65536


class NetworkWatch:
    """Listens in a thread until closed. OSError at once where nobody may listen."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._links = _listening(_ROUTE, _LINKS)
        try:
            self._rules = _listening(_NETFILTER, _RULES)
        except OSError:
            self._links.close()
            raise
        self._nudged, self._nudge = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="network-watch", daemon=True)
        self._thread.start()

    def changed(self) -> bool:
        """Whether rules changed since this was asked last, or nobody listens any more."""
        was = self._changed.is_set() or not self._thread.is_alive()
        self._changed.clear()
        return was

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        with suppress(OSError):
            os.write(self._nudge, b"!")
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._closed.is_set():
            select.select([self._rules.fileno(), self._links.fileno(), self._nudged], [], [])
            rules = any(_read(self._rules))
            links = [message for message in _read(self._links) if tells_news(message)]
            if rules:
                self._changed.set()
            if (rules or links) and not self._closed.is_set():
                self._wake()
        self._rules.close()
        self._links.close()
        os.close(self._nudged)
        os.close(self._nudge)


def tells_news(message: bytes) -> bool:
    """Whether a message of rtnetlink(7) tells of a device that came, went or changed."""
    if len(message) < _HEADER.size + _LINK.size:
        return True  # it overflowed: nobody knows what was missed
    kind = _HEADER.unpack_from(message)[1]
    changed = _LINK.unpack_from(message, _HEADER.size)[4]
    return bool(kind == _DELETED or changed)  # otherwise a wireless card tells of its scans


def _listening(protocol: int, groups: int) -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        made.bind((0, groups))
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _read(source: socket.socket) -> list[bytes]:
    """Return all that came; what could not be kept is an empty message more."""
    found: list[bytes] = []
    while True:
        try:
            found.append(source.recv(_MESSAGE))
        except BlockingIOError:
            return found
        except OSError:
            return [*found, b"?"]
