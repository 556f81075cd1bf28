"""
Commits as folders: each written whole into a place of its own, and then swapped in at once.

Only plain files are written. Links, submodules and files of Git LFS are named as obstacles: the
first could lead anywhere, and of the others the content is not there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from reconciler import durable
from reconciler.errors import SourceError
from reconciler.model.commit import Commit
from reconciler.sources import git_history
from reconciler.sources.git import Blob, GitMirror
from reconciler.sources.git_call import Remote

FILES = 10_000
BYTES = 64 * 2**20
_PLAIN = frozenset({"100644", "100755"})
_KINDS = {"120000": "a link", "160000": "a submodule"}
_KEPT = 3  # checkouts, with the present one


def obstacles(blobs: Iterable[Blob]) -> Iterator[str]:
    """Yield what cannot be checked out, and why, before anything is written."""
    size = 0
    for count, blob in enumerate(blobs, 1):
        size += blob.size
        if count > FILES or size > BYTES:
            yield f"it has more than {FILES} files, or more than {BYTES} bytes"
            return
        name = blob.path.encode("utf-8", "backslashreplace").decode()
        shown = ascii(name)[1:-1] if not name.isprintable() else name
        if blob.mode in _KINDS:
            yield f"{shown} is {_KINDS[blob.mode]}, and only files are taken"
        elif blob.mode not in _PLAIN or not _is_safe(blob.path):
            yield f"{shown} is no file that can be written"


def _is_safe(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and "\0" not in path and bool(parts)


def write_out(folder: Path, blobs: Sequence[Blob], mirror: GitMirror) -> None:
    """Write these files into a folder that is empty. Raises OSError and SourceError."""
    for blob, content in zip(blobs, mirror.contents(blobs), strict=True):
        file = folder / blob.path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())  # a swap must not be on disk before what it leads to
        file.chmod(0o755 if blob.mode == "100755" else 0o644)


class Checkouts:
    """A folder of checkouts, a link `current` to the one in force, and what is known of it."""

    def __init__(self, folder: Path, below: str) -> None:
        self._folder = folder
        self._below = below
        self._link = folder / "current"
        self._facts = folder / "applied.json"

    def applied(self) -> Commit | None:
        """Return the commit in force; None where there is none that can be read."""
        try:
            told = json.loads(self._facts.read_text(encoding="utf-8"))
            at = datetime.fromisoformat(told["committed_at"])
            commit = Commit(told["id"], told["author"], told["subject"], at, told["signer"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        here = self._link.is_dir() and told.get("below") == self._below
        return commit if here else None

    def take(self, commit: Commit, mirror: GitMirror) -> None:
        """Have the files of a commit in force, at once. Raises SourceError."""
        which = hashlib.sha256(self._below.encode()).hexdigest()[:8]
        place = self._folder / "checkouts" / f"{commit.id}-{which}"
        try:
            if not place.is_dir():
                self._write(place, mirror.files(commit.id, self._below), mirror)
            self._swap(place, commit)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise SourceError(f"cannot check out commit {commit.short}: {why}") from error
        self._tidy(place)

    def _write(self, place: Path, found: Iterable[Blob], mirror: GitMirror) -> None:
        fresh = place.with_name(place.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        write_out(fresh, list(found), mirror)
        fresh.rename(place)
        durable.settle(place.parent)

    def _swap(self, place: Path, commit: Commit) -> None:
        link = self._link.with_name("current.new")
        with suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(place.relative_to(self._folder), target_is_directory=True)
        link.replace(self._link)
        told = _document(commit) | {"below": self._below}
        durable.replace(self._facts, json.dumps(told, ensure_ascii=False))

    def _tidy(self, present: Path) -> None:
        """Keep a few of the others, for whoever wants to compare."""
        others = [p for p in present.parent.iterdir() if p != present]
        others.sort(key=lambda p: p.stat().st_mtime, reverse=True)
        for old in others[_KEPT - 1 :]:
            shutil.rmtree(old, ignore_errors=True)


def _document(commit: Commit) -> dict[str, Any]:
    at = commit.committed_at.isoformat() if commit.committed_at else None
    return {
        "id": commit.id,
        "author": commit.author,
        "subject": commit.subject,
        "committed_at": at,
        "signer": commit.signer,
    }


class GitRepository:
    """Implements `ports.Repository`: a mirror, and the checkouts of one folder in it."""

    def __init__(self, folder: Path, remote: Remote, below: str = "") -> None:
        self._below = below
        self.mirror = GitMirror(folder / "mirror.git", remote)
        self._checkouts = Checkouts(folder, below)
        self._changes = git_history.ChangesFile(folder, below)
        self.fetch = self.mirror.fetch
        self.commit = self.mirror.commit
        self.contains = self.mirror.contains
        self.between = self.mirror.between
        self.tag = self.mirror.tag
        self.raw = self.mirror.raw
        self.applied = self._checkouts.applied

    def changes(self, commit: str) -> dict[str, Commit]:
        """Return which commit changed each file last, by where it is when that one is in force."""
        known = self._changes.known(commit)
        if not known:
            with suppress(SourceError, OSError):
                found = git_history.last_changes(self.mirror.git, commit, self._below)
                self._changes.keep(commit, found)
                known = self._changes.known(commit)
        return known

    def obstacles(self, commit: str) -> tuple[str, ...]:
        """Return what of a commit cannot be checked out, and why."""
        return tuple(obstacles(self.mirror.files(commit, self._below)))

    def take(self, commit: Commit) -> None:
        """Have the files of a commit in force, all at once."""
        self._checkouts.take(commit, self.mirror)
