"""
A mirror of one ref of a git repository.

Nothing of the repository runs here, and whatever it serves is written by us, file by file.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from reconciler.errors import SourceError
from reconciler.model.commit import Commit
from reconciler.sources.git_call import Git, Remote

HEAD = "refs/archipelago/head"
_VERBS = "refs/archipelago/verb"  # a verb does not stand in the way of who follows
COMMITS = 200  # the most that are looked at between two that were in force
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Blob(Struct, frozen=True):
    """A file of a commit: where it is in its tree, its kind, its object, and how many bytes."""

    path: str
    mode: str
    id: str
    size: int = 0


class GitMirror:
    """A bare repository of our own. Every method raises SourceError."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        self._folder = folder
        self._remote = remote
        self.git = Git(folder, remote)

    def fetch(self) -> str:
        """Have what the ref means now, and return its commit's id."""
        return self._fetched(HEAD)

    def newest(self) -> str:
        """Do the same for a verb: what is followed stays as it is."""
        return self._fetched(_VERBS)

    def push(self, commit: str, base: str) -> str:
        """
        Have the branch be a commit if it is at `base` still; return why not, if so.

        Nothing that is there already can be lost: it is refused whatever else it may be.
        """
        branch = _full(self._remote.ref)
        lease = f"--force-with-lease={branch}:{base}"
        try:
            target = f"{commit}:{branch}"
            self.git.call("push", "--quiet", "--no-verify", lease, "--", self._remote.url, target)
        except SourceError as error:
            return str(error)
        return ""

    def _fetched(self, name: str) -> str:
        if not (self._folder / "HEAD").exists():
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.git.call("init", "--quiet", "--bare", "--", str(self._folder))
        refspec = f"+{_full(self._remote.ref)}:{name}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        self.git.call("fetch", *options, "--", self._remote.url, refspec)
        return self.commit_id(name)

    def commit_id(self, name: str) -> str:
        """Return the id of the commit that a name means."""
        told = self.git.call(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"
        )
        found = told.decode("ascii", "replace").strip()
        if not _ID.fullmatch(found):
            raise SourceError(f"cannot find a commit behind {self._remote.ref}")
        return found

    def tag(self) -> str:
        """Return the id of the annotated tag that the ref is; empty where it is none."""
        found = self.git.call("rev-parse", "--verify", "--quiet", HEAD).decode().strip()
        kind = self.git.call("cat-file", "-t", found).decode().strip()
        return found if kind == "tag" else ""

    def commit(self, commit: str) -> Commit:
        """Return who wrote it and what it is about."""
        shown = self.git.call("show", "--no-patch", "--format=%an <%ae>%x00%ct%x00%s", commit)
        author, at, subject = shown.decode("utf-8", "replace").rstrip("\n").split("\0", 2)
        return Commit(commit, author, subject, datetime.fromtimestamp(int(at), UTC))

    def raw(self, kind: str, name: str) -> bytes:
        """Return an object as it is: what a signature is over."""
        return self.git.call("cat-file", kind, name)

    def contains(self, commit: str, older: str) -> bool:
        """Say whether the history of a commit has an older one in it; unknown ones are in none."""
        done = self.git.run("merge-base", "--is-ancestor", older, commit)
        return done.returncode == 0

    def between(self, older: str, newer: str) -> tuple[str, ...]:
        """Return the commits after `older` up to `newer`, newest first."""
        limit = f"--max-count={COMMITS + 1}"
        told = self.git.call("rev-list", limit, newer, f"^{older}").decode().split()
        if len(told) > COMMITS:
            raise SourceError(
                f"cannot look at all commits since {older[:10]}: there are more than {COMMITS}"
            )
        return tuple(told)

    def files(self, commit: str, below: str) -> Iterator[Blob]:
        """Yield everything in a folder of a commit, with paths as from there."""
        at = f"{commit}:{below}" if below else commit
        listed = self.git.call("ls-tree", "-r", "-l", "-z", "--full-tree", at)
        for line in filter(None, listed.split(b"\0")):
            facts, _, path = line.partition(b"\t")
            mode, _, name, size = facts.decode("ascii").split()
            bytes_ = int(size) if size.isdecimal() else 0  # a submodule has none
            yield Blob(path.decode("utf-8", "surrogateescape"), mode, name, bytes_)

    def contents(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield what is in each of these files, in their order."""
        asked = "".join(f"{blob.id}\n" for blob in blobs).encode()
        answer = self.git.call("cat-file", "--batch", text=asked)
        at = 0
        for blob in blobs:
            end = answer.index(b"\n", at)
            if answer[at:end].split() != [blob.id.encode(), b"blob", str(blob.size).encode()]:
                raise SourceError(f"cannot read it: git does not have the file {blob.path!a}")
            yield answer[end + 1 : end + 1 + blob.size]
            at = end + 1 + blob.size + 1


def _full(ref: str) -> str:
    return ref if ref.startswith("refs/") else f"refs/heads/{ref}"
