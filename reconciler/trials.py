"""
Tries now and then what apps reach, one app after another. It never judges.

What is tried takes seconds, so nothing waits for it: one thread, at its own pace. A result counts
when it came twice in a row, since a packet may get lost and a container may just be starting. The
kernel says only so often that it refuses: where that has to be said, it is asked again.
"""

import random
from collections.abc import Callable, Mapping
from threading import Condition, Thread

from msgspec import Struct

from reconciler.errors import DriverError
from reconciler.model.trial import Reach, Trial, Tried, Wanted
from reconciler.ports import Clock, Driver, Wake

INTERVAL_SECONDS = 3600.0
JITTER = 0.1
FIRST_SECONDS = 2.0  # what begins now has more urgent things to do
AGAIN_SECONDS = 5.0  # until the same is tried a second time: by then the kernel speaks again
FAILED_SECONDS = 30.0
MOST = 4  # runs until silence is taken for an answer
CLOSE_SECONDS = 5.0

Results = tuple[Reach, ...]


class _Due(Struct):
    trial: Trial
    at: float
    last: Results | None = None  # not told yet: it has to come once more
    runs: int = 0  # in which that came


class TrialRunner:
    """Implements `ports.Trials` over a driver; wakes the loop when a result is another one."""

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        wake: Wake,
        bug: Callable[[BaseException], None],
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._wake = wake
        self._bug = bug
        self._interval = interval
        self._changed = Condition()
        self._due: dict[str, _Due] = {}
        self._records: dict[str, Tried] = {}
        self._closed = False
        self._thread = Thread(target=self._run, name="trials", daemon=True)
        self._thread.start()

    def watch(self, trials: Mapping[str, Trial]) -> None:
        """Make exactly these from now on, by app; another one is begun soon."""
        with self._changed:
            for app in self._due.keys() - trials.keys():
                del self._due[app]
                self._records.pop(app, None)
            for app, trial in trials.items():
                known = self._due.get(app)
                if known is None or known.trial != trial:
                    self._due[app] = _Due(trial, self._clock.monotonic() + FIRST_SECONDS)
            self._changed.notify()

    def records(self) -> Mapping[str, Tried]:
        """Return what was found last, by app."""
        with self._changed:
            return dict(self._records)

    def close(self) -> None:
        """Try nothing any more; what is being tried ends by its own deadline."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            self._take(due, self._tried(due.trial))

    def _next(self) -> _Due | None:
        """Wait until an app is due; None when closed."""
        with self._changed:
            while not self._closed:
                first = min(self._due.values(), key=lambda d: d.at, default=None)
                wait = None if first is None else first.at - self._clock.monotonic()
                if first is not None and wait is not None and wait <= 0:
                    return first
                self._changed.wait(wait)
        return None

    def _tried(self, trial: Trial) -> Results | None:
        """Return what became of it; None where it could not be tried, which says nothing."""
        try:
            return self._driver.reach(trial.ref, trial.targets)
        except DriverError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are tried
            self._bug(error)
            return None

    def _take(self, due: _Due, results: Results | None) -> None:
        app = due.trial.rules.app
        with self._changed:
            if self._closed or self._due.get(app) is not due:
                return
            now = self._clock.monotonic()
            if results is None:
                due.at, due.last = now + FAILED_SECONDS, None
                return
            due.runs = due.runs + 1 if _agree(due.last, results) else 1
            due.last = _together(due.last, results) if due.runs > 1 else results
            if due.runs == 1 or (_is_open(due.trial, due.last) and due.runs < MOST):
                due.at = now + AGAIN_SECONDS
                return
            tried, known = Tried(due.trial, due.last), self._records.get(app)
            self._records[app] = tried
            due.last = None
            due.at = now + self._interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        if known != tried:
            self._wake()


def _agree(before: Results | None, after: Results) -> bool:
    """Whether the same arrived."""
    return before is not None and [r.arrived for r in before] == [r.arrived for r in after]


def _is_open(trial: Trial, results: Results) -> bool:
    """Whether somebody was silent who has to say that he refuses."""
    each = zip(trial.attempts, results, strict=True)
    return any(r is Reach.SILENT and a.wanted is Wanted.SHUT for a, r in each)


def _together(before: Results | None, after: Results) -> Results:
    """Who said once that he refuses did so, whoever was silent then."""
    return tuple(
        b if a is Reach.SILENT else a for b, a in zip(before or after, after, strict=True)
    )
