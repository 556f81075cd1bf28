"""
Looks up, once for each commit of somebody's work tree, which commit changed each file last.

A worker of its own: the history may be long, and a pass never waits.
"""

from collections.abc import Callable, Mapping
from threading import Lock, Thread

from reconciler.model.commit import Commit
from reconciler.ports import Wake

CLOSE_SECONDS = 2.0


class LookBack:
    """Answers at once, with nothing where it has not looked yet; wakes the loop when it has."""

    def __init__(
        self,
        find: Callable[[Commit], Mapping[str, Commit]],
        wake: Wake,
        bug: Callable[[BaseException], None],
    ) -> None:
        self._find = find
        self._wake = wake
        self._bug = bug
        self._lock = Lock()
        self._asked = ""
        self._found: Mapping[str, Commit] = {}
        self._thread: Thread | None = None

    def of(self, commit: Commit | None) -> Mapping[str, Commit]:
        """Return it by file; what is known of another commit is not told of this one."""
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            if commit is not None and commit.id != self._asked and not busy:
                self._asked = commit.id
                self._found = dict[str, Commit]()
                self._thread = Thread(
                    target=self._look, args=(commit,), name="look back", daemon=True
                )
                self._thread.start()
            return self._found if commit is not None and commit.id == self._asked else {}

    def close(self) -> None:
        """Wait for a look that is under way, not for long."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _look(self, commit: Commit) -> None:
        try:
            found = self._find(commit)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is only not known
            self._bug(error)
            return
        with self._lock:
            self._found = found
        self._wake()
