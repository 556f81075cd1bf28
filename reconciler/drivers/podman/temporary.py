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
_REMEMBERED = 1024


def targets(body: dict[str, object]) -> list[str]:
    """Return where a create request mounts memory."""
    mounts = cast("list[dict[str, Any]]", body["mounts"])
    return [str(m["destination"]) for m in mounts if m["type"] == "tmpfs"]


class Temporary:
    """Remembers which images have a directory of their own there: to look into one takes long."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._there: set[tuple[str, str]] = set()

    def open_up(self, name: str, image: str, places: Iterable[str]) -> None:
        """
        Have an open directory at each of these places in a container that was not started.

        `image` is the id of what it was made of.
        """
        missing = [place for place in places if not self._is_there(name, image, place)]
        if not missing:
            return
        import tarfile  # only where something is written: verbs that look stay fast

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for place in missing:
                entry = tarfile.TarInfo(place.strip("/"))
                entry.type, entry.mode = tarfile.DIRTYPE, _MODE
                archive.addfile(entry)
        self._client.call(
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

    def _is_there(self, name: str, image: str, place: str) -> bool:
        if (image, place) in self._there:
            return True
        request = Request(
            "stat_file",
            f"look for {place} in {name}",
            "HEAD",
            f"/containers/{name}/archive",
            {"path": place},
            expected=_ABSENT,
        )
        found = self._client.call(request).status not in _ABSENT
        if found and image:
            if len(self._there) >= _REMEMBERED:
                self._there.clear()
            self._there.add((image, place))
        return found
