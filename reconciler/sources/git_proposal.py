"""
A change to the newest commit of a git source: laid out as a folder, committed, and pushed.

Nothing of it is in force until it was fetched and looked at as any other commit.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from reconciler.errors import SourceError
from reconciler.sources import git_commit
from reconciler.sources.git import GitMirror
from reconciler.sources.git_checkout import obstacles, write_out
from reconciler.sources.git_commit import Author, Changes, Content


class Proposal(Struct, frozen=True):
    """One folder (`below`, in the repository) of a commit, as it was laid out in `folder`."""

    mirror: GitMirror
    below: str
    folder: Path
    base: str

    def lay_out(self) -> None:
        """Write the files of the commit into the folder. Raises SourceError."""
        blobs = list(self.mirror.files(self.base, self.below))
        for why in obstacles(blobs):
            raise SourceError(f"cannot write the desired state: {why}")
        try:
            write_out(self.folder, blobs, self.mirror)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise SourceError(f"cannot lay out the desired state: {why}") from error

    def path(self, file: Path) -> str:
        """Return where in the repository a file of the folder is."""
        inside = file.relative_to(self.folder)
        return str(Path(self.below) / inside)

    def commit(self, files: Sequence[Path], subject: str, author: Author, at: datetime) -> str:
        """Commit what these files are now, upon the commit; return the new one's id."""
        git = self.mirror.git
        tree = git_commit.tree_of(git, self.base, self._changes(files))
        return git_commit.commit_of(git, tree, self.base, subject, author, at)

    def elsewhere(self, newer: str, files: Sequence[Path]) -> str:
        """Return the first of these files that another commit changed as well; empty for none."""
        then, now = (dict(self._kept(commit)) for commit in (self.base, newer))
        paths = [str(file.relative_to(self.folder)) for file in files]
        return next((path for path in paths if then.get(path) != now.get(path)), "")

    def _kept(self, commit: str) -> Iterator[tuple[str, tuple[str, str]]]:
        for blob in self.mirror.files(commit, self.below):
            yield blob.path, (blob.mode, blob.id)

    def _changes(self, files: Sequence[Path]) -> Changes:
        modes = {path: mode for path, (mode, _) in self._kept(self.base)}
        return {
            self.path(file): Content(
                file.read_bytes(), modes.get(str(file.relative_to(self.folder)), "100644")
            )
            if file.exists()
            else None
            for file in files
        }
