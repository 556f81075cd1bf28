"""
What the kernel enforces of a container's process, read from /proc and not from what was asked.

A process that runs gets no wider than it is, so it is read once. One that has not become the
container's program yet is told as None, as is one that cannot be read: nobody knows.
"""

import os
import re
from functools import cache
from pathlib import Path

from reconciler.drivers.podman.liveness import read_all
from reconciler.model.confinement import CAPABILITIES, ENGINE_SOCKETS, Confinement
from reconciler.model.observed import ObservedContainer

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_FILTERED = "2"  # of prctl(2)'s SECCOMP modes
# What engines hide, and what they let be read and never written: where the machine has them.
_HIDDEN = (
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
)
_READ_ONLY = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/sys",
)
_UNDER_WAY = re.compile(r"memfd:|(crun|runc)\b")  # a runtime that is about to become the program
_UNCONFINED = {"", "unconfined", "kernel"}

Mounts = dict[str, tuple[str, bool]]  # by where: what of its file system, and whether read-only


class LiveConfinement:
    """Remembers what was read of each process."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float, Confinement]] = {}

    def of(self, container: ObservedContainer) -> Confinement | None:
        """Return what confines a running container; None where nobody can say, or not yet."""
        pid, began = container.pid, container.process_start
        known = self._known.get(container.ref)
        if known is not None and known[:2] == (pid, began):
            return known[2]
        found = read(pid)
        if found is not None:
            self._known[container.ref] = (pid, began, found)
        return found

    def forget(self, refs: frozenset[str]) -> None:
        """Know nothing any more of containers but these."""
        for gone in self._known.keys() - refs:
            self._known.pop(gone, None)


def read(pid: int) -> Confinement | None:
    """Return what confines a process."""
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115, PTH119 - a text, and no file here
        shared = tuple(kind for kind in NAMESPACES if _same(pid, kind))
    except OSError:
        return None
    status, mounts = _fields(read_all(pid, "status")), mounts_in(read_all(pid, "mountinfo"))
    if _UNDER_WAY.match(program) or not mounts or any(name not in status for name in _SETS):
        return None
    return Confinement(
        capabilities=capabilities_in([status[name] for name in _SETS]),
        no_new_privileges=status.get("NoNewPrivs") == "1",
        seccomp=status.get("Seccomp") == _FILTERED,
        shared=shared,
        open=open_in(mounts),
        sockets=sockets_in(mounts),
        own_users=own_users_in(read_all(pid, "uid_map")),
        label=_label(pid),
    )


def capabilities_in(sets: list[str]) -> tuple[str, ...]:
    """Return the names of all that are in any of these sets, as /proc writes them."""
    together = 0
    for each in sets:
        together |= int(each, 16)
    return tuple(sorted(_capability(n) for n in range(together.bit_length()) if together >> n & 1))


def mounts_in(mountinfo: str) -> Mounts:
    """Return what is mounted where; of several at one place, the uppermost."""
    found: Mounts = {}
    for line in mountinfo.splitlines():
        fields = line.split()
        if len(fields) > 5:  # noqa: PLR2004 - proc(5): the sixth are its options
            found[fields[4]] = (fields[3], "ro" in fields[5].split(","))
    return found


def own_users_in(uid_map: str) -> bool:
    """Whether no number inside means root outside; what is not readable is no proof."""
    outside = [line.split()[1:2] for line in uid_map.splitlines()]
    return bool(outside) and ["0"] not in outside and [] not in outside


def open_in(mounts: Mounts, machine: Path = Path("/")) -> tuple[str, ...]:
    """Return the kernel's files that are neither hidden nor read-only, of those that are there."""
    there = _there(machine)
    hidden = [p for p in _HIDDEN if p not in mounts and p in there]
    written = [p for p in _READ_ONLY if not mounts.get(p, ("", False))[1] and p in there]
    return tuple(sorted((*hidden, *written)))


@cache
def _there(machine: Path) -> frozenset[str]:
    """Return which of these the machine has; that is its kernel's, and does not change."""
    return frozenset(p for p in (*_HIDDEN, *_READ_ONLY) if (machine / p[1:]).exists())


def sockets_in(mounts: Mounts) -> tuple[str, ...]:
    """Return where sockets of container engines, or the folders of these, are mounted."""
    folders = {f"/{name.removesuffix('.sock')}" for name in ENGINE_SOCKETS}
    return tuple(
        sorted(
            where
            for where, (what, _) in mounts.items()
            if what.rpartition("/")[2] in ENGINE_SOCKETS or what.removeprefix("/run") in folders
        )
    )


def _capability(number: int) -> str:
    return CAPABILITIES[number] if number < len(CAPABILITIES) else f"number {number}"


def _same(pid: int, kind: str) -> bool:
    """Whether a process is in our own namespace; raises where that cannot be read."""
    return os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")  # noqa: PTH115 - asked a lot


def _fields(status: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in status.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _label(pid: int) -> str:
    """Return the profile or the context; reading it fails where the kernel has neither."""
    label = read_all(pid, "attr/current").strip("\0\n ")
    return "" if label in _UNCONFINED else label
