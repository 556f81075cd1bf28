"""
Wakes the loop when something below a folder changes. Carries no news: what changed is looked up.

The folder itself may be a link that is swapped, or be deleted and made again: then the watch is
set up anew. Where the kernel has no watches left, the folder is polled, and `notice` says so.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import watchfiles

from reconciler.ports import Wake

DEBOUNCE_MS = 20
STEP_MS = 10
LOOK_MS = 250  # how often a quiet watch looks whether its folder is still the same one
POLL_MS = 1_000
REBUILD_SECONDS = 0.1
JOIN_SECONDS = 3.0


class DirectoryWatch:
    """Watches one folder, present or not, until closed."""

    def __init__(self, root: Path, wake: Wake, warn: Callable[[str], None]) -> None:
        self._root = root
        self._wake = wake
        self._warn = warn
        self._closed = Event()
        self._polling = False
        self._thread = Thread(target=self._run, name=f"watch {root}", daemon=True)
        self._thread.start()

    @property
    def notice(self) -> str:
        """Return what the operator should know, or nothing."""
        if not self._polling:
            return ""
        return (
            f"{self._root} is polled every {POLL_MS / 1000:g} s, since the kernel has no file "
            "watches left: raise fs.inotify.max_user_watches and max_user_instances"
        )

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._closed.is_set():
            before = _identity(self._root)
            try:
                self._watch_until_replaced(before)
            except FileNotFoundError:
                self._closed.wait(LOOK_MS / 1000)
            except (OSError, RuntimeError) as error:
                # watchfiles' own error, where it cannot even begin, is a RuntimeError.
                if not self._polling:
                    self._polling = True
                    self._warn(f"{self.notice} ({error})")
            if _identity(self._root) != before:
                self._wake()
            self._closed.wait(REBUILD_SECONDS)

    def _watch_until_replaced(self, identity: tuple[int, int] | None) -> None:
        """Wake at each change, until the folder is another one than it was."""
        news = True  # nobody knows what happened before this watch began
        for changes in watchfiles.watch(
            self._root,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=self._closed,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            force_polling=self._polling,
            poll_delay_ms=POLL_MS,
            recursive=True,
            ignore_permission_denied=True,
            raise_interrupt=False,
        ):
            if _identity(self._root) != identity:
                return
            if changes or news:
                self._wake()
            news = False


def _identity(root: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = root.stat()
        return status.st_dev, status.st_ino
    return None
