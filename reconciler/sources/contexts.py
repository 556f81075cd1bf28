"""
The folders that images are built from: what they hold, as a hash, taken when it is quiet.

A context belongs to the file that names it. That file itself, where it lies in the folder, is not
part of the content: an edited manifest is no other image.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import Document
from reconciler.model.origin import Problem
from reconciler.model.snapshot import BuildContext
from reconciler.ports import Clock

MAX_FILES = 20_000
MAX_BYTES = 2**30
_CHUNK = 2**20

Key = tuple[str, str]


class Contexts(Struct):
    """What was found; `waits` are the seconds until what is being written may be quiet."""

    found: dict[Key, BuildContext | Problem]
    waits: list[float]

    def has(self, document: Document) -> bool:
        """Whether every context of a document was found, or is known to be wrong."""
        return all(key in self.found for key in _keys(document))


class _Known(Struct):
    outside: str
    content: str
    gone_since: float | None = None


class ContextHasher:
    """Hashes contexts again only where something in them changed and is quiet since `settle`."""

    def __init__(self, clock: Clock, settle: float, vanish: float) -> None:
        self._clock = clock
        self._settle = settle
        self._vanish = vanish
        self._known: dict[Key, _Known] = {}

    def contexts(self, documents: tuple[Document, ...]) -> Contexts:
        """Return each context by (file, context as written), or what is wrong with it."""
        contexts = Contexts({}, [])
        for document in documents:
            for key in _keys(document):
                if key not in contexts.found:
                    self._find(document, key, contexts)
        return contexts

    def _find(self, document: Document, key: Key, contexts: Contexts) -> None:
        # The real place of the file: a link from the desired directory keeps its context there.
        file = Path(document.origin.file).resolve()
        folder = (file.parent / key[1]).resolve()
        try:
            content, wait = self._content(key, folder, file)
        except OSError as error:
            content, wait = self._missing(key)
            why = (error.strerror or type(error).__name__).lower()
            message = f"cannot build from {key[1]}: {folder}: {why}"
        except ValueError as error:
            content, wait = None, 0.0
            message = f"cannot build from {key[1]}: {folder} holds {error}"
        else:
            message = ""
        if wait > 0:
            contexts.waits.append(wait)
        if content is not None:
            contexts.found[key] = BuildContext(str(folder), content)
        elif message:
            hint = "`build` names a folder relative to this file"
            contexts.found[key] = Problem(document.origin, message, hint, document.app)

    def _content(self, key: Key, folder: Path, own: Path) -> tuple[str | None, float]:
        """Return the content that counts, and how long to wait before looking again."""
        entries = _entries(folder, own)
        outside = hashlib.sha256(repr([entry.outside for entry in entries]).encode()).hexdigest()
        known = self._known.get(key)
        if known is not None:
            known.gone_since = None
            if known.outside == outside:
                return known.content, 0.0
        newest = max((entry.modified_ns for entry in entries), default=0)
        age = self._clock.now().timestamp() - newest / 1e9
        if 0 <= age < self._settle:
            return (known.content if known else None), self._settle - age
        content = _hash(entries)
        self._known[key] = _Known(outside, content)
        return content, 0.0

    def _missing(self, key: Key) -> tuple[str | None, float]:
        """A folder that is being replaced is gone for a moment."""
        known, now = self._known.get(key), self._clock.monotonic()
        if known is None:
            return None, 0.0
        if known.gone_since is None:
            known.gone_since = now
        wait = self._vanish - (now - known.gone_since)
        return (known.content, wait) if wait > 0 else (None, 0.0)


class _Entry(Struct, frozen=True):
    name: str
    path: Path
    mode: int
    size: int
    inode: int
    modified_ns: int

    @property
    def outside(self) -> tuple[str, int, int, int, int]:
        """What changes when the entry does, without reading it."""
        return self.name, self.mode, self.size, self.inode, self.modified_ns


def _keys(document: Document) -> Iterator[Key]:
    if isinstance(document.manifest, AppManifest):
        for container in document.manifest.container_map().values():
            if container.build is not None:
                yield document.origin.file, container.build.context


def _entries(folder: Path, own: Path) -> list[_Entry]:
    """Return everything in a folder but the manifest itself, sorted; OSError, ValueError."""
    entries: list[_Entry] = []
    total = 0
    for name, path, status in _walk(folder, ""):
        if path == own:
            continue
        mode, size = status.st_mode, status.st_size
        entries.append(_Entry(name, path, mode, size, status.st_ino, status.st_mtime_ns))
        total += size
        if len(entries) > MAX_FILES or total > MAX_BYTES:
            raise ValueError(f"more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB")
    return entries


def _walk(folder: Path, below: str) -> Iterator[tuple[str, Path, os.stat_result]]:
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda e: e.name):
            if entry.name == ".git":
                continue
            name = f"{below}{entry.name}"
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                yield from _walk(Path(entry.path), f"{name}/")
            elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield name, Path(entry.path), status


def _hash(entries: list[_Entry]) -> str:
    content = hashlib.sha256()
    for entry in entries:
        content.update(f"{entry.name}\0{entry.mode:o}\0".encode())
        if stat.S_ISLNK(entry.mode):
            content.update(os.fsencode(entry.path.readlink()))
            continue
        with entry.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                content.update(chunk)
        content.update(b"\0")
    return content.hexdigest()
