"""
Commits what a verb wrote into a work tree of the operator's: those files and nothing else.

Where that is not plainly the same as `git commit` of these files by its owner, nothing is
committed, and why not is said: the file is written all the same.
"""

import hashlib
import os
import pwd
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from reconciler.errors import SourceError
from reconciler.model.commit import Commit
from reconciler.sources import git_commit
from reconciler.sources.git_call import Git, Remote
from reconciler.sources.git_commit import Author, Changes, Content
from reconciler.sources.tree import is_manifest, manifests
from reconciler.sources.work_tree import Tree

_SECONDS = 30.0
_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}
_EXECUTABLE = 0o100
_NOT_IGNORED = 1  # how that command ends then; 0 is ignored, and all else not known


class Written(Struct, frozen=True):
    """What a verb wrote: `before` has what `contents` told before it did."""

    files: Sequence[Path]
    before: Mapping[Path, bytes]


def repository(tree: Tree, user: Mapping[str, str]) -> Git:
    """Return git at a work tree; `user` are the variables by which it finds their settings."""
    place = {"GIT_WORK_TREE": str(tree.top), "GIT_LITERAL_PATHSPECS": "1"}
    return Git(tree.folder, Remote("", "", _SECONDS), {**user, **place})


def commit(
    tree: Tree, git: Git, written: Written, subject: str, author: Author, at: datetime
) -> Commit:
    """Commit these files. Raises SourceError: then nothing of git's is changed but its index."""
    paths = paths_of(tree, written.files)
    branch, head = _branch(git)
    if author.key is None:
        _check_unsigned(git)
    _check(git, head, written, paths)
    changes: Changes = {path: _content(file) for file, path in paths.items()}
    made = git_commit.tree_of(git, head, changes)
    # The index first: were it locked, the next commit by hand would undo this one.
    git.call("update-index", "-z", "--index-info", text=git_commit.entries(git, head, changes))
    name = git_commit.commit_of(git, made, head, subject, author, at)
    git.call("update-ref", "-m", f"commit: {subject}", branch, name, head or "0" * len(name))
    return Commit(name, f"{author.name} <{author.email}>", subject, at)


def contents(folder: Path) -> dict[Path, bytes]:
    """Return what is in the files of a folder, by where they really are; for what can be read."""
    found: dict[Path, bytes] = {}
    with suppress(OSError):
        for name in manifests(folder, is_manifest):
            file = folder / name
            found[file.resolve()] = file.read_bytes()
    return found


def paths_of(tree: Tree, files: Sequence[Path]) -> dict[Path, str]:
    """Return where in the tree each file is; a link leads to what was written."""
    try:
        return {file: str(_followed(file).relative_to(tree.top)) for file in files}
    except ValueError:
        raise SourceError(f"cannot commit it: it is outside of {tree.top}") from None


def _followed(file: Path) -> Path:
    """A folder may be a link, and so may a file that was kept; one that is gone leads nowhere."""
    return file.resolve() if file.exists() else file.parent.resolve() / file.name


def hindrance(tree: Tree) -> str:
    """Return why nothing is written into the repository; empty where that is fine."""
    other = owner(tree.folder)
    if other:
        return f"the repository is {other}'s, who could not use it any more; commit as them"
    for name, what in _UNDER_WAY.items():
        if (tree.folder / name).exists():
            return f"{what} is under way in {tree.top}"
    return ""


def owner(folder: Path) -> str:
    """Return whose a repository is; empty where it is ours, or nobody's yet."""
    try:
        user = folder.stat().st_uid
        return "" if user == os.geteuid() else pwd.getpwuid(user).pw_name
    except FileNotFoundError:
        return ""
    except OSError:
        return "somebody else"
    except KeyError:
        return "another user"


def _branch(git: Git) -> tuple[str, str]:
    """Return the branch that is checked out, and its commit: empty where there is none yet."""
    found = git.run("symbolic-ref", "--quiet", "HEAD")
    branch = found.stdout.decode("utf-8", "surrogateescape").strip()
    if not branch:
        raise SourceError("cannot commit it: no branch is checked out there")
    head = git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").stdout.decode().strip()
    return branch, head


def _check_unsigned(git: Git) -> None:
    """Git would sign by a program of its configuration, and a commit without is not the same."""
    if git.run("config", "--type=bool", "--get", "commit.gpgSign").stdout == b"true\n":
        raise SourceError(
            "cannot commit it: `commit.gpgSign` wants it signed, and no `commit_key` is set"
        )


def _check(git: Git, head: str, written: Written, paths: Mapping[Path, str]) -> None:
    """What was not committed before is the operator's to commit; what is ignored, to leave."""
    for file, path in paths.items():
        kept = _entry(git, "ls-tree", "-z", "--full-tree", head, "--", path) if head else ""
        staged = _entry(git, "ls-files", "--stage", "-z", "--", path)
        before = written.before.get(_followed(file))
        here = _id(before, kept or staged) if before is not None else ""
        if not kept == staged == here:
            raise SourceError(f"cannot commit it: {path} had changes that are not committed")
        if not kept and _is_ignored(git, file):
            raise SourceError(f"cannot commit it: {path} is ignored")
    git_commit.check_unfiltered(git, [*paths.values()])


def _is_ignored(git: Git, file: Path) -> bool:
    plain = {"GIT_LITERAL_PATHSPECS": ""}  # this command knows no others
    asked = ("check-ignore", "--quiet", "--", str(_followed(file)))
    return git.run(*asked, changed=plain).returncode != _NOT_IGNORED


def _entry(git: Git, *arguments: str) -> str:
    """Return the id of the one file that is told of; of several, which are in conflict, all."""
    lines = git.call(*arguments).split(b"\0")
    facts = [line.partition(b"\t")[0].decode().split() for line in lines if line]
    return " ".join(words[2] if words[1] == "blob" else words[1] for words in facts)


def _id(data: bytes, like: str) -> str:
    """Return the id that git gives to a file."""
    kind = hashlib.sha256 if len(like) == hashlib.sha256().digest_size * 2 else hashlib.sha1
    return kind(b"blob %d\0" % len(data) + data).hexdigest()


def _content(file: Path) -> Content | None:
    target = _followed(file)
    if not target.exists():
        return None
    executable = target.stat().st_mode & _EXECUTABLE
    return Content(target.read_bytes(), "100755" if executable else "100644")
