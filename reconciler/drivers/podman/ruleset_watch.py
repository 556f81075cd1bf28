"""
Hears of every change of the machine's firewall rules, from the kernel.

What changed is not read: who is woken looks. Netavark changes rules too whenever a container
starts or stops, so this wakes more often than it must.
"""

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_NETFILTER = 12  # NETLINK_NETFILTER of linux/netlink.h
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_GROUP = 7  # NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h
_MESSAGE = 65536


class RulesetWatch:
    """Listens in a thread until closed. OSError at once where nobody may listen."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        try:
            self._socket.bind((0, 0))  # first: a socket without an address hears nothing
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._nudged, self._nudge = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="ruleset-watch", daemon=True)
        self._thread.start()

    def changed(self) -> bool:
        """Whether anything changed since this was asked last, or nobody listens any more."""
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
            select.select([self._socket.fileno(), self._nudged], [], [])
            if self._heard():
                self._changed.set()
                if not self._closed.is_set():
                    self._wake()
        self._socket.close()
        os.close(self._nudged)
        os.close(self._nudge)

    def _heard(self) -> bool:
        """Read all there is. One that overflowed was a change, too."""
        heard = False
        while True:
            try:
                self._socket.recv(_MESSAGE)
            except BlockingIOError:
                return heard
            except OSError:
                return True
            heard = True
