"""
Looks at the signatures of images beside the loop: a few at once, each again with patience.

A registry may be slow or gone, so no pass waits for one; what is found wakes the loop. It never
judges: it brings what is proved, and goes on asking for as long as somebody wants to know.
"""

import random
from collections.abc import Callable, Mapping
from threading import Condition, Thread

from msgspec import Struct
from msgspec.structs import replace

from reconciler.errors import RegistryError
from reconciler.model.pin import Pin, PinKey
from reconciler.model.signature import Findings, Subject
from reconciler.model.trust import Check, SignatureRecords
from reconciler.ports import Clock, Wake

AT_ONCE = 4
INTERVAL_SECONDS = 300.0  # until what is not trusted is looked at again
FIRST_BACKOFF_SECONDS = 5.0
JITTER = 0.1
CLOSE_SECONDS = 5.0

# What an image is, and what is found beside it; RegistryError where that cannot be learned.
Look = Callable[[Check], tuple[Subject, Findings]]


class Memory(Struct, frozen=True):
    """What was found before, and how it is kept."""

    found: Callable[[], Mapping[Subject, Findings]]
    keep: Callable[[Subject, Findings], None]


class _Target(Struct):
    check: Check
    due: float
    failures: int = 0
    busy: bool = False


class SignatureWorkers:
    """Implements `ports.Signatures` over whoever looks."""

    def __init__(
        self,
        look: Look,
        memory: Memory,
        clock: Clock,
        wake: Wake,
        bug: Callable[[BaseException], None],
    ) -> None:
        self._look = look
        self._memory = memory
        self._clock = clock
        self._wake = wake
        self._bug = bug
        self._changed = Condition()
        self._targets: dict[PinKey, _Target] = {}
        self._meanings: dict[PinKey, Pin] = {}
        self._errors: dict[Subject, Findings] = {}
        self._closed = False
        self._threads = [
            Thread(target=self._run, name=f"signatures {number}", daemon=True)
            for number in range(AT_ONCE)
        ]
        for thread in self._threads:
            thread.start()

    def watch(self, checks: tuple[Check, ...]) -> None:
        """Look at exactly these from now on; one that is another than before is due at once."""
        wanted = {(check.app, check.container): check for check in checks}
        with self._changed:
            for key in self._targets.keys() - wanted.keys():
                self._forget(key)
            for key, check in wanted.items():
                known = self._targets.get(key)
                if known is None or known.check != check:
                    self._forget(key)
                    self._targets[key] = _Target(check, self._clock.monotonic())
            self._changed.notify_all()

    def records(self) -> SignatureRecords:
        """Return what is known by now; nothing that is proved is forgotten for an error."""
        with self._changed:
            found = dict(self._memory.found())
            for subject, told in self._errors.items():
                found[subject] = replace(found.get(subject, told), error=told.error)
            return SignatureRecords(found, dict(self._meanings))

    def close(self) -> None:
        """Look at nothing any more; who is asking a registry is left to its deadline."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS / AT_ONCE)

    def _forget(self, key: PinKey) -> None:
        gone = self._targets.pop(key, None)
        self._meanings.pop(key, None)
        if gone is not None:
            self._errors.pop(gone.check.subject, None)

    def _run(self) -> None:
        while (target := self._next()) is not None:
            try:
                subject, findings = self._look(target.check)
            except RegistryError as error:
                self._failed(target, str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are looked at
                self._bug(error)
                self._failed(target, "looking at its signatures failed; the log says how")
            else:
                self._take(target, subject, findings)

    def _next(self) -> _Target | None:
        """Wait until one is due that nobody looks at; None when closed."""
        with self._changed:
            while not self._closed:
                now = self._clock.monotonic()
                idle = (t for t in self._targets.values() if not t.busy)
                first = min(idle, key=lambda t: t.due, default=None)
                if first is not None and first.due <= now:
                    first.busy = True
                    return first
                self._changed.wait(first.due - now if first is not None else None)
        return None

    def _take(self, target: _Target, subject: Subject, findings: Findings) -> None:
        check = target.check
        with self._changed:
            if self._closed or not self._wanted(target):
                return
            news = self._memory.found().get(subject) != findings
            if news:
                self._memory.keep(subject, findings)
            news |= self._errors.pop(check.subject, None) is not None
            if not check.subject.digest:
                pin, key = Pin(check.image, subject.digest), (check.app, check.container)
                news |= self._meanings.get(key) != pin
                self._meanings[key] = pin
            target.busy, target.failures = False, 0
            target.due = self._clock.monotonic() + _about(INTERVAL_SECONDS)
        if news:
            self._wake()

    def _failed(self, target: _Target, why: str) -> None:
        with self._changed:
            if self._closed or not self._wanted(target):
                return
            told = Findings(error=why)
            news = self._errors.get(target.check.subject) != told
            self._errors[target.check.subject] = told
            target.busy, target.failures = False, target.failures + 1
            doubled = FIRST_BACKOFF_SECONDS * 2 ** min(target.failures - 1, 10)
            target.due = self._clock.monotonic() + _about(min(doubled, INTERVAL_SECONDS))
        if news:
            self._wake()

    def _wanted(self, target: _Target) -> bool:
        key = (target.check.app, target.check.container)
        return self._targets.get(key) is target


def _about(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
