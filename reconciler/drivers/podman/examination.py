"""
Facts about Podman on this machine that only a person wants to know, each with a deadline.

`doctor` judges them.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from reconciler.drivers.podman.endpoint import answers, candidates
from reconciler.drivers.podman.host import Host, detect
from reconciler.drivers.podman.service import PodmanService
from reconciler.errors import ConfigurationError

ENOUGH_IDS = 65536  # an image may hold files of any user up to this
ENOUGH_WATCHES = 8192
ENOUGH_INSTANCES = 128
_DEADLINE = 10.0


class Examination(Struct, frozen=True):
    """Facts about this machine beyond `Host`; the defaults are those of a healthy server."""

    socket: str = "the system's service at /run/podman/podman.sock answers"
    socket_answers: bool = True
    storage_driver: str = "overlay"
    iptables: bool = True
    static_busybox: bool = True
    subordinate_ids: int = ENOUGH_IDS
    newuidmap: bool = True
    tun: bool = True
    runtime_directory: bool = True
    lingers: bool = True
    first_port: int = 1024
    watches: int = ENOUGH_WATCHES
    instances: int = ENOUGH_INSTANCES


def examine(
    explicit: str | None, instance: str, state_directory: Path, environment: Mapping[str, str]
) -> tuple[Host, Examination]:
    """Look at this machine; takes a second at most when Podman is well."""
    found, good = _socket(explicit, instance, state_directory, environment)
    return detect(tools=True), Examination(
        socket=found,
        socket_answers=good,
        storage_driver=_said(
            environment, "podman", "info", "--format", "{{.Store.GraphDriverName}}"
        ),
        iptables=_in_path("iptables", environment),
        static_busybox=_static_busybox(environment),
        subordinate_ids=min(_subordinate_ids("/etc/subuid"), _subordinate_ids("/etc/subgid")),
        newuidmap=_in_path("newuidmap", environment),
        tun=os.access("/dev/net/tun", os.R_OK | os.W_OK),
        runtime_directory=bool(environment.get("XDG_RUNTIME_DIR")),
        lingers=Path("/var/lib/systemd/linger", _name()).exists(),
        first_port=_figure("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
        watches=_figure("/proc/sys/fs/inotify/max_user_watches"),
        instances=_figure("/proc/sys/fs/inotify/max_user_instances"),
    )


def _socket(
    explicit: str | None, instance: str, state_directory: Path, environment: Mapping[str, str]
) -> tuple[str, bool]:
    try:
        wanted = candidates(explicit, environment)
        own = PodmanService(state_directory, instance, environment)
    except ConfigurationError as error:
        return str(error), False
    for candidate in wanted:
        if answers(candidate.path):
            return f"Podman answers at {candidate.path} ({candidate.origin})", True
        if candidate.named:
            return f"Nobody answers at {candidate.path} ({candidate.origin})", False
    if answers(own.socket):
        return f"This program's own Podman service answers at {own.socket}", True
    return "No Podman service runs; this program starts its own when it needs one", True


def _said(environment: Mapping[str, str], *command: str) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_DEADLINE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _in_path(command: str, environment: Mapping[str, str]) -> bool:
    # Podman itself looks in these as well, whatever an ordinary user's PATH has.
    path = os.pathsep.join([environment.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(command, path=path) is not None


def _static_busybox(environment: Mapping[str, str]) -> bool:
    """Say whether there is one; a dynamic one would not start in an empty image."""
    for path in (Path("/bin/busybox"), Path("/usr/bin/busybox")):
        with suppress(OSError):
            if path.stat().st_size and not _said(environment, "ldd", str(path)):
                return True
    return False


def _subordinate_ids(file: str) -> int:
    names = {str(os.geteuid()), _name()}
    total = 0
    with suppress(OSError, ValueError):
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            owner, _, rest = line.partition(":")
            if owner in names:
                total += int(rest.rpartition(":")[2])
    return total


def _name() -> str:
    """Return what this user is called; the number where there is no name."""
    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def _figure(file: str) -> int:
    try:
        return int(Path(file).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
