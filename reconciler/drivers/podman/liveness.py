"""
Is the process behind a container there? Asked of the kernel, since Podman may not know.

Podman says "running" for ever about a container whose conmon was killed, and for a moment about
every container that ends.
"""

import os

_ENOUGH = 16384
_GONE = {"Z", "X"}
_START = 19  # of proc(5)'s fields, those before the state left out
_TICKS = os.sysconf("SC_CLK_TCK")


class Liveness:
    """Looks at processes. A rootful container's process is known by its control group."""

    def __init__(self, *, rootful: bool | None = None) -> None:
        self.rootful = os.geteuid() == 0 if rootful is None else rootful

    def runs(self, pid: int, ref: str) -> bool:
        """Whether the process is there, is no zombie, and (rootful) belongs to that container."""
        if pid <= 0 or _state(pid) in _GONE:
            return False
        return not self.rootful or ref in _read(pid, "cgroup")

    def began(self, pid: int) -> float:
        """Return when the process began, in seconds since the machine did; 0 where it is gone."""
        _, _, rest = _read(pid, "stat").rpartition(")")
        fields = rest.split()
        return int(fields[_START]) / _TICKS if len(fields) > _START else 0.0

    def watched(self, conmon: int, ref: str) -> bool:
        """Whether the container's conmon, or the clean-up that it turns into, is there."""
        return conmon > 0 and _state(conmon) not in _GONE and ref in _read(conmon, "cmdline")


def parent(pid: int) -> int:
    """Return the process that a process belongs to; 0 where it is gone."""
    _, _, rest = _read(pid, "stat").rpartition(")")
    fields = rest.split()
    return int(fields[1]) if len(fields) > 1 else 0


def _state(pid: int) -> str:
    """Return the kernel's letter for a process; X where there is none."""
    _, _, rest = _read(pid, "stat").rpartition(")")
    return rest.split()[0] if rest.split() else "X"


def read_all(pid: int, name: str) -> str:
    """Return the whole of a file about a process; empty where it cannot be read."""
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - asked a lot
            return file.read()
    except OSError:
        return ""


def _read(pid: int, name: str) -> str:
    """Return the beginning of a file about a process; by descriptor, since it is asked a lot."""
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(file, _ENOUGH).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(file)
