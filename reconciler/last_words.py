"""
Reads the ends of the logs of containers that keep ending, so that a message can tell of them.

An engine may not answer for minutes, so nothing waits for it: one thread, at its own pace. What a
container prints may hold its secrets, and anything that steers a terminal: neither gets out.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Condition, Thread
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from reconciler.errors import ReconcilerError
from reconciler.model.last_words import LogEnd
from reconciler.ports import Driver, Secrets, Wake

LINES: Final = 3
LONGEST: Final = 160  # characters of a line
MASK: Final = "***"
CLOSE_SECONDS = 5.0
_STEERING: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
_READ: Final = 20  # lines, of which the last with something in them are told


class _Record(Struct, frozen=True):
    exit_code: int
    told: str


class LogEnds:
    """Implements `ports.LastWords` over a driver; wakes the loop when something was read."""

    def __init__(
        self,
        driver: Driver,
        secrets: Secrets,
        wake: Wake,
        bug: Callable[[BaseException], None],
    ) -> None:
        self._driver = driver
        self._secrets = secrets
        self._wake = wake
        self._bug = bug
        self._changed = Condition()
        self._targets: Mapping[str, LogEnd] = {}
        self._records: dict[str, _Record] = {}
        self._closed = False
        self._thread = Thread(target=self._run, name="last-words", daemon=True)
        self._thread.start()

    def watch(self, targets: Mapping[str, LogEnd]) -> None:
        """Read exactly these from now on, by ref, each once for an exit code."""
        with self._changed:
            self._targets = targets
            self._records = {
                ref: known
                for ref, known in self._records.items()
                if ref in targets and (known.told or targets[ref].exit_code is not None)
            }
            self._changed.notify()

    def records(self) -> Mapping[str, str]:
        """Return what was printed last, by ref."""
        with self._changed:
            return {ref: record.told for ref, record in self._records.items()}

    def close(self) -> None:
        """Read nothing any more; what is being read ends by its own deadline."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            ref, target, exit_code = due
            told = self._told(ref, target)
            with self._changed:
                if ref in self._targets:
                    self._records[ref] = _Record(exit_code, told)
            self._wake()

    def _next(self) -> tuple[str, LogEnd, int] | None:
        """Wait until there is a log to read; None when closed."""
        with self._changed:
            while not self._closed:
                for ref, target in self._targets.items():
                    known = self._records.get(ref)
                    code = target.exit_code
                    if code is not None and (known is None or known.exit_code != code):
                        return ref, target, code
                self._changed.wait()
        return None

    def _told(self, ref: str, target: LogEnd) -> str:
        try:
            lines = read(self._driver, ref)
            secret = [self._secrets.read(s) for s in target.secrets]
        except ReconcilerError:
            return ""  # without all secrets nobody knows what to hide
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are read
            self._bug(error)
            return ""
        return words(lines, (*secret, *target.hidden))


def read(driver: Driver, ref: str) -> tuple[str, ...]:
    """Return the last lines of a log. Raises DriverError."""
    lines = driver.logs(ref, tail=_READ, follow=False)
    try:
        return tuple(deque(lines, maxlen=_READ))
    finally:
        close = getattr(lines, "close", None)
        if close is not None:
            close()


def words(lines: Iterable[str], hidden: Iterable[str]) -> str:
    """
    Return the last lines as the end of a sentence; empty where there is nothing to tell.

    Masked before anything is cut: half a secret is one as well.
    """
    masks = _masks(hidden)
    told = [_masked(_STEERING.sub("", line), masks) for line in lines]
    plain = ["".join(c if c.isprintable() else " " for c in line).strip() for line in told]
    last = [line for line in plain if line][-LINES:]
    shown = " / ".join(line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in last)
    return f"; it printed last: {shown}" if shown else ""


def _masks(hidden: Iterable[str]) -> list[str]:
    """What is hidden, also as it looks in an address or in JSON; the longest first."""
    values = {line for value in hidden for line in value.splitlines() if line.strip()}
    more = {form for v in values for form in (v, quote(v, safe=""), json.dumps(v)[1:-1])}
    return sorted(more, key=lambda v: (-len(v), v))


def _masked(line: str, masks: Iterable[str]) -> str:
    for mask in masks:
        line = line.replace(mask, MASK)
    return line
