"""
The commit that a folder was checked out at by somebody else. Reads files; runs no git.

It is shown and put on record, never decided by: nothing says that the files are those of it.
"""

import re
from pathlib import Path

from msgspec import Struct

from reconciler.model.commit import Commit

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST = 4096


class Tree(Struct, frozen=True):
    """A work tree: its uppermost folder, and the folder in which git keeps what is of it."""

    top: Path
    folder: Path

    @property
    def objects(self) -> Path:
        """Where its commits are: a work tree of its own shares them."""
        return self.folder / (_text(self.folder / "commondir") or ".") / "objects"


def around(folder: Path) -> Tree | None:
    """Return the work tree around a folder; None where there is none."""
    here = folder.resolve()
    for place in (here, *here.parents):
        if (place / ".git").exists():
            return Tree(place, _git_folder(place / ".git"))
    return None


def commit_of(folder: Path) -> Commit | None:
    """Return the commit of the work tree around a folder; None where there is none."""
    tree = around(folder)
    found = _head(tree.folder) if tree else ""
    return Commit(found) if _ID.fullmatch(found) else None


def _git_folder(link: Path) -> Path:
    """A work tree of its own, as git-sync makes them, has a file that leads on."""
    if link.is_dir():
        return link
    return link.parent / _text(link).removeprefix("gitdir: ")


def _head(git: Path) -> str:
    head = _text(git / "HEAD")
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    common = git / (_text(git / "commondir") or ".")
    return _text(git / ref) or _text(common / ref) or _packed(common, ref)


def _packed(git: Path, ref: str) -> str:
    try:
        lines = (git / "packed-refs").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_LONGEST).strip()
    except OSError:
        return ""
