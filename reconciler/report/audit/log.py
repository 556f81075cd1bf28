"""
Appends to the audit log: one chain for all who write, each line on disk before this returns.

What the loop did and could not be written down is written down as soon as it can be; until then
nothing new is begun. Verbs and the loop take turns by a lock on the folder.
"""

import errno
import math
import os
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock

from reconciler import durable
from reconciler.errors import AuditError, DriverError
from reconciler.model.change import Change, Outcome
from reconciler.ports import Clock
from reconciler.report.audit import entry, files
from reconciler.report.audit.box_key import PUBLIC, BoxKey, verifier_of
from reconciler.report.audit.entry import Entry
from reconciler.report.audit.files import Head
from reconciler.report.audit.note import Checkpoint, signed
from reconciler.report.event import Event, EventKind

LIMIT = 2**20
WAITING = 256  # entries that are kept until they can be written; after that they are counted
SIGN_EVERY = 64
SIGN_AFTER = 60.0
TRY_AFTER = 5.0

_DECIDED = frozenset(
    {
        EventKind.ACTION,
        EventKind.STALLED,
        EventKind.APPROVAL,
        EventKind.ISOLATION,
        EventKind.ANOMALY,
        EventKind.GONE,
    }
)

Export = Callable[[str], None]


class AuditLog:
    """
    Implements `ports.Audit`. May be used from any thread.

    `export` is given each checkpoint; `about` says upon what an act is done, such as a commit.
    """

    def __init__(
        self,
        folder: Path,
        origin: str,
        clock: Clock,
        export: Export = lambda _: None,
        limit: int = LIMIT,
        about: Callable[[], Entry] = dict[str, str],
    ) -> None:
        self._folder = folder
        self._origin = origin
        self._clock = clock
        self._export = export
        self._limit = limit
        self._about = about
        self._lock = Lock()
        self._key: BoxKey | None = None
        self._known: tuple[durable.Signature | None, Head] | None = None
        self._begun: dict[str, int] = {}
        self._waiting: deque[Entry] = deque()
        self._starting: tuple[Callable[[], list[str]], str] | None = None
        self._missed = 0
        self._trouble = ""
        self._tried_at = self._signed_at = -math.inf  # by a clock that nobody sets back
        self._signed: int = 0

    def starts(self, here: Callable[[], list[str]], version: str) -> None:
        """
        Have it on record that a loop begins, ahead of anything that it does.

        `here` says what is of this instance already; it is asked, once, for a log without a
        beginning, and may raise a DriverError.
        """
        with self._lock:
            self._starting = here, version
            self._later([])

    def begins(self, change: Change) -> None:
        """Have it on disk that a change begins. Raises AuditError: then it must not."""
        with self._lock:
            [number] = self._write([{**entry.began(change), **self._about()}])
            self._begun[change.app] = number

    def ended(self, outcome: Outcome) -> None:
        """Have it on record how a change ended, as soon as that can be written."""
        with self._lock:
            of = self._begun.pop(outcome.change.app, None)
            self._later([entry.ended(outcome, of)])

    def told(self, events: tuple[Event, ...]) -> None:
        """Have the decisions among these events on record, as soon as that can be written."""
        told = [entry.decided(e) for e in events if e.kind in _DECIDED and e.app]
        if told:
            with self._lock:
                self._later(told)

    def note(self, told: Entry) -> None:
        """Have an entry on disk. Raises AuditError."""
        with self._lock:
            self._write([told])

    def trouble(self) -> str:
        """Return why nothing can be written down, or nothing; tries again now and then."""
        with self._lock:
            now = self._clock.monotonic()
            if self._trouble and now - self._tried_at >= TRY_AFTER:
                self._later([])
            if not self._trouble and now - self._signed_at >= SIGN_AFTER:
                self._later([], sign=True)
            return self._trouble

    def size(self) -> int:
        """Return how many entries there are, as far as this process knows."""
        with self._lock:
            return self._known[1].tree.size if self._known else 0

    def close(self) -> None:
        """Sign what there is."""
        with self._lock:
            self._later([], sign=True)

    def _later(self, told: Iterable[Entry], *, sign: bool = False) -> None:
        for each in told:
            if len(self._waiting) < WAITING:
                self._waiting.append(each)
            else:
                self._missed += 1
        try:
            self._write([], sign=sign)
        except AuditError:
            return

    def _write(self, told: list[Entry], *, sign: bool = False) -> list[int]:
        """Write what waited and then these; return the numbers of these."""
        again = self._missed or self._trouble  # said even of none: it shows whether it works again
        missed: list[Entry] = [{"kind": "missed", "entries": self._missed}] if again else []
        self._tried_at = self._clock.monotonic()
        try:
            every = [*self._first(), *self._waiting, *missed, *told]
            with durable.locked(self._folder):
                end = 0
                if every or sign:
                    end = self._append(every)
                    self._sign(always=sign)
                self._trouble, self._missed = "", 0
                self._waiting.clear()
                self._starting = None
        except (OSError, DriverError) as error:
            self._known = None
            why = (getattr(error, "strerror", None) or str(error)).lower()
            self._trouble = f"cannot write the audit log in {self._folder}: {why}"
            raise AuditError(
                f"{self._trouble}; nothing is changed until that is mended"
            ) from error
        except AuditError as error:
            self._trouble = str(error)
            raise
        return [end - len(told) + place for place in range(len(told))]

    def _first(self) -> list[Entry]:
        """Return what a loop has to say before anything else."""
        if self._starting is None:
            return []
        here, version = self._starting
        start: Entry = {"kind": "start", "actor": entry.LOOP, "version": version}
        if files.is_begun(self._folder):
            return [start]
        return [{"kind": "found", "actor": entry.LOOP, "makes": sorted(here())}, start]

    def _append(self, told: list[Entry]) -> int:
        """Return how many entries there are then."""
        file, now = self._folder / files.CURRENT, self._clock.now()
        if self._key is None:
            self._key = BoxKey(self._folder, self._origin)
        unknown = verifier_of(self._folder) != self._key.verifier
        if unknown:
            told = [{"kind": "key", "public": self._key.verifier.text}, *told]
        head, first = self._go_on(file)
        written: list[bytes] = []
        for each in [*first, *told]:
            written.append(entry.line(each, head.tree.size, head.last, now))
            head = head.after(written[-1])
        if written:
            _append_to(file, b"".join(line + b"\n" for line in written))
        self._known = durable.signature(file), head
        if unknown:
            durable.replace(self._folder / PUBLIC, self._key.verifier.text + "\n")
        return head.tree.size

    def _go_on(self, file: Path) -> tuple[Head, list[Entry]]:
        """Return where the log goes on, and what has to be said before anything else."""
        present = durable.signature(file)
        if self._known is not None and self._known[0] == present is not None:
            head, cut = self._known[1], 0
        else:
            cut = _mend(file)
            every = files.in_order(self._folder)
            head = files.head_of(every[-1]) if every else Head()
        if present is not None and present[2] >= self._limit:
            first = next(files.lines(file))
            file.rename(files.set_aside(self._folder, (files.parsed(first) or {}).get("seq", 0)))
            present = None
        said: list[Entry] = []
        if present is None and head.tree.size:
            said.append({"kind": "continued", "peaks": [p.hex() for p in head.tree.peaks]})
        if cut:
            said.append({"kind": "cut", "bytes": cut})
        return head, said

    def _sign(self, *, always: bool) -> None:
        if self._known is None or self._key is None:
            return
        tree, now = self._known[1].tree, self._clock.monotonic()
        due = tree.size - self._signed >= SIGN_EVERY or now - self._signed_at >= SIGN_AFTER
        if tree.size == self._signed:
            self._signed_at = now  # there is nothing new: not asked again with each pass
            return
        if not (due or always):
            return
        checkpoint = Checkpoint(self._origin, tree.size, tree.root())
        note = signed(checkpoint, self._key.verifier, self._key.sign)
        try:
            durable.replace(self._folder / files.CHECKPOINT, note)
        except OSError:
            return  # the entries are written: it is signed with the next ones
        self._signed, self._signed_at = tree.size, now
        self._export(note)


def _append_to(file: Path, text: bytes) -> None:
    """Write all of it through to the disk, or none of it."""
    fresh = not file.exists()
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        before = os.fstat(descriptor).st_size
        try:
            _through(descriptor, text)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)
    if fresh:
        durable.settle(file.parent)


def _through(descriptor: int, text: bytes) -> None:
    if os.write(descriptor, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def _mend(file: Path) -> int:
    """Cut off a line that a crash has left without its end; return how many bytes it had."""
    try:
        with file.open("r+b") as stream:
            text = stream.read()
            half = len(text) - (text.rfind(b"\n") + 1)
            if half:
                stream.truncate(len(text) - half)
            return half
    except FileNotFoundError:
        return 0
