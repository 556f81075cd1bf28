"""
Makes commits out of trees: no work tree, no index of anybody's, no filter, no editor.

They are signed by `ssh-keygen` and a key that is named here: what git's configuration says of
signing names programs.
"""

import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from reconciler.errors import SourceError
from reconciler.sources.git_call import Git

_SECONDS = 20.0
_SHA1 = 40  # digits of an id
_UNTOUCHED = frozenset({"unspecified", "unset"})
_CONTROL = dict.fromkeys([*range(32), 127, *map(ord, "<>")])  # what ends a name or an address


class Author(Struct, frozen=True):
    """Who commits; `key` is the file of the SSH key that signs, None where nothing is signed."""

    name: str
    email: str
    key: Path | None = None

    def line(self, at: datetime) -> str:
        """Return it as it is written into a commit."""
        name, email = (text.translate(_CONTROL).strip() for text in (self.name, self.email))
        return f"{name} <{email}> {int(at.timestamp())} +0000"


class Content(Struct, frozen=True):
    """What a file is to be: `mode` as git writes it."""

    data: bytes
    mode: str = "100644"


Changes = Mapping[str, Content | None]  # by path from the top of the repository; None: it goes


def tree_of(git: Git, base: str, changes: Changes) -> str:
    """
    Return the tree of a commit with these files changed and nothing else.

    `base` is empty where there is no commit yet. Raises SourceError.
    """
    with tempfile.TemporaryDirectory(prefix="archipelago-") as place:
        own = {"GIT_INDEX_FILE": str(Path(place, "index"))}
        if base:
            git.call("read-tree", base, changed=own)
        check_unfiltered(git, list(changes), "--cached", changed=own)
        git.call(
            "update-index", "-z", "--index-info", text=entries(git, base, changes), changed=own
        )
        return git.call("write-tree", changed=own).decode().strip()


def entries(git: Git, base: str, changes: Changes) -> bytes:
    """Return the lines that put these files into an index; what is in them is kept by git."""
    nothing = "0" * (len(base) or _SHA1)
    lines: list[str] = []
    for path, content in changes.items():
        if content is None:
            lines.append(f"0 {nothing}\t{path}\0")
            continue
        kept = git.call("hash-object", "-w", "--no-filters", "--stdin", text=content.data)
        lines.append(f"{content.mode} {kept.decode().strip()}\t{path}\0")
    return "".join(lines).encode("utf-8", "surrogateescape")


def check_unfiltered(
    git: Git, paths: list[str], *cached: str, changed: Mapping[str, str] | None = None
) -> None:
    """What a filter would have made unreadable must not be committed as it is."""
    asked = ("check-attr", *cached, "-z", "filter", "--", *paths)
    words = git.call(*asked, changed=changed).decode("utf-8", "surrogateescape").split("\0")
    for path, value in zip(words[::3], words[2::3], strict=False):
        if value not in _UNTOUCHED:
            raise SourceError(f"cannot commit it: {path} goes through a filter of git's")


def commit_of(git: Git, tree: str, parent: str, subject: str, author: Author, at: datetime) -> str:
    """Write a commit, signed if there is a key, and return its id. Raises SourceError."""
    who = author.line(at)
    head = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
    head += [f"author {who}", f"committer {who}"]
    text = f"\n\n{subject}\n"
    signed = "\n".join(head) + text
    if author.key is not None:
        name = "gpgsig" if len(tree) == _SHA1 else "gpgsig-sha256"
        signature = _signature(signed.encode(), author.key).strip().replace("\n", "\n ")
        signed = "\n".join([*head, f"{name} {signature}"]) + text
    written = git.call("hash-object", "-t", "commit", "-w", "--stdin", text=signed.encode())
    return written.decode().strip()


def by_hand(top: Path, files: Sequence[Path], subject: str) -> str:
    """Return the command by which a person commits the same."""
    names = [str(file.absolute()) for file in files]
    git = ["git", "-C", str(top)]
    add = shlex.join([*git, "add", "-A", "--", *names])
    return f"{add} && {shlex.join([*git, 'commit', '-m', subject, '--', *names])}"


def _signature(text: bytes, key: Path) -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(key)]
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            timeout=_SECONDS,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"},
            start_new_session=True,  # nobody is asked for a passphrase
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"cannot sign it with {key}: no end within {_SECONDS:g} s") from error
    except OSError as error:
        told = "ssh-keygen is not installed (apt-get install openssh-client)"
        raise SourceError(f"cannot sign it with {key}: {told}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        told = lines[-1].strip() if lines else "ssh-keygen did not say why"
        raise SourceError(f"cannot sign it with {key}: {told}")
    return done.stdout.decode()
