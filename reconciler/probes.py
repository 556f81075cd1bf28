"""
Asks running containers how they are, each on its interval, in a bounded pool. It never judges.

Podman's own checks need systemd's timers, and do not honour their timeout; ours do.
"""

import heapq
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Condition, Thread

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.container import HealthCheck
from reconciler.model.health import ProbeRecord, ProbeResult
from reconciler.model.observed import ObservedContainer
from reconciler.ports import Clock, Driver, Wake

WORKERS = 8
EAGER_SECONDS = 0.25  # a container that was never well is asked again soon, then less often
CLOSE_SECONDS = 5.0

Targets = Mapping[str, tuple[ObservedContainer, HealthCheck]]


class _Target(Struct):
    container: ObservedContainer
    check: HealthCheck
    record: ProbeRecord
    due: float
    counts_from: float  # a failure before this moment only means that it is not up yet
    eager: float = EAGER_SECONDS
    in_flight: bool = False


class ProbePool:
    """Implements `ports.Probes` over a driver; wakes the loop when an answer is news."""

    def __init__(self, driver: Driver, clock: Clock, wake: Wake) -> None:
        self._driver = driver
        self._clock = clock
        self._wake = wake
        self._changed = Condition()
        self._targets: dict[str, _Target] = {}
        self._queue: list[tuple[float, str]] = []
        self._closed = False
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="probe")
        self._thread = Thread(target=self._run, name="probes", daemon=True)
        self._thread.start()

    def watch(self, targets: Targets) -> None:
        """Probe exactly these from now on, keyed by ref; a new run starts afresh."""
        with self._changed:
            for ref in self._targets.keys() - targets.keys():
                del self._targets[ref]
            for ref, (container, check) in targets.items():
                known = self._targets.get(ref)
                if known is None or not _same_run(known, container) or known.check != check:
                    self._begin(ref, container, check)
                else:
                    known.container = container

    def _begin(self, ref: str, container: ObservedContainer, check: HealthCheck) -> None:
        record = ProbeRecord(ref, container.started_at, container.pid)
        now = self._clock.monotonic()
        self._targets[ref] = _Target(container, check, record, now, now + check.interval)
        self._push(ref)

    def records(self) -> Mapping[str, ProbeRecord]:
        """Return what was counted, by ref."""
        with self._changed:
            return {ref: target.record for ref, target in self._targets.items()}

    def close(self) -> None:
        """Ask nobody any more; probes in flight end by their own timeout."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _push(self, ref: str) -> None:
        heapq.heappush(self._queue, (self._targets[ref].due, ref))
        self._changed.notify()

    def _run(self) -> None:
        while (target := self._next()) is not None:
            self._pool.submit(self._ask, target)

    def _next(self) -> _Target | None:
        """Wait until a probe is due; None when closed."""
        with self._changed:
            while not self._closed:
                now = self._clock.monotonic()
                if self._queue and self._queue[0][0] <= now:
                    due, ref = heapq.heappop(self._queue)
                    target = self._targets.get(ref)
                    if target is not None and target.due == due and not target.in_flight:
                        target.in_flight = True
                        return target
                    continue  # an entry of an earlier run, or of a container that is gone
                self._changed.wait(self._queue[0][0] - now if self._queue else None)
        return None

    def _ask(self, target: _Target) -> None:
        result = self._driver.probe(target.container, target.check)
        with self._changed:
            before, now = target.record, self._clock.monotonic()
            counts = now >= target.counts_from
            target.record = counted(before, result, self._clock.now(), counts=counts)
            if counts:
                target.counts_from = now + target.check.interval / 2
            target.in_flight = False
            if self._targets.get(before.ref) is target:
                target.due = now + _pause(target)
                self._push(before.ref)
            news = is_news(before, target.record)
        if news:
            self._wake()


def _same_run(target: _Target, container: ObservedContainer) -> bool:
    record = target.record
    return (record.pid, record.started_at) == (container.pid, container.started_at)


def counted(
    record: ProbeRecord,
    result: ProbeResult,
    now: datetime,
    *,
    counts: bool,
) -> ProbeRecord:
    """Return the record with one more probe; a failure that does not count is only remembered."""
    if result.ok:
        return replace(
            record,
            succeeded=True,
            failures=0,
            message="",
            last_at=now,
            healthy_since=record.healthy_since or now,
        )
    return replace(
        record,
        failures=record.failures + counts,
        message=result.message,
        last_at=now,
        healthy_since=None,
    )


def is_news(before: ProbeRecord, after: ProbeRecord) -> bool:
    """Whether somebody should look: a first answer, another one than before, one more failure."""
    return before.last_at is None or _told(before) != _told(after)


def _told(record: ProbeRecord) -> tuple[bool, int, str]:
    return record.succeeded, record.failures, record.message


def _pause(target: _Target) -> float:
    """
    Return the seconds until the next probe.

    Until it was well once, a container is asked sooner than its interval, with growing pauses, so
    that an app is ready when it is ready.
    """
    if target.record.succeeded or target.eager >= target.check.interval:
        return target.check.interval
    pause = target.eager
    target.eager *= 2
    return pause
