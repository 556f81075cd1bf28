"""
Measures what the volumes of apps hold, one app after another, seldom. It never judges.

A volume may have millions of files, so nothing waits for it: one thread, at its own pace.
"""

import random
from collections.abc import Callable, Mapping
from threading import Condition, Event, Thread

from msgspec import Struct

from reconciler.errors import DriverError, DriverUnavailable
from reconciler.ports import Clock, Driver, Wake

INTERVAL_SECONDS = 300.0
JITTER = 0.1
FIRST_SECONDS = 2.0  # what begins now has more urgent things to do
FIRST_BACKOFF_SECONDS = 5.0
REST = 20  # times as long as a measurement took: the disk belongs to the apps
CLOSE_SECONDS = 5.0


class _Target(Struct):
    app: str
    volumes: tuple[str, ...]
    due: float
    failures: int = 0
    hurried: bool = False  # somebody asked for it since it was begun


class UsageMeter:
    """Implements `ports.Usage` over a driver; wakes the loop when a figure is another one."""

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        wake: Wake,
        bug: Callable[[BaseException], None],
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._wake = wake
        self._bug = bug
        self._changed = Condition()
        self._targets: dict[str, _Target] = {}
        self._records: dict[str, int | None] = {}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="usage", daemon=True)
        self._thread.start()

    def watch(self, targets: Mapping[str, tuple[str, ...]]) -> None:
        """Measure exactly these volumes from now on, by app; other volumes are begun anew."""
        with self._changed:
            for app in self._targets.keys() - targets.keys():
                del self._targets[app]
                self._records.pop(app, None)
            for app, volumes in targets.items():
                known = self._targets.get(app)
                if known is None or known.volumes != volumes:
                    self._records.pop(app, None)
                    due = self._clock.monotonic() + FIRST_SECONDS
                    self._targets[app] = _Target(app, volumes, due)
            self._changed.notify()

    def records(self) -> Mapping[str, int | None]:
        """Return the bytes by app; None: could not be measured, missing: was not yet."""
        with self._changed:
            return dict(self._records)

    def hurry(self) -> None:
        """Measure everything now. Safe from any thread."""
        with self._changed:
            for target in self._targets.values():
                target.due, target.hurried = self._clock.monotonic(), True
            self._changed.notify()

    def close(self) -> None:
        """Measure nothing any more; what is being measured is given up."""
        with self._changed:
            self._stop.set()
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (target := self._next()) is not None:
            began = self._clock.monotonic()
            found = self._measured(target)
            self._take(target, found, self._clock.monotonic() - began)

    def _next(self) -> _Target | None:
        """Wait until an app is due; None when closed."""
        with self._changed:
            while not self._stop.is_set():
                now = self._clock.monotonic()
                first = min(self._targets.values(), key=lambda t: t.due, default=None)
                if first is not None and first.due <= now:
                    first.hurried = False
                    return first
                self._changed.wait(first.due - now if first is not None else None)
        return None

    def _measured(self, target: _Target) -> dict[str, int | None]:
        """Return what is known now: nothing new where nobody answered."""
        try:
            return {target.app: self._sum(target.volumes)}
        except DriverUnavailable:
            return {}
        except DriverError:
            return {target.app: None}
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are measured
            self._bug(error)
            return {target.app: None}

    def _sum(self, volumes: tuple[str, ...]) -> int | None:
        """One that is not known makes the sum unknown: less than all is no answer."""
        total = 0
        for name in volumes:
            found = self._driver.volume_usage(name, self._stop)
            if found is None:
                return None
            total += found
        return total

    def _take(self, target: _Target, found: dict[str, int | None], seconds: float) -> None:
        with self._changed:
            if self._stop.is_set() or self._targets.get(target.app) is not target:
                return
            news = self._records | found != self._records
            self._records |= found
            target.failures = target.failures + 1 if found.get(target.app) is None else 0
            if not target.hurried:
                target.due = self._clock.monotonic() + max(_pause(target), seconds * REST)
        if news:
            self._wake()


def _pause(target: _Target) -> float:
    doubled = FIRST_BACKOFF_SECONDS * 2 ** min(target.failures - 1, 10)
    usual = min(doubled, INTERVAL_SECONDS) if target.failures else INTERVAL_SECONDS
    return usual * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
