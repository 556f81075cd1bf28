"""
What is odd about this machine, and the settings that make Podman work on it all the same.

On an ordinary server nothing is needed and nothing is written. Without systemd, without
CAP_SYS_RESOURCE, or with a cgroup tree that crun refuses (as in many containers and small
virtual machines), Podman needs a few settings of its own. They go to a file that only our
Podman processes are told about; nothing in /etc is touched.
"""

import os
import re
import resource
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field

from reconciler.drivers.podman import containers_conf
from reconciler.errors import ConfigurationError
from reconciler.model.container import UlimitSpec

CAP_SYS_RESOURCE = 24
# conmon lowers its own limit to this, so nothing above can be handed on to a container.
MOST_PROCESSES = 32768
MOST_FILES = 1048576

_HELPER_DIRECTORIES = (
    "/usr/local/libexec/podman",
    "/usr/local/lib/podman",
    "/usr/libexec/podman",
    "/usr/lib/podman",
)
_TOOLS = ("podman", "crun", "runc", "conmon", "netavark", "aardvark-dns", "nft")
_VERSION_DEADLINE = 5.0


class Cgroups(StrEnum):
    """How control groups are mounted."""

    V1 = "v1"
    V2 = "v2"
    HYBRID = "hybrid"  # version 1, in a shape that crun refuses


class Host(Struct, frozen=True):
    """The machine as Podman will find it; `versions` holds the tools that answered."""

    root: bool = True
    cgroups: Cgroups = Cgroups.V2
    systemd: bool = True
    udevd: bool = True
    sys_resource: bool = True
    hard_files: int = MOST_FILES
    hard_processes: int = MOST_PROCESSES
    native_overlay: bool = True
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


def detect(*, tools: bool = False, root: Path = Path("/")) -> Host:
    """
    Look at this machine; with `tools`, ask each tool for its version as well.

    `root` is where /proc, /sys and /run are looked for.
    """
    overlay = "overlay" in _text(root / "proc/filesystems").split()
    kernel = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    privileged = os.geteuid() == 0
    return Host(
        root=privileged,
        cgroups=_cgroups(root),
        systemd=(root / "run/systemd/system").is_dir(),
        udevd=(root / "run/udev/control").exists(),
        sys_resource=_has_capability(root, CAP_SYS_RESOURCE),
        hard_files=_hard_limit(resource.RLIMIT_NOFILE, MOST_FILES),
        hard_processes=_hard_limit(resource.RLIMIT_NPROC, MOST_PROCESSES),
        # Since 5.11 the kernel lets a user mount overlay in a namespace of their own.
        native_overlay=overlay and (privileged or kernel >= (5, 11)),
        versions=tool_versions() if tools else {},
    )


def render_containers_conf(host: Host, base_texts: Sequence[str]) -> str | None:
    """
    Write a containers.conf for `host`, or None where Podman needs no help.

    CONTAINERS_CONF replaces every other file, and a bare one would hand back the capabilities
    that the distribution drops. So all of `base_texts` (later ones win) goes into it, and only
    what is needed is overridden.
    """
    if not _needs_settings(host):
        return None
    merged: containers_conf.Table = {}
    for text in base_texts:
        try:
            containers_conf.merge(merged, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                f"cannot read Podman's containers.conf: {error}; mend that file"
            ) from error
    for table, settings in _settings(host, merged).items():
        containers_conf.merge(merged, {table: settings})
    return containers_conf.render(merged)


def prepare_host(
    directory: Path, environment: Mapping[str, str], host: Host | None = None
) -> dict[str, str]:
    """
    Return what to add to the environment of Podman's processes on this machine.

    Writes `directory`/containers.conf where one is needed. A CONTAINERS_CONF that the caller has
    set is the operator's decision, and stays.
    """
    host = host or detect()
    added: dict[str, str] = {}
    if not host.systemd:
        # There is nobody to run timers: without this, each start complains about it.
        added["DISABLE_HC_SYSTEMD"] = "true"
    if host.cgroups is not Cgroups.V2:
        # Podman 5 says at each start that it will not take them for ever; `doctor` says it once.
        added["PODMAN_IGNORE_CGROUPSV1_WARNING"] = "true"
    if environment.get("CONTAINERS_CONF"):
        return added
    base = [_text(path) for path in containers_conf.files(environment, root=host.root)]
    text = render_containers_conf(host, base)
    if text is not None:
        path = directory / "containers.conf"
        containers_conf.write(path, text)
        added["CONTAINERS_CONF"] = str(path)
    return added


def pin_bridge_address(interface: str, host: Host | None = None) -> bool:
    """
    Give a bridge its present hardware address for good; False while there is no such bridge.

    A Linux bridge takes the lowest address of its ports, so it changes when a container stops,
    and the others lose gateway and DNS for up to a minute. udevd pins it elsewhere; this does
    where none runs. Rootless bridges live in a namespace of Podman's, out of our reach.
    """
    host = host or detect()
    if host.udevd or not host.root:
        return True
    shown = _output(["ip", "-o", "link", "show", "dev", interface, "type", "bridge"])
    match = re.search(r"link/ether ([0-9a-f:]{17})", shown or "")
    if match is None:
        return False
    return _output(["ip", "link", "set", "dev", interface, "address", match[1]]) is not None


def tool_versions() -> dict[str, str]:
    """Ask each tool that Podman needs for its version; one that does not answer is left out."""
    found: dict[str, str] = {}
    for tool in _TOOLS:
        match = re.search(r"\d+(\.\d+)+", _output([tool_path(tool), "--version"]) or "")
        if match:
            found[tool] = match[0]
    return found


def tool_path(tool: str) -> str:
    """Where `tool` is: netavark and aardvark-dns are in no PATH."""
    for directory in _HELPER_DIRECTORIES:
        if (candidate := Path(directory, tool)).is_file():
            return str(candidate)
    return tool


def _needs_settings(host: Host) -> bool:
    odd_cgroups = host.cgroups is Cgroups.HYBRID
    return not host.systemd or odd_cgroups or (host.root and not host.sys_resource)


def _settings(host: Host, base: Mapping[str, object]) -> dict[str, dict[str, object]]:
    containers: dict[str, object] = {}
    engine: dict[str, object] = {}
    if not host.systemd:
        containers["log_driver"] = "k8s-file"
        engine["cgroup_manager"] = "cgroupfs"
        engine["events_logger"] = "file"
        # Each exec through the API leaves two conmon processes for this long, else 300 s.
        engine["exit_command_delay"] = 5
    if host.cgroups is Cgroups.HYBRID:
        engine["runtime"] = "runc"
    if host.root and not host.sys_resource:
        files = min(host.hard_files, MOST_FILES)
        processes = min(host.hard_processes, MOST_PROCESSES)
        containers["default_ulimits"] = [
            *containers_conf.other_ulimits(base, {"nofile", "nproc"}),
            f"nofile={files}:{files}",
            f"nproc={processes}:{processes}",
        ]
    return {"containers": containers, "engine": engine}


def base_ulimits() -> tuple[UlimitSpec, ...]:
    """Return what a container may have of files and processes on this machine, at most."""
    files = _hard_limit(resource.RLIMIT_NOFILE, MOST_FILES)
    processes = _hard_limit(resource.RLIMIT_NPROC, MOST_PROCESSES)
    return (UlimitSpec("nofile", files, files), UlimitSpec("nproc", processes, processes))


def _cgroups(root: Path) -> Cgroups:
    mounted = root / "sys/fs/cgroup"
    if (mounted / "cgroup.controllers").exists():
        return Cgroups.V2
    if _text(mounted / "unified/cgroup.controllers").strip():
        return Cgroups.HYBRID
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers = line.split(":")[1]
        if not controllers or controllers.startswith("name="):
            continue
        first = controllers.split(",", maxsplit=1)[0]
        if not (mounted / first / "cgroup.procs").exists():
            return Cgroups.HYBRID
    return Cgroups.V1


def _has_capability(root: Path, number: int) -> bool:
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", _text(root / "proc/self/status"), re.MULTILINE)
    return match is not None and bool(int(match[1], 16) >> number & 1)


def _hard_limit(which: int, most: int) -> int:
    hard = resource.getrlimit(which)[1]
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_VERSION_DEADLINE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
