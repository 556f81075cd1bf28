"""The single-flight workers that carry out changes, at most one an app, in a bounded pool."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from types import MappingProxyType

from msgspec import Struct, field

from reconciler.apply import Applier
from reconciler.model.change import Change, Outcome, Result
from reconciler.ports import Wake

WORKERS = 4  # measured: on two cores the engine is busy with two to four


class _Lane(Struct):
    change: Change
    stop: Event = field(default_factory=Event)
    doing: str = ""

    def tell(self, doing: str) -> None:
        """Say what is being done now. Wakes nobody: the loop looks while lanes run."""
        self.doing = doing


class LanePool:
    """
    Runs changes, at most one for each app and `workers` at once; implements `ports.Lanes`.

    The queue is bounded by the number of apps: an app that waits here has its lane already.
    """

    def __init__(
        self,
        applier: Applier,
        wake: Wake,
        bug: Callable[[BaseException], None],
        workers: int = WORKERS,
    ) -> None:
        self._applier = applier
        self._wake = wake
        self._bug = bug
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lane")
        self._lock = Lock()
        self._lanes: dict[str, _Lane] = {}
        self._finished: deque[Outcome] = deque()
        self._closed = False

    def dispatch(self, change: Change) -> bool:
        """Begin the change unless the app's lane is busy; say whether it was begun."""
        with self._lock:
            if self._closed or change.app in self._lanes:
                return False
            lane = self._lanes[change.app] = _Lane(change)
            self._pool.submit(self._run, lane)
            return True

    def running(self) -> Mapping[str, Change]:
        """Return the changes under way, by app."""
        with self._lock:
            return MappingProxyType({app: lane.change for app, lane in self._lanes.items()})

    def progress(self) -> Mapping[str, str]:
        """Return what each running lane is doing, in words, by app."""
        with self._lock:
            return {app: lane.doing for app, lane in self._lanes.items() if lane.doing}

    def cancel(self, app: str) -> None:
        """Ask the app's lane to stop at its next step."""
        with self._lock:
            if app in self._lanes:
                self._lanes[app].stop.set()

    def finished(self) -> tuple[Outcome, ...]:
        """Return, once, the outcomes since the last call."""
        with self._lock:
            outcomes = tuple(self._finished)
            self._finished.clear()
            return outcomes

    def close(self) -> None:
        """Let each lane end its present step, and take no more."""
        with self._lock:
            self._closed = True
            for lane in self._lanes.values():
                lane.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, lane: _Lane) -> None:
        try:
            outcome = self._applier.apply(lane.change, lane.stop, lane.tell)
        except Exception as error:  # noqa: BLE001 - whatever it is, the app's lane must end
            self._bug(error)
            outcome = self._given_up(lane)
        with self._lock:
            del self._lanes[lane.change.app]
            self._finished.append(outcome)
        self._wake()

    def _given_up(self, lane: _Lane) -> Outcome:
        """Our own mistake must not stop the loop, nor be retried without a pause."""
        now = self._applier.clock.now()
        message = f"cannot finish: an unexpected error while {lane.doing}; see the log"
        return Outcome(lane.change, Result.FAILED, message, now, now, 0)
