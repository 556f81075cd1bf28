"""
Where verbs write: into the folder, with a commit where it is in git; or upon a git source.

What is written into a folder stays written, whether it can be committed or not. What is proposed
to a git source is there, for the loop to fetch, or nothing happened.
"""

import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from reconciler import git_parts
from reconciler.clock import SystemClock
from reconciler.config import GitSource, Settings, environment
from reconciler.core.following import following
from reconciler.errors import ConfigurationError, SourceError
from reconciler.following import gather
from reconciler.model.commit import Commit
from reconciler.sources import git_commit, tree_commit, work_tree
from reconciler.sources.git_call import Git
from reconciler.sources.git_commit import Author
from reconciler.sources.git_proposal import Proposal
from reconciler.sources.git_signatures import Demand, of_commit

TRIES = 5  # each time, somebody else was faster


class Kept(Struct, frozen=True):
    """What became of it: the commit's id, if there is one, and what a person should know."""

    commit: str = ""
    notice: str = ""


class Place(Protocol):
    """Where a verb writes; `settings` name it as the desired state."""

    @property
    def settings(self) -> Settings:
        """The settings to read and write by."""
        ...

    def shown(self, file: Path) -> str:
        """Return the name of a file there, for people."""
        ...

    def keep(self, subject: str, files: Sequence[Path]) -> Kept:
        """Have what was written into these files kept. Raises SourceError: nothing happened."""
        ...


@contextmanager
def writing(settings: Settings, actor: str) -> "Generator[Place]":
    """Yield where to write. Raises ConfigurationError and SourceError, as all that is in it."""
    git = settings.git
    if git is None:
        yield _Folder(settings, actor)
        return
    if not git.push:
        raise ConfigurationError(
            f"cannot write the desired state: it comes from {git.url}, and what is here is only a"
            " copy; change it there, and push, or let verbs do so with `push` in [git]"
        )
    with tempfile.TemporaryDirectory(prefix="archipelago-") as place:
        folder = Path(place).resolve()
        branch = _Branch(settings, git, actor, folder)
        try:
            yield branch
        except ConfigurationError as error:
            told = str(error).replace(f"{folder}/", "").replace(str(folder), git.url)
            raise ConfigurationError(told) from error


class _Folder:
    """Implements `Place` with the operator's folder; in a work tree, each verb is a commit."""

    def __init__(self, settings: Settings, actor: str) -> None:
        self.settings = settings
        self._actor = actor
        self._tree = work_tree.around(settings.desired_state)
        self._before = tree_commit.contents(settings.desired_state) if self._tree else {}

    def shown(self, file: Path) -> str:
        """Return the name of a file there, for people."""
        return str(file)

    def keep(self, subject: str, files: Sequence[Path]) -> Kept:
        """Commit what was written, or say why not."""
        tree = self._tree
        if tree is None or not files:
            return Kept()
        begun = f"{self.settings.desired_state} is in a git work tree"
        if not self.settings.commit:
            return Kept(notice=f"{begun}: commit the change, or it is undone there.")
        try:
            made = self._committed(tree, subject, files)
        except SourceError as error:
            why = str(error).removeprefix("cannot commit it: ")
            hand = git_commit.by_hand(tree.top, files, subject)
            undone = "commit the change, or it is undone there"
            return Kept(notice=f"{begun}, and it was not committed: {why}; {undone}: {hand}")
        return Kept(made.id, f"Committed as {made.short}: {subject}.")

    def _committed(self, tree: work_tree.Tree, subject: str, files: Sequence[Path]) -> Commit:
        why = tree_commit.hindrance(tree)
        if why:
            raise SourceError(why)
        git = tree_commit.repository(tree, _theirs())
        author = _author(git, self.settings, self._actor)
        written = tree_commit.Written(files, self._before)
        return tree_commit.commit(tree, git, written, subject, author, SystemClock().now())


class _Branch:
    """Implements `Place` with the newest commit of a git source, laid out in a folder."""

    def __init__(self, settings: Settings, git: GitSource, actor: str, folder: Path) -> None:
        self._whole = settings
        self._git = git
        self._repository = git_parts.repository(settings, git)
        self._verifier = git_parts.verifier(git)
        mirror = self._repository.mirror
        other = tree_commit.owner(mirror.git.folder)
        if other:
            whose = f"{mirror.git.folder} is {other}'s"
            raise ConfigurationError(f"cannot write the desired state: {whose}; do this as them")
        self._author = _author(replace(mirror.git, changed=_theirs()), settings, actor)
        self._proposal = Proposal(mirror, git.path or "", folder, self._newest())
        self._proposal.lay_out()
        self.settings = settings.model_copy(update={"desired_state": folder})

    def shown(self, file: Path) -> str:
        """Return the name of a file there, for people."""
        return self._proposal.path(file)

    def keep(self, subject: str, files: Sequence[Path]) -> Kept:
        """Push it as a commit upon the newest, also if that is another one by now."""
        if not files:
            return Kept()
        proposal, mirror, why = self._proposal, self._repository.mirror, ""
        for _ in range(TRIES):
            commit = proposal.commit(files, subject, self._author, SystemClock().now())
            self._check_signature(commit)
            why = mirror.push(commit, proposal.base)
            newest = self._newest() if why else commit
            if newest == commit or mirror.contains(newest, commit):  # only the answer was lost
                git_parts.pushed(self._whole, commit)
                told = f"Committed as {Commit(commit).short} and pushed: {subject}."
                return Kept(commit, told)
            if newest == proposal.base:
                raise SourceError(f"{why}; nothing was written")
            other = proposal.elsewhere(newest, files)
            if other:
                raise SourceError(
                    f"cannot push the change: {other} was changed there meanwhile; nothing was"
                    " written, try again"
                )
            proposal = replace(proposal, base=newest)
        raise SourceError(
            f"cannot push the change: others pushed {TRIES} times meanwhile; nothing was written"
        )

    def _newest(self) -> str:
        """
        Return the newest commit, if it is one that would be taken.

        To build upon another would have it taken with ours: a signature on the newest commit
        would stand for what is below it.
        """
        repository = self._repository
        head = repository.mirror.newest()
        allowed = git_parts.allowed(self._whole)
        known = gather(repository, self._verifier, repository.applied(), head, allowed)
        told = following(known).told
        if told:
            raise SourceError(f"cannot write the desired state: {told}")
        return head

    def _check_signature(self, commit: str) -> None:
        """What no loop would take is not pushed: all that comes after it would be held as well."""
        if self._verifier.demand is Demand.OFF:
            return
        raw = self._repository.mirror.raw("commit", commit)
        why = of_commit(raw, self._verifier.signers).why
        if why:
            key = self._whole.commit_key
            mend = f"list {key}.pub in `allowed_signers`" if key else "set `commit_key`"
            raise SourceError(
                f"cannot push the change: the commit {why}, and no loop would take it; {mend};"
                " nothing was written"
            )


def _theirs() -> Mapping[str, str]:
    """Return the variables by which git finds the settings of the user."""
    known = environment()
    names = ("HOME", "XDG_CONFIG_HOME")
    return {"GIT_CONFIG_GLOBAL": "", **{n: known[n] for n in names if n in known}}


def _author(git: Git, settings: Settings, actor: str) -> Author:
    """Return who git says that the user is; otherwise their login, at this machine."""
    known = environment()
    name = known.get("GIT_AUTHOR_NAME") or _setting(git, "user.name") or actor
    login = actor.split(maxsplit=1)[0]
    address = known.get("GIT_AUTHOR_EMAIL") or _setting(git, "user.email")
    key = settings.commit_key.absolute() if settings.commit_key else None
    return Author(name, address or f"{login}@{gethostname()}", key)


def _setting(git: Git, name: str) -> str:
    return git.run("config", "--get", name).stdout.decode("utf-8", "replace").strip()
