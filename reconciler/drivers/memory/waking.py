"""What is told to the outside of a world: calls, moments of a call, and that something changed."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from reconciler.ports import Wake

_CLOSE_SECONDS = 1.0


class Call(NamedTuple):
    """One mutating call that a driver was asked for."""

    verb: str
    subject: str


class Moment(NamedTuple):
    """Where a verb is: `when` is "before" (nothing done yet) or "after" (all done)."""

    verb: str
    subject: str
    when: str


class Waking:
    """A subscription to the changes of a world."""

    def __init__(self, wake: Wake, forget: Callable[["Waking"], None]) -> None:
        self._wake = wake
        self._forget = forget
        self._lock = threading.RLock()
        self._open = True

    def wake(self) -> None:
        """Wake, unless closed."""
        with self._lock:
            if self._open:
                self._wake()

    def close(self) -> None:
        """Stop; no wake-up comes after this returns."""
        self._forget(self)
        self._open = False
        # One under way is waited for; but it may itself wait for the one that is closing this.
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            self._lock.release()
