"""
Hands each checkpoint to places that whoever changes the log cannot change as well.

`file:/path` gets a copy, `git:/path` a commit in that work tree, `syslog` a line. The latest one
is what counts: one that is overtaken on its way is left out.
"""

import subprocess
import syslog
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Condition, Thread

from reconciler import durable
from reconciler.report.warning import WarnOnce

SECONDS = 20.0
KINDS = ("file", "git", "syslog")


class CheckpointExport:
    """Exports in a thread of its own, so that no place can hold up the log."""

    def __init__(self, places: Iterable[str], name: str, warn: Callable[[str], None]) -> None:
        self._places = [(place, WarnOnce(warn)) for place in places]
        self._name = f"{name}.checkpoint"
        self._condition = Condition()
        self._next: str | None = None
        self._closed = False
        self._thread = Thread(target=self._run, name="checkpoints", daemon=True)
        if self._places:
            self._thread.start()

    def __call__(self, note: str) -> None:
        """Have this checkpoint exported soon."""
        with self._condition:
            self._next = note
            self._condition.notify()

    def close(self) -> None:
        """Export the last one, and end."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(SECONDS)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._next is not None)
                note, self._next = self._next, None
            if note is None:
                return
            for place, warning in self._places:
                self._to(place, note, warning)

    def _to(self, place: str, note: str, warning: WarnOnce) -> None:
        try:
            hand_over(place, self._name, note)
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "strerror", None) or getattr(error, "stderr", None) or str(error)
            told = next(iter(str(why).strip().splitlines()), type(error).__name__)
            warning.tell(f"cannot export a checkpoint of the audit log to {place}: {told.lower()}")
        else:
            warning.forget()


def hand_over(place: str, name: str, note: str) -> None:
    """Put a checkpoint into one place. Raises OSError or SubprocessError."""
    kind, _, path = place.partition(":")
    match kind:
        case "syslog":
            syslog.syslog(syslog.LOG_AUTHPRIV | syslog.LOG_NOTICE, " ".join(note.split()))
        case "git":
            durable.replace(Path(path) / name, note)
            told = f"Checkpoint {note.splitlines()[1]}"
            _git(path, "add", "--", name)
            _git(path, "commit", "--quiet", "--message", told, "--", name)
        case _:
            durable.replace(Path(path), note)


def _git(folder: str, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", folder, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
