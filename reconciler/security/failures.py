"""
Revisions that were given up, and the operator's word to try again: one small file.

The loop writes the first, `archipelago retry` the second, which takes away the first.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

from msgspec import Struct, field

from reconciler import durable
from reconciler.model.revision import FailedRevision

FORMAT: Final = 1
REMEMBERED: Final = 16  # of one app; older ones are as good as forgotten
_LARGEST = 4 * 2**20


class _Known(Struct, frozen=True):
    failed: Mapping[str, tuple[FailedRevision, ...]] = field(
        default_factory=dict[str, tuple[FailedRevision, ...]],
    )
    retried: Mapping[str, datetime] = field(default_factory=dict[str, datetime])


class Failures:
    """May be used from several threads and processes at once."""

    def __init__(self, file: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self._file = file
        self._warn = warn
        self._lock = Lock()
        self._read: tuple[durable.Signature | None, _Known] = (None, _Known())
        self._unwritten: dict[str, tuple[FailedRevision, ...]] = {}

    def failed(self) -> Mapping[str, tuple[FailedRevision, ...]]:
        """Return them, by app; the file is read only when it is another one."""
        with self._lock:
            known = self._known().failed
            more = {a: (*known.get(a, ()), *what) for a, what in self._unwritten.items()}
            return {**known, **more}

    def retried(self) -> Mapping[str, datetime]:
        """Return when the operator asked for another try, by app."""
        with self._lock:
            return self._known().retried

    def fail(self, app: str, failed: FailedRevision) -> None:
        """Remember it, and say it where that cannot be written."""
        with self._lock:
            known = self._unwritten.get(app, ())
            self._unwritten[app] = (*known, *(() if failed in known else (failed,)))
            self._try(lambda found: found)

    def forget(self, app: str) -> None:
        """Forget everything of an app."""
        with self._lock:
            self._unwritten.pop(app, None)
            self._try(
                lambda known: _Known(_without(known.failed, app), _without(known.retried, app))
            )

    def retry(self, apps: frozenset[str], now: datetime) -> None:
        """Forget what failed of these apps; they are to be tried. Raises OSError."""
        with self._lock:
            self._change(
                lambda known: _Known(
                    {a: what for a, what in known.failed.items() if a not in apps},
                    {**known.retried, **dict.fromkeys(apps, now)},
                ),
            )

    def _try(self, change: Callable[[_Known], _Known]) -> None:
        try:
            self._change(change)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            self._warn(
                f"cannot write {self._file}: {why}; until it can be, a restart of the loop"
                " forgets which updates failed, and tries them again",
            )

    def _change(self, change: Callable[[_Known], _Known]) -> None:
        with durable.locked(self._file.parent):
            known = self._known()
            changed = change(_with(known, self._unwritten))
            if changed != known:
                durable.replace(self._file, _document(changed))
            self._unwritten = {}

    def _known(self) -> _Known:
        signature = durable.signature(self._file)
        if signature is None:
            return _Known()
        if signature != self._read[0]:
            self._read = (signature, _parsed(self._file))
        return self._read[1]


def _with(known: _Known, more: Mapping[str, tuple[FailedRevision, ...]]) -> _Known:
    failed = dict(known.failed)
    for app, what in more.items():
        old = [f for f in failed.get(app, ()) if f not in what]
        failed[app] = (*old, *what)[-REMEMBERED:]
    return _Known(failed, known.retried)


def _without(mapping: Mapping[str, Any], app: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != app}


def _document(known: _Known) -> str:
    failed = {
        app: [{"content": f.content, "images": dict(f.images), "why": f.why} for f in what]
        for app, what in sorted(known.failed.items())
    }
    retried = {app: at.isoformat() for app, at in sorted(known.retried.items())}
    told = {"format": FORMAT, "failed": failed, "retried": retried}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _parsed(file: Path) -> _Known:
    """Return what a file says; what is unreadable says nothing, and failures are found again."""
    try:
        with file.open(encoding="utf-8") as stream:
            told: Any = json.loads(stream.read(_LARGEST))
        if told["format"] != FORMAT:
            return _Known()
        return _Known(
            {str(a): tuple(_failure(f) for f in what) for a, what in told["failed"].items()},
            {str(a): _moment(at) for a, at in told["retried"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Known()


def _failure(told: Any) -> FailedRevision:  # noqa: ANN401 - JSON of any shape
    images = tuple((str(name), str(image)) for name, image in told["images"].items())
    return FailedRevision(str(told["content"]), images, str(told["why"]))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time of no zone")
    return moment
