"""
Runs the `git` command: the only one who does.

Nothing of a repository runs here: no hooks, no filters, no program that its configuration names,
no submodules. A token is given to git in its environment, never in its arguments and never in a
message. Every method raises SourceError.
"""

import base64
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from reconciler.errors import SourceError

_SSH_SAID = "Could not read from remote repository"
_MASK = re.compile(r"(://)[^/@\s]+@")
_NO_WAY = "none"  # the name of no protocol: nothing is fetched, whatever is missing
_DOING = {"fetch": "fetch the desired state", "push": "push the change"}
_WRITING = {"hash-object", "read-tree", "update-index", "update-ref", "write-tree"}
Changed = Mapping[str, str]


class Remote(Struct, frozen=True):
    """
    Where to fetch from, and to push to.

    `token` is for HTTP; `ssh_key` and `known_hosts` are files for SSH. `seconds` is the deadline
    of each call.
    """

    url: str
    ref: str
    seconds: float = 60.0
    token: str = ""
    ssh_key: Path | None = None
    known_hosts: Path | None = None


class Git(Struct, frozen=True):
    """
    The command, at one repository.

    Without a remote it speaks to nobody. `changed` are variables of its environment besides; an
    empty one is not set.
    """

    folder: Path
    remote: Remote = Remote("", "")
    changed: Changed = field(default_factory=dict[str, str])

    def call(self, *arguments: str, text: bytes = b"", changed: Changed | None = None) -> bytes:
        """Return what it prints."""
        done = self.run(*arguments, text=text, changed=changed)
        if done.returncode:
            raise SourceError(f"cannot {_doing(arguments)}: {_told(done.stderr, self.remote)}")
        return done.stdout

    def run(
        self, *arguments: str, text: bytes = b"", changed: Changed | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Return how it ended, and what it printed."""
        place = [] if arguments[0] == "init" else ["--git-dir", str(self.folder)]
        environment = {**_environment(self.remote), **self.changed, **(changed or {})}
        environment = {key: value for key, value in environment.items() if value}
        command = ["git", *place, *arguments]
        try:
            return _ended(command, text, environment, self.remote.seconds)
        except subprocess.TimeoutExpired as error:
            told = f"no end within {self.remote.seconds:g} s"
            raise SourceError(f"cannot {_doing(arguments)}: {told}") from error
        except OSError as error:
            told = "git is not installed (apt-get install git)"
            raise SourceError(f"cannot {_doing(arguments)}: {told}") from error


def _ended(
    command: list[str], text: bytes, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end, or until its time is over: then it goes with all that it started."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            out, told = process.communicate(text, seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # ssh would hold on to what we wait for
            raise
        return subprocess.CompletedProcess(command, process.returncode, out, told)


def _environment(remote: Remote) -> Mapping[str, str]:
    """Nothing of the user's settings counts, nothing is asked, and only known ways are gone."""
    settings = {
        "core.fsmonitor": "false",
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
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file" if remote.url else _NO_WAY,
        "GIT_SSH_COMMAND": " ".join(_quoted(word) for word in ssh),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _doing(arguments: tuple[str, ...]) -> str:
    verb = arguments[0]
    return _DOING.get(verb) or f"{'commit' if verb in _WRITING else 'read'} it (git {verb})"


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
