"""Host directories that are mounted into containers: ours are made, others must be there."""

import os
from pathlib import Path

from reconciler.drivers.podman.users import Users
from reconciler.errors import DriverRejected
from reconciler.model.container import ContainerSpec, MountKind

_MODE = 0o755


def prepare(container: ContainerSpec, data_dir: Path, users: Users | None = None) -> None:
    """Make mount sources beneath the app's own data directory; refuse others that are missing."""
    for mount in container.mounts:
        if mount.kind is not MountKind.BIND:
            continue
        source, own = Path(mount.source), data_dir / container.app
        if source.exists():
            continue
        # Resolved, so that neither ".." nor a link that an app laid leads out of its directory.
        if own.resolve() not in (source.resolve(), *source.resolve().parents):
            raise DriverRejected(
                f"cannot create {container.container_name}: the host path {source} is not there;"
                f" make it, or use a path in {own}, which is made by itself",
            )
        _make(source.resolve(), container.container_name)
        if users is not None:
            os.chown(source.resolve(), users.first_user, users.first_group)


def _make(directory: Path, name: str) -> None:
    try:
        directory.mkdir(mode=_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise DriverRejected(
            f"cannot create {name}: the directory {directory} cannot be made: {error.strerror}",
        ) from error
