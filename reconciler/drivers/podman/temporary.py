"""
Directories for what is only memory, in images that have none there.

runc gives a tmpfs the mode of the directory below it; one that it made itself at the first start
(0755) makes `/tmp` closed to the app's user from the second start on. So it is made before, open.
"""

import io
from collections.abc import Iterable
from typing import Any, cast

from reconciler.drivers.podman.client import Client, Request

_ABSENT = frozenset({404})
_MODE = 0o1777


def targets(body: dict[str, object]) -> list[str]:
    """Return where a create request mounts memory."""
    mounts = cast("list[dict[str, Any]]", body["mounts"])
    return [str(m["destination"]) for m in mounts if m["type"] == "tmpfs"]


def open_up(client: Client, name: str, places: Iterable[str]) -> None:
    """Have an open directory at each of these places in a container that was not started."""
    missing = [place for place in places if not _is_there(client, name, place)]
    if not missing:
        return
    import tarfile  # only where something is written: verbs that look stay fast

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for place in missing:
            entry = tarfile.TarInfo(place.strip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, _MODE
            archive.addfile(entry)
    client.call(
        Request(
            "write_files",
            f"make {', '.join(missing)} in {name}",
            "PUT",
            f"/containers/{name}/archive",
            {"path": "/"},
            raw=packed.getvalue(),
            timeout=60.0,
        )
    )


def _is_there(client: Client, name: str, place: str) -> bool:
    request = Request(
        "stat_file",
        f"look for {place} in {name}",
        "HEAD",
        f"/containers/{name}/archive",
        {"path": place},
        expected=_ABSENT,
    )
    return client.call(request).status not in _ABSENT
