"""
WHEN to look: wake-ups, a pause between passes, the interval with jitter, back-off, stop.

A wake-up says "look", never what to do.
"""

import random
from collections.abc import Callable
from threading import Event

from msgspec import Struct

from reconciler.ports import Clock
from reconciler.reconcile import PassResult

BUSY_SECONDS = 0.5  # how often the status is refreshed while lanes run
GAP_SECONDS = 0.01
JITTER = 0.1
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0


class Rhythm(Struct, frozen=True):
    """The interval of the full look, in seconds, for what no wake-up told."""

    interval: float = 60.0


class Controller:
    """Calls passes until stopped; `before` comes ahead of each pass, to supervise the engine."""

    def __init__(
        self,
        run_pass: Callable[[], PassResult],
        clock: Clock,
        rhythm: Rhythm,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_pass = run_pass
        self._clock = clock
        self._rhythm = rhythm
        self._before = before
        self._woken = Event()
        self._stopped = Event()
        self._blind = 0

    def wake(self) -> None:
        """Ask for a pass soon. Safe from any thread, and from a signal handler."""
        self._woken.set()

    def stop(self) -> None:
        """Ask the loop to end after the present pass."""
        self._stopped.set()
        self._woken.set()

    def run(
        self,
        until: Callable[[PassResult], bool] = lambda _result: False,
    ) -> PassResult | None:
        """Make passes until stopped, or until one says that it is enough; return the last."""
        result = None
        while not self._stopped.is_set():
            self._woken.clear()
            began = self._clock.monotonic()
            self._before()
            result = self._run_pass()
            if until(result):
                break
            # As long as a pass took, the machine belongs to others: a storm of events stays cheap.
            self._stopped.wait(max(GAP_SECONDS, self._clock.monotonic() - began))
            self._woken.wait(self._pause(result))
        return result

    def _pause(self, result: PassResult) -> float:
        """Return the seconds until the next look, if nobody wakes us."""
        self._blind = self._blind + 1 if result.status.last_pass.error else 0
        waits = [self._rhythm.interval * (1 + random.uniform(-JITTER, JITTER))]  # noqa: S311 - no secret
        if self._blind:
            doubled = FIRST_BACKOFF_SECONDS * 2 ** min(self._blind - 1, 10)
            waits.append(min(doubled, LONGEST_BACKOFF_SECONDS) * random.uniform(0.8, 1.2))  # noqa: S311
        if result.busy:
            waits.append(BUSY_SECONDS)
        if result.look_again_seconds is not None:
            waits.append(result.look_again_seconds)
        return min(waits)
