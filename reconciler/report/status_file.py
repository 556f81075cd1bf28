"""The status of a running loop, in a file for `archipelago status`. Losing it costs nothing."""

import json
from pathlib import Path

from reconciler.model.status import Status
from reconciler.ports import Clock
from reconciler.report.status_json import parse_status, status_document
from reconciler.report.warning import Warn, WarnOnce

QUIET_SECONDS = 2.0  # how often a status is written in which only the pass is new


class StatusFile:
    """Replaces the file at once and whole, when there is something new in it."""

    def __init__(self, path: Path, clock: Clock, warn: Warn) -> None:
        self._path = path
        self._clock = clock
        self._warning = WarnOnce(warn)
        self._written: Status | None = None
        self._written_at = 0.0

    def passed(self, status: Status) -> None:
        """Write the status down, unless it was, a moment ago; a full disk stops nothing."""
        now = self._clock.monotonic()
        if self._known(status) and now - self._written_at < QUIET_SECONDS:
            return
        text = json.dumps(status_document(status), ensure_ascii=False)
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            self._warning.tell(
                f"cannot write {self._path}: {why}; the loop goes on, but `archipelago status` "
                "shows what was last written",
            )
            return
        self._warning.forget()
        self._written, self._written_at = status, now

    def _known(self, status: Status) -> bool:
        written = self._written
        return (
            written is not None
            and status.apps == written.apps
            and status.problems == written.problems
            and status.notices == written.notices
            and status.anomalies == written.anomalies
            and status.lanes_busy == written.lanes_busy
            and _at(status) == _at(written)
            and status.last_pass.error == written.last_pass.error
        )


def _at(status: Status) -> tuple[str, str]:
    """What is worth a line of a source: not that it answered again."""
    source = status.source
    return (source.commit.id if source and source.commit else "", source.told if source else "")


def load_status(path: Path) -> Status | None:
    """Return what was last written, if it can be read."""
    try:
        return parse_status(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None
