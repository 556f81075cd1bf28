"""
Which commit changed each file of a folder last. Shown and put on record, never decided by.

It takes as long as the history is long: nothing that a pass waits for. What is not found within
limits is not known, and neither is what a history that was cut off says of its first commit.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler import durable
from reconciler.errors import SourceError
from reconciler.model.commit import Commit
from reconciler.sources.git_call import Git, Remote
from reconciler.sources.work_tree import Tree

COMMITS = 10_000  # the most that are gone through
_LONGEST = 200  # characters of an author or a subject
_SECONDS = 30.0
_ID = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
_FIELDS = 4
_MANIFEST = (b".yml", b".yaml")


def last_changes(
    git: Git, commit: str, below: str, cut_off: Collection[str] = ()
) -> dict[str, Commit]:
    """Return it by path as from the folder, of manifests alone. Raises SourceError."""
    folder = ["--", below] if below else []
    limit = f"--max-count={COMMITS}"
    commits = git.call("rev-list", limit, "--end-of-options", commit, *folder)
    options = ("-r", "-z", "--root", "--raw", "--no-renames", "--no-ext-diff", "--stdin")
    listed = git.call("diff-tree", *options, *folder, text=commits)
    prefix = f"{below}/".encode() if below else b""
    found: dict[bytes, str] = {}
    for path, by in _changed(listed):
        if path.startswith(prefix) and path.endswith(_MANIFEST):
            found.setdefault(path.removeprefix(prefix), by)
    told = _told(git, {by for by in found.values() if by not in cut_off})
    return {
        path.decode("utf-8", "surrogateescape"): told[by]
        for path, by in found.items()
        if by in told
    }


def _changed(listed: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield each file and the commit that changed it, the newest first."""
    words = iter(listed.split(b"\0"))
    commit = ""
    for word in words:
        if word.startswith(b":"):
            yield next(words), commit
        elif _ID.fullmatch(word):
            commit = word.decode()


def _told(git: Git, commits: Collection[str]) -> dict[str, Commit]:
    """Return who made these commits, when, and what they are about."""
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    options = ("--no-show-signature", "--no-walk=unsorted", "--no-mailmap", "--stdin", "-z")
    form = "--format=%H%x00%an <%ae>%x00%ct%x00%s"
    words = git.call("log", *options, form, text=asked).split(b"\0") if commits else []
    rows = (words[at : at + _FIELDS] for at in range(0, len(words) - _FIELDS + 1, _FIELDS))
    return {
        name.decode(): Commit(
            name.decode(), _data(author), _data(subject), datetime.fromtimestamp(int(at), UTC)
        )
        for name, author, at, subject in rows
    }


def _data(text: bytes) -> str:
    """It may come from anybody who pushes: no line ends, no controls, and not too long."""
    shown = text.decode("utf-8", "replace")[: _LONGEST + 1]
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def of_tree(tree: Tree, own: Path, folder: Path, commit: str) -> dict[str, Commit]:
    """
    Return it for a folder in somebody's work tree, by file; nothing where it cannot be read.

    By a repository of ours that borrows their objects: their configuration is not even read.
    """
    borrowed = str(tree.objects.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    changed = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{borrowed}"'}
    git = Git(own, Remote("", "", _SECONDS), changed)
    shallow = tree.objects.parent / "shallow"
    try:
        if not (own / "HEAD").exists():
            own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            git.call("init", "--quiet", "--bare", "--", str(own))
        cut_off = shallow.read_text().split() if shallow.is_file() else []
        more = {"GIT_SHALLOW_FILE": str(shallow)} if cut_off else {}
        below = folder.resolve().relative_to(tree.top).as_posix()
        at = Git(own, git.remote, changed | more)
        found = last_changes(at, commit, "" if below == "." else below, cut_off)
    except (SourceError, OSError, ValueError):
        return {}
    return {str(folder / path): by for path, by in found.items()}


class ChangesFile:
    """What was found of one commit of a git source, for those who look and for the next life."""

    def __init__(self, folder: Path, below: str) -> None:
        self._file = folder / "changes.json"
        self._current = folder / "current"
        self._below = below

    def known(self, commit: str) -> dict[str, Commit]:
        """Return it by file; nothing where another commit, or none, was looked at."""
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            if [told["commit"], told["below"]] != [commit, self._below]:
                return {}
            commits = {name: _commit(name, one) for name, one in told["commits"].items()}
            files = told["files"].items()
            return {str(self._current / path): commits[name] for path, name in files}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def keep(self, commit: str, found: Mapping[str, Commit]) -> None:
        """Write down what was found by path. Raises OSError."""
        commits = {
            one.id: [one.author, one.subject, one.committed_at and one.committed_at.isoformat()]
            for one in found.values()
        }
        files = {path: one.id for path, one in found.items()}
        told = {"commit": commit, "below": self._below, "files": files, "commits": commits}
        durable.replace(self._file, json.dumps(told))


def _commit(name: str, told: Any) -> Commit:  # noqa: ANN401 - JSON of any shape
    author, subject, at = told
    return Commit(name, str(author), str(subject), datetime.fromisoformat(at))
