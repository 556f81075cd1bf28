"""
An app's files, put into its volumes before it starts.

A container is initialised first: only then has Podman mounted its volumes, and filled the empty
ones with what the image has there.
"""

import io
from collections import defaultdict

from reconciler.drivers.podman.client import Client, Request
from reconciler.drivers.podman.filling import reveal
from reconciler.drivers.podman.listing import Listed
from reconciler.drivers.podman.lookup import Lookup
from reconciler.drivers.podman.shares import Shares
from reconciler.errors import DriverConflict
from reconciler.model.container import ContainerSpec, FileSpec
from reconciler.model.observed import ContainerState
from reconciler.model.secret import is_plain
from reconciler.ports import Secrets

_ABSENT = 404
_MODE = 0o644
_SECRET_MODE = 0o600  # where it is known whose it is; otherwise the app could not read it


class Files:
    """Writes files into the volumes of this instance's containers."""

    def __init__(self, client: Client, lookup: Lookup, secrets: Secrets, shares: Shares) -> None:
        self._client = client
        self._lookup = lookup
        self._secrets = secrets
        self._shares = shares

    def write(self, ref: str, container: ContainerSpec) -> None:
        """Have all files of the container where they belong."""
        listed = self._lookup.find(ref)
        if listed is None:
            raise DriverConflict(f"cannot write the files of {ref}: it is gone; it is made again")
        self._shares.refresh(container)
        if not container.files:
            return
        if listed.container.state in {ContainerState.CREATED, ContainerState.EXITED}:
            self._init(listed)
        by_mount: dict[str, list[FileSpec]] = defaultdict(list)
        for file in container.files:
            if file.overwrite or not self._is_there(listed, file):
                by_mount[file.mount].append(file)
        for mount, files in by_mount.items():
            self._put(listed, mount, self._packed(files, container.user))

    def _init(self, listed: Listed) -> None:
        if listed.word != "initialized":
            what = f"prepare {listed.name}"
            path = f"/containers/{listed.ref}/init"
            self._client.call(Request("init_container", what, "POST", path, timeout=60.0))

    def _is_there(self, listed: Listed, file: FileSpec) -> bool:
        path = f"{file.mount.rstrip('/')}/{file.path}"
        request = Request(
            "stat_file",
            f"look for {path} in {listed.name}",
            "HEAD",
            f"/containers/{listed.ref}/archive",
            {"path": path},
            expected=frozenset({_ABSENT}),
        )
        return self._client.call(request).status != _ABSENT

    def _put(self, listed: Listed, mount: str, archive: bytes) -> None:
        request = Request(
            "write_files",
            f"write files to {mount} of {listed.name}",
            "PUT",
            f"/containers/{listed.ref}/archive",
            {"path": mount},
            raw=archive,
            timeout=60.0,
        )
        self._client.call(request)

    def _packed(self, files: list[FileSpec], user: str | None) -> bytes:
        """Return an archive; what is in it belongs to the app's user, where that is a number."""
        import tarfile  # only where something is written: verbs that look stay fast

        owner = _owner(user)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for file in files:
                content = reveal(file.content, self._secrets).encode()
                entry = tarfile.TarInfo(file.path)
                entry.size = len(content)
                entry.mode = _MODE if owner is None or is_plain(file.content) else _SECRET_MODE
                entry.uid, entry.gid = owner or (0, 0)
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()


def _owner(user: str | None) -> tuple[int, int] | None:
    uid, _, gid = (user or "").partition(":")
    if not uid.isdecimal():
        return None
    return int(uid), int(gid) if gid.isdecimal() else 0  # as Podman runs one without a group
