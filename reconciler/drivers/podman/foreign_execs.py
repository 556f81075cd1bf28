"""
Tells the commands that others run in containers from our own checks.

Podman 4 does not say of which session an event tells, so our own are counted: each lets one event
pass. It may come late, hence it is held to the moment of which it tells. What nobody can be sure
of is ours: the checks of an earlier loop, and the minute after one of ours that made no event.
"""

import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Lock

from msgspec import Struct

SLACK_SECONDS = 60.0
MOST = 4096  # checks whose events are awaited: an hour of them, where the stream stands still
# Podman's moments are by this clock, whoever sets it.
_of_this_machine = partial(time.clock_gettime, time.CLOCK_REALTIME)


class _Own(Struct):
    """A command of ours whose event did not come yet; `ended` when it is over."""

    ended: float | None = None


class ForeignExecs:
    """Remembers when somebody else was last seen to run a command, by ref."""

    def __init__(
        self, quiet: float = SLACK_SECONDS, clock: Callable[[], float] = _of_this_machine
    ) -> None:
        self._clock = clock
        self._quiet_until = clock() + quiet
        self._lock = Lock()
        self._own: dict[str, deque[_Own]] = {}
        self._checked: set[str] = set()
        self._seen: dict[str, float] = {}

    @contextmanager
    def ours(self, ref: str) -> Generator[None]:
        """Run one command in a container meanwhile."""
        own = _Own()
        with self._lock:
            self._checked.add(ref)
            self._own.setdefault(ref, deque(maxlen=MOST)).append(own)
        try:
            yield
        finally:
            with self._lock:
                own.ended = self._clock()

    def came(self, ref: str, at: float) -> bool:
        """Take an event that tells of a command at that moment; say whether it is not ours."""
        with self._lock:
            own = [o for o in self._own.get(ref, ()) if _may_be(o, at)]
            self._own[ref] = deque(own[1:], MOST)
            if not own:
                self._seen[ref] = at
            return not own

    def last(self, ref: str) -> datetime | None:
        """Return when somebody else last ran a command in it; None where nobody did for sure."""
        with self._lock:
            at = self._seen.get(ref)
            if at is None:
                return None
            if at < self._quiet_until and (
                ref in self._checked or self._clock() < self._quiet_until
            ):
                return None  # the loop before this one may have checked it
            return datetime.fromtimestamp(at, UTC)

    def forget(self, refs: frozenset[str]) -> None:
        """Know nothing any more of containers but these."""
        with self._lock:
            for known in (self._own, self._seen):
                for gone in known.keys() - refs:
                    del known[gone]
            self._checked &= refs


def _may_be(own: _Own, at: float) -> bool:
    return own.ended is None or at <= own.ended + SLACK_SECONDS
