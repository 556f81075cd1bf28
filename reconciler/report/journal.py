"""
Events on disk, one JSON object a line: what `archipelago events` reads.

Bounded: a full file is set aside as `….1`, over the one before. Losing both costs nothing.
"""

import json
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Stop
from typing import Any

from reconciler.report.event import Event, EventKind, Level
from reconciler.report.moments import from_text, to_text
from reconciler.report.warning import Warn, WarnOnce

LIMIT = 2**20
LOOK_SECONDS = 0.2


def event_document(event: Event) -> dict[str, Any]:
    """Return the event as it is printed and kept."""
    return {
        "at": to_text(event.at),
        "level": str(event.level),
        "app": event.app,
        "kind": str(event.kind),
        "reason": str(event.reason),
        "message": event.message,
    }


def parse_event(line: str) -> Event | None:
    """Return the event of a line; None where it cannot be read, as a half-written last one."""
    try:
        told = json.loads(line)
        return Event(
            app=str(told["app"]),
            kind=EventKind(told["kind"]),
            reason=str(told["reason"]),
            message=str(told["message"]),
            at=from_text(told["at"]),
            level=Level(told["level"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class Journal:
    """Appends events; a full disk stops nothing."""

    def __init__(self, path: Path, warn: Warn, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._warning = WarnOnce(warn)

    def told(self, events: tuple[Event, ...]) -> None:
        """Write the events down."""
        lines = [json.dumps(event_document(e), ensure_ascii=False) + "\n" for e in events]
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room()
            with self._path.open("a", encoding="utf-8") as file:
                if file.tell() and not self._ends_whole():
                    file.write("\n")  # a life before this one was cut off in the middle of a line
                file.writelines(lines)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            self._warning.tell(
                f"cannot write {self._path}: {why}; the loop goes on, but `archipelago events` "
                "misses what happens now",
            )
            return
        self._warning.forget()

    def _make_room(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size >= self._limit:
            self._path.replace(set_aside(self._path))

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def set_aside(path: Path) -> Path:
    """Return where a full journal goes."""
    return path.with_name(path.name + ".1")


def read_events(path: Path, tail: int | None = None, app: str | None = None) -> list[Event]:
    """Return the last `tail` events, oldest first; a journal that is not there has none."""
    kept: deque[Event] = deque(maxlen=tail)
    for file in (set_aside(path), path):
        kept.extend(e for e in _parsed(_lines(file)) if app in {None, e.app})
    return list(kept)


def follow_events(path: Path, stop: Stop, app: str | None = None) -> Iterator[Event]:
    """Yield the events that come from now on, until stopped."""
    follower = _Follower(path)
    while not stop.is_set():
        yield from (e for e in _parsed(follower.fresh()) if app in {None, e.app})
        stop.wait(LOOK_SECONDS)


class _Follower:
    """Remembers how far a file was read, and which file that was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode, self._at = self._present()

    def fresh(self) -> list[str]:
        """Return the whole lines that are new."""
        inode, size = self._present()
        if inode == self._inode:
            return self._read(self._path) if size > self._at else []
        rest = self._read(set_aside(self._path)) if self._inode else []
        self._inode, self._at = inode, 0
        return [*rest, *self._read(self._path)]

    def _present(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return 0, 0
        return status.st_ino, status.st_size

    def _read(self, path: Path) -> list[str]:
        try:
            with path.open("rb") as file:
                file.seek(self._at)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self._at += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _parsed(lines: list[str]) -> Iterator[Event]:
    return (event for line in lines for event in [parse_event(line)] if event is not None)
