"""Keeps the last bytes of each file that made sense. Losing them loses nothing that runs."""

import hashlib
from contextlib import suppress
from pathlib import Path


class LastGood:
    """A folder of copies, named after the hash of the file's path."""

    def __init__(self, folder: Path | None, *, writes: bool = True) -> None:
        self._folder = folder
        self._writes = writes

    def save(self, file: str, content: bytes) -> None:
        """Keep `content` as the last good version of `file`; a full disk is no reason to stop."""
        if self._folder is None or not self._writes:
            return
        target = self._path(self._folder, file)
        fresh = target.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if target.exists() and target.read_bytes() == content:
                return
            fresh.write_bytes(content)
            fresh.replace(target)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)  # half of it is of no use, and takes room

    def load(self, file: str) -> bytes | None:
        """Return what was last good, if it is still there."""
        if self._folder is None:
            return None
        try:
            return self._path(self._folder, file).read_bytes()
        except OSError:
            return None

    def forget(self, file: str) -> None:
        """Drop the copy of a file that was taken away on purpose."""
        if self._folder is None or not self._writes:
            return
        try:
            self._path(self._folder, file).unlink(missing_ok=True)
        except OSError:
            return

    @staticmethod
    def _path(folder: Path, file: str) -> Path:
        return folder / f"{hashlib.sha256(file.encode()).hexdigest()[:32]}.yml"
