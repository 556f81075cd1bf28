"""What was tried lately, across restarts of the loop. Losing it loses only patience."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict

from reconciler import durable
from reconciler.model.history import Attempts

FORMAT: Final = 1
_LARGEST: Final = 2**20


class AttemptFile:
    """One small file, written when something in it is new."""

    def __init__(self, file: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self._file = file
        self._warn = warn
        self._warned = False
        self._written: Mapping[str, Attempts] | None = (
            None  # so that what a crash left half is gone
        )

    def known(self, now: datetime) -> dict[str, Attempts]:
        """Return what is remembered, by app; what says that it is of the future is not."""
        try:
            with self._file.open(encoding="utf-8") as stream:
                told = json.loads(stream.read(_LARGEST))
            if told["format"] != FORMAT:
                return {}
            found = {str(app): _attempts(what) for app, what in told["apps"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}
        return {app: what for app, what in found.items() if not what.since or what.since <= now}

    def keep(self, attempts: Mapping[str, Attempts]) -> None:
        """Remember exactly these; what cannot be written is told, once."""
        worth = {app: what for app, what in attempts.items() if what != Attempts(what.digest)}
        if worth == self._written:
            return
        told = {"format": FORMAT, "apps": {app: _document(what) for app, what in worth.items()}}
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace(self._file, json.dumps(told, ensure_ascii=False))
        except OSError as error:
            if not self._warned:
                why = (error.strerror or type(error).__name__).lower()
                self._warn(
                    f"cannot write {self._file}: {why}; what keeps failing is tried more often"
                    " when the loop restarts"
                )
            self._warned, self._written = True, None
            return
        self._written, self._warned = worth, False


def _document(attempts: Attempts) -> dict[str, Any]:
    since = attempts.since.isoformat() if attempts.since else None
    return {**asdict(attempts), "since": since}


def _attempts(told: Mapping[str, Any]) -> Attempts:
    since = datetime.fromisoformat(told["since"]) if told["since"] else None
    if since is not None and since.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return Attempts(
        digest=str(told["digest"]),
        failures=int(told["failures"]),
        starts=int(told["starts"]),
        repairs=int(told["repairs"]),
        since=since,
        message=str(told["message"]),
        by_container=tuple((str(name), int(times)) for name, times in told["by_container"]),
    )
