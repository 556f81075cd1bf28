"""
A mirror of one ref of a git repository, by the `git` command. The only one who runs it.

Nothing of the repository runs here: no hooks, no filters, no configuration of its own, no
submodules; and whatever it serves is written by us, file by file. A token is given to git in its
environment, never in its arguments and never in a message.
"""

import base64
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from reconciler.errors import SourceError
from reconciler.model.commit import Commit

HEAD = "refs/archipelago/head"
COMMITS = 200  # the most that are looked at between two that were in force
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SSH_SAID = "Could not read from remote repository"
_MASK = re.compile(r"(://)[^/@\s]+@")


class Remote(Struct, frozen=True):
    """
    Where to fetch from. `token` is for HTTP; `ssh_key` and `known_hosts` are files for SSH.

    `seconds` is the deadline of each call.
    """

    url: str
    ref: str
    seconds: float = 60.0
    token: str = ""
    ssh_key: Path | None = None
    known_hosts: Path | None = None


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

    def fetch(self) -> str:
        """Have what the ref means now, and return its commit's id."""
        if not (self._folder / "HEAD").exists():
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", "--", str(self._folder), here=False)
        refspec = f"+{_full(self._remote.ref)}:{HEAD}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        self._git("fetch", *options, "--", self._remote.url, refspec)
        return self.commit_id(HEAD)

    def commit_id(self, name: str) -> str:
        """Return the id of the commit that a name means."""
        told = self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"
        )
        found = told.decode("ascii", "replace").strip()
        if not _ID.fullmatch(found):
            raise SourceError(f"cannot find a commit behind {self._remote.ref}")
        return found

    def tag(self) -> str:
        """Return the id of the annotated tag that the ref is; empty where it is none."""
        found = self._git("rev-parse", "--verify", "--quiet", HEAD).decode().strip()
        kind = self._git("cat-file", "-t", found).decode().strip()
        return found if kind == "tag" else ""

    def commit(self, commit: str) -> Commit:
        """Return who wrote it and what it is about."""
        shown = self._git("show", "--no-patch", "--format=%an <%ae>%x00%ct%x00%s", commit)
        author, at, subject = shown.decode("utf-8", "replace").rstrip("\n").split("\0", 2)
        return Commit(commit, author, subject, datetime.fromtimestamp(int(at), UTC))

    def raw(self, kind: str, name: str) -> bytes:
        """Return an object as it is: what a signature is over."""
        return self._git("cat-file", kind, name)

    def contains(self, commit: str, older: str) -> bool:
        """Say whether the history of a commit has an older one in it; unknown ones are in none."""
        done = self._run("merge-base", "--is-ancestor", older, commit)
        return done.returncode == 0

    def between(self, older: str, newer: str) -> tuple[str, ...]:
        """Return the commits after `older` up to `newer`, newest first."""
        limit = f"--max-count={COMMITS + 1}"
        told = self._git("rev-list", limit, newer, f"^{older}").decode().split()
        if len(told) > COMMITS:
            raise SourceError(
                f"cannot look at all commits since {older[:10]}: there are more than {COMMITS}"
            )
        return tuple(told)

    def files(self, commit: str, below: str) -> Iterator[Blob]:
        """Yield everything in a folder of a commit, with paths as from there."""
        at = f"{commit}:{below}" if below else commit
        listed = self._git("ls-tree", "-r", "-l", "-z", "--full-tree", at)
        for line in filter(None, listed.split(b"\0")):
            facts, _, path = line.partition(b"\t")
            mode, _, name, size = facts.decode("ascii").split()
            bytes_ = int(size) if size.isdecimal() else 0  # a submodule has none
            yield Blob(path.decode("utf-8", "surrogateescape"), mode, name, bytes_)

    def contents(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """Yield what is in each of these files, in their order."""
        asked = "".join(f"{blob.id}\n" for blob in blobs).encode()
        answer = self._git("cat-file", "--batch", text=asked)
        at = 0
        for blob in blobs:
            end = answer.index(b"\n", at)
            if answer[at:end].split() != [blob.id.encode(), b"blob", str(blob.size).encode()]:
                raise SourceError(f"cannot read it: git does not have the file {blob.path!a}")
            yield answer[end + 1 : end + 1 + blob.size]
            at = end + 1 + blob.size + 1

    def _git(self, *arguments: str, here: bool = True, text: bytes = b"") -> bytes:
        done = self._run(*arguments, here=here, text=text)
        if done.returncode:
            raise SourceError(f"cannot {_doing(arguments)}: {_told(done.stderr, self._remote)}")
        return done.stdout

    def _run(
        self, *arguments: str, here: bool = True, text: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        place = ["--git-dir", str(self._folder)] if here else []
        try:
            return _ended(["git", *place, *arguments], text, self._remote)
        except subprocess.TimeoutExpired as error:
            told = f"no end within {self._remote.seconds:g} s"
            raise SourceError(f"cannot {_doing(arguments)}: {told}") from error
        except OSError as error:
            told = "git is not installed (apt-get install git)"
            raise SourceError(f"cannot {_doing(arguments)}: {told}") from error


def _ended(command: list[str], text: bytes, remote: Remote) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end, or until its time is over: then it goes with all that it started."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(remote),
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            out, told = process.communicate(text, remote.seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # ssh would hold on to what we wait for
            raise
        return subprocess.CompletedProcess(command, process.returncode, out, told)


def _full(ref: str) -> str:
    return ref if ref.startswith("refs/") else f"refs/heads/{ref}"


def _environment(remote: Remote) -> Mapping[str, str]:
    """Nothing of the user's settings counts, nothing is asked, and only known ways are gone."""
    settings = {
        "core.hooksPath": "/dev/null",
        "fetch.fsckObjects": "true",
        "gc.auto": "0",
        "http.followRedirects": "false" if remote.token else "initial",
        "safe.directory": "*",
    }
    if remote.token:
        login = base64.b64encode(f"archipelago:{remote.token}".encode()).decode()
        settings[f"http.{remote.url}.extraHeader"] = f"Authorization: Basic {login}"
    ssh = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    ssh += ["-o", "ConnectTimeout=10"]
    ssh += ["-o", "IdentitiesOnly=yes", "-i", str(remote.ssh_key)] if remote.ssh_key else []
    ssh += ["-o", f"UserKnownHostsFile={remote.known_hosts}"] if remote.known_hosts else []
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
        "GIT_SSH_COMMAND": " ".join(_quoted(word) for word in ssh),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _doing(arguments: tuple[str, ...]) -> str:
    return (
        "fetch the desired state" if arguments[0] == "fetch" else f"read it (git {arguments[0]})"
    )


def _told(complaint: bytes, remote: Remote) -> str:
    """Return the line of git's that says most, without what should not be read."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line and not line.startswith("fatal: ")]
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    said = next(iter(fatal), next(iter(told), "git did not say why"))
    if said.startswith(_SSH_SAID):  # what ssh itself said came before
        before = lines[: lines.index(f"fatal: {said}")]
        said = next((line for line in reversed(before) if line), said)
    said = _MASK.sub(r"\1", said)
    return said.replace(remote.token, "…") if remote.token else said
