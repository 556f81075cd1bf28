"""Walks a folder for manifests. Sees names and places, not meaning."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

MANIFEST_SUFFIXES = (".yml", ".yaml")
MAX_FILES = 10_000

Wanted = Callable[[str], bool]


class Signature(Struct, frozen=True):
    """What changes when a file is written or replaced."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        """Return the signature in a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def is_manifest(name: str) -> bool:
    """Whether a file is meant for us: not hidden, not the leftover of an editor or a tool."""
    return not name.startswith((".", "#", "~")) and name.endswith(MANIFEST_SUFFIXES)


def is_catalogue_manifest(name: str) -> bool:
    """Whether a file in the catalogue says what an app is; its build context lies beside it."""
    return name in {"manifest.yml", "manifest.yaml"}


def manifests(root: Path, wanted: Wanted, *, deep: bool = True) -> dict[str, Signature]:
    """
    Return every wanted file below `root`, by its path relative to it, sorted.

    Follows links (git-sync swaps them), but enters no folder twice and none that is hidden.
    Raises OSError where `root` or a folder in it cannot be read: a part is not the whole.
    """
    found: dict[str, Signature] = {}
    for path, status in _walk(root, "", set(), deep=deep):
        if wanted(path.rpartition("/")[2]):
            found[path] = Signature.of(status)
    return dict(sorted(found.items()))


def _walk(
    root: Path,
    below: str,
    seen: set[tuple[int, int]],
    *,
    deep: bool = True,
) -> Iterator[tuple[str, os.stat_result]]:
    folder = root / below
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith("."):
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue  # a link to nothing, or gone in this moment
            path = f"{below}/{entry.name}" if below else entry.name
            if stat.S_ISDIR(status.st_mode) and deep:
                yield from _walk(root, path, seen)
            elif stat.S_ISREG(status.st_mode):
                yield path, status
