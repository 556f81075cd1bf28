"""
How this program writes small files that it reads again: whole, through to the disk, for itself.

Whoever changes what others may change as well reads, changes and writes under `locked`.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

Signature = tuple[int, int, int]


def replace(file: Path, text: str) -> None:
    """Have the text in the file, also after a loss of power. Raises OSError, leaving nothing."""
    fresh = file.with_suffix(".new")
    try:
        _write(fresh, text)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    fresh.replace(file)
    settle(file.parent)


def _write(fresh: Path, text: str) -> None:
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def settle(folder: Path) -> None:
    """Have on disk which files are in the folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Be the only one who changes files of this folder, which is made where it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # held by nobody for longer than one small write
        yield
    finally:
        os.close(descriptor)


def signature(file: Path) -> Signature | None:
    """Return what is another one when the file is; None where there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
