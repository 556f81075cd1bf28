"""
What the log says, kept in memory for rules that ask with each pass.

All of it is read once, in the background; from then on only what was written since, by whomever.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from msgspec.structs import replace

from reconciler import durable
from reconciler.model.change import Reason
from reconciler.model.on_record import OnRecord, Stated
from reconciler.report.audit import files
from reconciler.report.event import EventKind
from reconciler.report.moments import from_text

MOST_REFUSED = 64

Entry = Mapping[str, Any]
_Place = tuple[int, int]  # the file, by its inode, and where in it


class Told:
    """What entries say, one after the other."""

    def __init__(self) -> None:
        self._begun = False
        self._complete_from: datetime | None = None
        self._made: set[str] = set()
        self._ids: dict[str, str] = {}
        self._elevated: dict[str, Stated] = {}
        self._signers: dict[tuple[str, str], Stated] = {}
        self._refused: deque[tuple[datetime, str]] = deque(maxlen=MOST_REFUSED)
        self._first = True

    def take(self, entries: Iterable[Entry]) -> None:
        """Take what these say besides."""
        for told in entries:
            at = from_text(told.get("at"))
            if self._first and told["kind"] == "continued":
                self._begun, self._complete_from = True, at
            self._first = False
            self._take(told, at)

    def on_record(self) -> OnRecord:
        """Return it, as it stands now."""
        return OnRecord(
            known=self._begun,
            complete_from=self._complete_from,
            made=frozenset(self._made),
            ids=dict(self._ids),
            elevated=dict(self._elevated),
            signers=dict(self._signers),
            refused=tuple(self._refused),
        )

    def _take(self, told: Entry, at: datetime) -> None:
        made = [str(thing) for thing in told.get("makes", ())]
        self._made.update(made)
        match told["kind"]:
            case "found" | "start":
                self._begun = True
            case "begin":
                self._begin(told, made, at)
            case "end":
                ids: Mapping[str, str] = told.get("containers", {})
                self._ids.update({str(name): str(ref) for name, ref in ids.items()})
            case "operator":
                self._unsure(made)
            case "decision":
                if (
                    told.get("about") == EventKind.STALLED
                    and told.get("reason") == Reason.NOT_VERIFIED
                ):
                    self._refused.append((at, str(told["app"])))
            case _:
                pass

    def _begin(self, told: Entry, made: list[str], at: datetime) -> None:
        app = str(told["app"])
        self._unsure(made)
        if told.get("action") == "remove":
            self._elevated.pop(app, None)
            for key in [key for key in self._signers if key[0] == app]:
                del self._signers[key]
        if not any(thing.startswith("container ") for thing in made):
            return
        if "elevated" in told:
            values = _words(told["elevated"], "; ")
            stated = _stated(self._elevated.get(app), values, at)
            unapproved = _words(told.get("unapproved", ""), "; ")
            self._elevated[app] = replace(stated, unapproved=unapproved)
        for container, names in _by_container(told.get("signers")):
            key = (app, container)
            self._signers[key] = _stated(self._signers.get(key), names, at)

    def _unsure(self, made: Iterable[str]) -> None:
        """Until the end of an act is on record, nobody knows the ids of what it made."""
        for thing in made:
            self._ids.pop(thing.removeprefix("container "), None)


class Record:
    """Implements `Parts.on_record` over the folder of a log. May be used from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._told = Told()
        self._place: _Place | None = None
        self._known = OnRecord()
        self._read = self._broken = False
        Thread(target=self._begin, name="audit record", daemon=True).start()

    def __call__(self) -> OnRecord:
        """Return what is on record by now; nothing is known while that cannot be said."""
        if not self._read or not self._lock.acquire(blocking=False):
            return OnRecord()
        try:
            return self._on()
        finally:
            self._lock.release()

    def _begin(self) -> None:
        with self._lock:
            self._on()
            self._read = True

    def _on(self) -> OnRecord:
        """Read on from where it was left. What cannot be read now is not known now."""
        try:
            if self._place is None or self._place != _end(self._folder):
                self._follow()
        except OSError:
            return OnRecord()
        except (ValueError, KeyError, TypeError, AttributeError):
            self._broken = True  # no entry of ours: `audit verify` says where
        return OnRecord() if self._broken else self._known

    def _follow(self) -> None:
        place, news = self._place, False
        every = [(file, file.stat().st_ino) for file in files.in_order(self._folder)]
        inodes = [inode for _, inode in every]
        if place is not None and place[0] in inodes:
            every = every[inodes.index(place[0]) :]
        elif place is not None:  # it was put elsewhere, or written anew
            self._told, place, news = Told(), None, True
        for file, inode in every:
            entries, end = _whole(file, place[1] if place and place[0] == inode else 0)
            self._told.take(entries)
            self._place, news = (inode, end), True
        if news:
            self._known = self._told.on_record()


def _whole(file: Path, start: int) -> tuple[list[Entry], int]:
    """Return the entries from there on, and where they end: a half one is being written."""
    with file.open("rb") as stream:
        stream.seek(start)
        text = stream.read()
    whole = text[: text.rfind(b"\n") + 1]
    told = (files.parsed(line) for line in whole.splitlines())
    return [each for each in told if each is not None], start + len(whole)


def _end(folder: Path) -> _Place | None:
    signature = durable.signature(folder / files.CURRENT)
    return None if signature is None else (signature[0], signature[2])


def _stated(known: Stated | None, values: frozenset[str], at: datetime) -> Stated:
    """What was said at any time before is on record; what is said again goes on from then."""
    if known is None:
        return Stated(values, None, at)
    if known.values == values:
        return known
    return Stated(values, (known.before or frozenset()) | known.values, at)


def _words(text: object, between: str = ", ") -> frozenset[str]:
    return frozenset(word for word in str(text).split(between) if word)


def _by_container(text: object) -> Iterator[tuple[str, frozenset[str]]]:
    """Read `main: alice, bob; db: carol`; entries of an older version name no container."""
    for part in str(text or "").split("; "):
        container, colon, names = part.partition(": ")
        if colon:
            yield container, _words(names)
