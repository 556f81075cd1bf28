"""
The names of other apps in a running container's hosts file.

Podman makes that file anew at each start, and keeps it outside of the container's reach but for
its content. It is changed in place: to a new file in its stead the container would not listen.
"""

import os
import re
from contextlib import suppress

from reconciler.drivers.podman.client import Client, Request
from reconciler.drivers.podman.listing import Listed
from reconciler.errors import DriverRejected
from reconciler.model.isolation import Names

_MARK = "# archipelago"
_LINE = re.compile(rf"^(\S+)\t(\S+) {_MARK}$")
_MOST = 1 << 20
_ABSENT = frozenset({404})


class AppNames:
    """Reads and writes them. Where a container's file is, Podman is asked once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._places: dict[str, str] = {}

    def read(self, listed: Listed) -> Names | None:
        """Return the names that it was given; None where they cannot be read."""
        try:
            return _names(_text(self._place(listed)))
        except OSError:
            return None

    def write(self, listed: Listed, names: Names) -> None:
        """Have it know exactly these."""
        place = self._place(listed)
        try:
            _replace(place, names)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise DriverRejected(
                f"cannot tell {listed.name} the addresses of other apps: {why}"
            ) from error

    def forget(self, refs: frozenset[str]) -> None:
        """Know nothing any more of containers but these."""
        for gone in self._places.keys() - refs:
            self._places.pop(gone, None)

    def _place(self, listed: Listed) -> str:
        known = self._places.get(listed.ref)
        if known:
            return known
        request = Request(
            "inspect_container",
            f"inspect {listed.name}",
            "GET",
            f"/containers/{listed.ref}/json",
            expected=_ABSENT,
        )
        reply = self._client.call(request)
        found = "" if reply.status in _ABSENT else str(reply.object().get("HostsPath") or "")
        self._places[listed.ref] = found
        return found


def _names(text: str) -> Names:
    found = (_LINE.match(line) for line in text.splitlines())
    return tuple(sorted((line[2], line[1]) for line in found if line))


def _text(place: str) -> str:
    file = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.read(file, _MOST).decode(errors="surrogateescape")
    finally:
        os.close(file)


def _replace(place: str, names: Names) -> None:
    """Ours come first: of two addresses for a name, the first is taken."""
    others = [line for line in _text(place).splitlines() if not _LINE.match(line)]
    ours = [f"{address}\t{name} {_MARK}" for name, address in names]
    content = "".join(f"{line}\n" for line in (*ours, *others)).encode(errors="surrogateescape")
    file = os.open(place, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.pwrite(file, content, 0)
        os.ftruncate(file, len(content))
    finally:
        with suppress(OSError):
            os.close(file)
