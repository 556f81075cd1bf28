"""
Calls of the system that a filter did not let through, as the kernel's log tells them.

The kernel tells only what a filter says to log or kills by, not what it answers with an error.
It names a process, so whose that is has to be asked at once: one that is gone by then is not
counted, and neither is anybody's who is in no container of ours.
"""

import os
import re
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LOG = Path("/dev/kmsg")
_PROC = Path("/proc")
# The process comes ahead of all that a process has a say in (its name, its program).
_VIOLATION = re.compile(rb"audit: type=1326 audit\([\d.:]+\):.*? pid=(\d+) comm=")
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_FACILITIES = 8  # the first number of a record is below it where the kernel itself speaks
_RECORD = 8192  # the longest that the kernel gives away at once
_AT_ONCE = 200
_REST_SECONDS = 1.0  # after so many: whoever violates without end does not keep us busy
_CLOSE_SECONDS = 5.0
_FIRST_PROCESSES = "pid:[4026531836]"  # the kernel counts processes as its first namespace does


class ViolationWatch:
    """Counts them by app, until closed; `app_of` knows whose a container is, or says nothing."""

    def __init__(
        self,
        app_of: Callable[[str], str],
        count: Callable[[str], None],
        log: Path = LOG,
        proc: Path = _PROC,
    ) -> None:
        self._app_of = app_of
        self._count = count
        self._proc = proc
        self._stop = threading.Event()
        self._nudged, self._nudge = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._log = opened(log) if is_counted_as_here(proc) else None
        self._thread = threading.Thread(target=self._run, name="kernel-log", daemon=True)
        if self._log is not None:
            self._thread.start()

    @property
    def available(self) -> bool:
        """Whether the kernel's log can be read, and its numbers of processes understood."""
        return self._log is not None

    def close(self) -> None:
        """Stop."""
        if self._stop.is_set():
            return
        self._stop.set()
        os.write(self._nudge, b"!")
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            return  # it has the handles still
        for handle in (self._log, self._nudged, self._nudge):
            if handle is not None:
                os.close(handle)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._nudged, select.POLLIN)
        poll.register(self._log or 0, select.POLLIN)
        while not self._stop.is_set():
            poll.poll()
            if not self._take_what_is_there():
                self._stop.wait(_REST_SECONDS)

    def _take_what_is_there(self) -> bool:
        """Take what was logged; False where that was all for now, or too much."""
        for _ in range(_AT_ONCE):
            try:
                record = os.read(self._log or 0, _RECORD)
            except BlockingIOError:
                return True
            except OSError:
                continue  # records were overwritten before they were read
            if not record:
                return False  # nobody writes any more
            for pid in processes_in(record):
                app = self._app_of(container_of(pid, self._proc))
                if app:
                    self._count(app)
        return False


def opened(log: Path) -> int | None:
    """Return a handle at the end of the log; None where nobody may read it."""
    with suppress(OSError):
        handle = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # what is no file has no end
            os.lseek(handle, 0, os.SEEK_END)
        return handle
    return None


def is_counted_as_here(proc: Path) -> bool:
    """Whether processes have the same numbers here as in the kernel's log."""
    with suppress(OSError):
        return os.readlink(proc / "self/ns/pid") == _FIRST_PROCESSES  # noqa: PTH115 - a text, and no file here
    return False


def processes_in(records: bytes) -> tuple[int, ...]:
    """Return whose calls were refused; what a program wrote into the log is not believed."""
    found = (_VIOLATION.search(line) for line in records.splitlines() if _is_the_kernels(line))
    return tuple(int(match[1]) for match in found if match)


def container_of(pid: int, proc: Path = _PROC) -> str:
    """Return the id of the container whose control group a process is in; or nothing."""
    with suppress(OSError):
        found = _CONTAINER.search((proc / str(pid) / "cgroup").read_text(encoding="utf-8"))
        return found[0] if found else ""
    return ""


def _is_the_kernels(line: bytes) -> bool:
    number = line.partition(b",")[0]
    return number.isdigit() and int(number) < _FACILITIES
