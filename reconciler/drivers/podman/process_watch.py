"""
Wakes in the moment in which a container's process ends, before Podman knows.

A pidfd of every running container's process is polled in one thread. Podman writes the end down
a little later, so it wakes again a few times: whoever looks first sees ENDING, then EXITED.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from reconciler.drivers.podman.liveness import Liveness

Wake = Callable[[], None]
ECHOES = (0.010, 0.040, 0.150)  # seconds after the end


class ProcessWatch:
    """Watches the processes it was last told of, until closed."""

    def __init__(self, liveness: Liveness, wake: Wake) -> None:
        self._liveness = liveness
        self._wake = wake
        self._lock = threading.Lock()
        self._watched: dict[tuple[str, int], int] = {}  # (ref, pid) to its pidfd
        self._ended: set[tuple[str, int]] = set()
        self._echoes: list[float] = []
        self._closed = False
        self._nudged, self._nudge = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.epoll()
        self._poll.register(self._nudged, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="process-watch", daemon=True)
        self._thread.start()

    def watch(self, processes: Mapping[str, int]) -> None:
        """Watch exactly these from now on: container id to process id."""
        wanted = set(processes.items())
        with self._lock:
            if self._closed:
                return
            for gone in self._watched.keys() - wanted:
                self._drop(gone)
            self._ended &= wanted
            missed = [new for new in wanted - self._watched.keys() if not self._add(new)]
            if missed:
                self._echo(0.0)
        if missed:
            self._rouse()

    def close(self) -> None:
        """Stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for each in list(self._watched):
                self._drop(each)
        self._rouse()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def _add(self, process: tuple[str, int]) -> bool:
        """Watch one more; False where it ended before we could, which is told once."""
        ref, pid = process
        if process in self._ended:
            return True
        with suppress(OSError):
            handle = os.pidfd_open(pid)
            self._watched[process] = handle
            self._poll.register(handle, select.EPOLLIN)
            # The number may have gone to another process meanwhile.
            if self._liveness.runs(pid, ref):
                return True
            self._drop(process)
        self._ended.add(process)
        return False

    def _drop(self, process: tuple[str, int]) -> None:
        handle = self._watched.pop(process)
        with suppress(OSError):
            self._poll.unregister(handle)
        os.close(handle)

    def _run(self) -> None:
        while True:
            ready = {handle for handle, _ in self._poll.poll(self._patience())}
            with self._lock:
                if self._closed:
                    break
                if self._nudged in ready:
                    with suppress(BlockingIOError):
                        os.read(self._nudged, 4096)
                wake = self._note(ready)
            if wake:
                self._wake()
        self._poll.close()
        os.close(self._nudged)
        os.close(self._nudge)

    def _note(self, ready: set[int]) -> bool:
        """Take out what ended; say whether it is time to wake."""
        ended = [process for process, handle in self._watched.items() if handle in ready]
        # A handle's number may have changed hands since it was ready.
        ended = [(ref, pid) for ref, pid in ended if not self._liveness.runs(pid, ref)]
        for process in ended:
            self._drop(process)
            self._ended.add(process)
        if ended:
            self._echo()
        now = time.monotonic()
        due = [moment for moment in self._echoes if moment <= now]
        self._echoes = [moment for moment in self._echoes if moment > now]
        return bool(ended or due)

    def _echo(self, *sooner: float) -> None:
        now = time.monotonic()
        self._echoes = sorted({*self._echoes, *(now + later for later in (*sooner, *ECHOES))})

    def _patience(self) -> float | None:
        with self._lock:
            return max(0.0, self._echoes[0] - time.monotonic()) if self._echoes else None

    def _rouse(self) -> None:
        with suppress(OSError):
            os.write(self._nudge, b"!")
