"""
Files of other apps, to be read: copies, each bound over its place in the container.

A mount of the other app's own file would follow links that it makes, out of its container; and
would keep the file that was there at the start when another takes its name.
"""

import hashlib
import io
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.drivers.podman.client import Client, each_translated
from reconciler.drivers.podman.lookup import Lookup
from reconciler.drivers.podman.stream import Ask
from reconciler.drivers.podman.users import Users, UsersOf
from reconciler.errors import DriverConflict, DriverRejected
from reconciler.model.container import ContainerSpec, ShareSpec
from reconciler.model.observed import ContainerState

MOST_BYTES = 2**20
_DEADLINE = 30.0
_BLOCK = 512 * 40  # of the archive around one file


class Shares:
    """Copies in a folder that only this user can enter."""

    def __init__(self, client: Client, lookup: Lookup, folder: Path, users: UsersOf) -> None:
        self._client = client
        self._lookup = lookup
        self.folder = folder
        self._users = users

    def mounts(self, container: ContainerSpec) -> list[dict[str, object]]:
        """Return the mounts of a new container, and have something there to mount."""
        found: list[dict[str, object]] = []
        for share in container.shares:
            copy = self._copy(container, share)
            with _kept(container, share):
                _have(copy)
            found.append(
                {
                    "type": "bind",
                    "source": str(copy),
                    "destination": share.target,
                    "options": ["ro", "noexec", "nosuid", "nodev"],
                }
            )
        return found

    def refresh(self, container: ContainerSpec) -> None:
        """Copy all files anew, in place: what is bound already is the same file."""
        for share in container.shares:
            content = self._fetch(container, share)
            copy = self._copy(container, share)
            with _kept(container, share):
                _have(copy)
                with copy.open("r+b") as stream:
                    stream.write(content)
                    stream.truncate()
                _hand_over(copy, container.user, self._users(container))

    def _copy(self, container: ContainerSpec, share: ShareSpec) -> Path:
        name = hashlib.sha256(share.target.encode()).hexdigest()[:24]
        return self.folder / container.app / container.name / name

    def _fetch(self, container: ContainerSpec, share: ShareSpec) -> bytes:
        what = f"read {share.path} of {share.app} for {container.app}"
        sources = [
            listed
            for listed in self._lookup.all()
            if (listed.container.app, listed.container.container) == (share.app, share.container)
            and listed.container.state is ContainerState.RUNNING
        ]
        if not sources:
            raise DriverRejected(f"cannot {what}: {share.app} does not run")
        path = f"containers/{sources[0].ref}/archive"
        ask = Ask("GET", path, {"path": share.path}, deadline=_DEADLINE)
        return _unpacked(fetched(self._client, ask, what), what)


def fetched(client: Client, ask: Ask, what: str) -> bytes:
    """Return an archive, of bounded size; what goes wrong on the way is a DriverError."""
    try:
        stream = client.stream("read_file", what, ask)
    except DriverConflict as error:
        raise DriverRejected(f"cannot {what}: there is no such file") from error
    packed = b""
    for piece in each_translated(what, stream.pieces()):
        packed += piece
        if len(packed) > MOST_BYTES + _BLOCK:
            stream.close()
            raise DriverRejected(f"cannot {what}: it is larger than {MOST_BYTES} bytes")
    return packed


@contextmanager
def _kept(container: ContainerSpec, share: ShareSpec) -> Generator[None]:
    """Have a full or closed disk told in words: it is no mistake of ours."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise DriverRejected(
            f"cannot keep {share.target} for {container.app}: {why};"
            " check the folder shares in the state folder"
        ) from error


def _unpacked(packed: bytes, what: str) -> bytes:
    """Return the only file of an archive; a link is not followed, whoever made it."""
    import tarfile  # only where something is written: verbs that look stay fast

    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            member = archive.next()
            file = archive.extractfile(member) if member and member.isreg() else None
            if file is not None:
                return file.read(MOST_BYTES)
    except tarfile.TarError as error:
        raise DriverRejected(f"cannot {what}: Podman sent no archive") from error
    raise DriverRejected(
        f"cannot {what}: it is no ordinary file; a folder is shared as a whole volume"
    )


def _have(copy: Path) -> None:
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444))


def _hand_over(copy: Path, user: str | None, users: Users | None) -> None:
    """Only the user of the app reads it, where that is a number that can be set."""
    uid = (user or "").partition(":")[0]
    if uid.isdecimal() and os.geteuid() == 0:
        os.chown(copy, int(uid) + (users.first_user if users else 0), 0)
        copy.chmod(0o400)
    else:
        copy.chmod(0o444)
