"""
What a container's processes may use, and how often they asked for more, by the kernel's groups.

Podman 4 goes on showing the limits that a container was made with, whatever was changed since.
Reading takes a file for each limit, so one container is read twice a minute at most. Where a user
has none, whatever was asked for, `unlimited` says why.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.drivers.podman.liveness import read_all
from reconciler.model.container import Resources
from reconciler.model.observed import Hits, ObservedContainer

AGAIN_SECONDS = 30.0
ROOT = Path("/sys/fs/cgroup")
Found = tuple[Resources | None, Hits | None]
_UNLIMITED = 2**62  # version 1 writes the largest multiple of a page


class LiveLimits:
    """Remembers what was read for a while; what has no limit, or cannot be read, is None."""

    def __init__(
        self,
        *,
        rootful: bool,
        root: Path = ROOT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rootful = rootful
        self._root = root
        self._clock = clock
        self.unlimited = "" if rootful else why_unlimited(root)
        self._known: dict[str, tuple[int, float, Found]] = {}

    def of(self, container: ObservedContainer) -> Found:
        """Return the limits of a running container, and hits; None where nobody can say."""
        if not self._rootful:
            return None, None  # what a user was given to give to others is not looked at
        now, known = self._clock(), self._known.get(container.ref)
        if known is not None and known[0] == container.pid and now < known[1] + AGAIN_SECONDS:
            return known[2]
        groups = read_all(container.pid, "cgroup")
        found = limits_in(groups, self._root), hits_in(groups, self._root)
        self._known[container.ref] = (container.pid, now, found)
        return found

    def forget(self, refs: frozenset[str]) -> None:
        """Know nothing any more of containers but these."""
        for gone in self._known.keys() - refs:
            self._known.pop(gone, None)

    def read_again(self, ref: str) -> None:
        """Read this one anew at the next look."""
        self._known.pop(ref, None)


def why_unlimited(root: Path) -> str:
    """Return why nothing limits the containers of a user; empty where Podman can limit them."""
    if (root / "cgroup.controllers").exists():
        return ""
    return "control groups of version 1 are root's alone"


def limits_in(groups: str, root: Path) -> Resources | None:
    """Return the limits of the groups that /proc/PID/cgroup lists, of either version."""
    places = _places(groups)
    if not places:
        return None
    if "memory" in places:
        return _version_1(places, root)
    return _version_2(places.get("", "/"), root)


def hits_in(groups: str, root: Path) -> Hits | None:
    """Return how often the groups' limits were hit; None where the kernel does not tell."""
    places = _places(groups)
    if "memory" in places:
        memory = root / "memory" / places["memory"].lstrip("/") / "memory.oom_control"
        pids = root / "pids" / places.get("pids", "/").lstrip("/") / "pids.events"
    else:
        here = root / places.get("", "/").lstrip("/")
        memory, pids = here / "memory.events", here / "pids.events"
    if not memory.exists():
        return None
    return Hits(_count(memory, "oom_kill"), _count(pids, "max"))


def _places(groups: str) -> dict[str, str]:
    """Return where the group of each controller is; of version 2 there is one for all."""
    places: dict[str, str] = {}
    for line in groups.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        places |= dict.fromkeys(controllers.split(","), path)
    return places


def _version_1(places: dict[str, str], root: Path) -> Resources:
    def figure(controller: str, name: str) -> int | None:
        place = places.get(controller)
        return None if place is None else _figure(root / controller / place.lstrip("/") / name)

    quota, period = figure("cpu", "cpu.cfs_quota_us"), figure("cpu", "cpu.cfs_period_us")
    return Resources(
        cpu=quota / period if quota and period and quota > 0 else None,
        memory=figure("memory", "memory.limit_in_bytes"),
        pids=figure("pids", "pids.max"),
    )


def _version_2(place: str, root: Path) -> Resources:
    here = root / place.lstrip("/")
    quota, _, period = _text(here / "cpu.max").partition(" ")
    limited = quota.isdigit() and period.isdigit() and int(period) > 0
    return Resources(
        cpu=int(quota) / int(period) if limited else None,
        memory=_figure(here / "memory.max"),
        pids=_figure(here / "pids.max"),
    )


def _figure(file: Path) -> int | None:
    text = _text(file)
    try:
        number = int(text)
    except ValueError:
        return None
    return number if number < _UNLIMITED else None


def _count(file: Path, word: str) -> int:
    for line in _text(file).splitlines():
        name, _, number = line.partition(" ")
        if name == word and number.isdigit():
            return int(number)
    return 0


def _text(file: Path) -> str:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(handle, 512).decode(errors="replace").strip()
    except OSError:
        return ""
    finally:
        os.close(handle)
