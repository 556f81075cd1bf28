"""
The filter of system calls named `strict`: the engine's own, without what no service needs.

Podman takes a filter as a file. It is made anew for each container from the engine's of that
moment, so that it knows the calls of newer kernels as well, and lies where no app can write.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler import durable
from reconciler.errors import DriverRejected
from reconciler.model.container import ContainerSpec

STRICT = "strict"
FILE = ".seccomp-strict.json"  # no app's folder: their names do not begin with a dot
ENGINES = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))

# Mounts, namespaces, keys, looking into other processes, programs and modules for the kernel,
# and the machine itself. A capability that is listed brings none of these back.
REFUSED = frozenset(
    [
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "mount",
        "mount_setattr",
        "move_mount",
        "open_tree",
        "pivot_root",
        "umount",
        "umount2",
        "setns",
        "unshare",
        "add_key",
        "keyctl",
        "request_key",
        "kcmp",
        "pidfd_getfd",
        "process_madvise",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "userfaultfd",
        "bpf",
        "perf_event_open",
        "create_module",
        "delete_module",
        "finit_module",
        "init_module",
        "query_module",
        "kexec_file_load",
        "kexec_load",
        "acct",
        "fanotify_init",
        "ioperm",
        "iopl",
        "lookup_dcookie",
        "name_to_handle_at",
        "open_by_handle_at",
        "quotactl",
        "reboot",
        "swapoff",
        "swapon",
        "syslog",
    ]
)
_NAMESPACES = 0x7E020000  # all of clone(2)'s flags that make one
_PERSONALITIES = frozenset({0, 0xFFFFFFFF})  # Linux, and the question which
_ALLOW, _ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_S390 = ["s390", "s390x"]  # whose clone(2) has its flags second

Json = dict[str, Any]


def strict(engines: Mapping[str, Any]) -> Json:
    """Return an engine's profile without what is refused."""
    kept = [rule for each in engines["syscalls"] if (rule := _narrowed(each))]
    return {**engines, "syscalls": [*kept, *_clone(), _refusal(sorted(REFUSED), 1, "EPERM")]}


def with_profile(
    container: ContainerSpec,
    folder: Path,
    engines: tuple[Path, ...] = ENGINES,
) -> ContainerSpec:
    """Return the container with the file in place of the name; raises DriverRejected."""
    if container.seccomp_profile != STRICT:
        return container
    file = folder / FILE
    try:
        source = next((e for e in engines if e.exists()), engines[-1])
        text = json.dumps(strict(json.loads(source.read_text(encoding="utf-8"))), indent=1)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            folder.mkdir(parents=True, exist_ok=True)
            durable.replace(file, text)
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no profile"
        raise DriverRejected(
            f"cannot create {container.container_name}: its seccomp profile `strict` is made of"
            f" the engine's {engines[-1]}, and that failed: {why}; install golang-github-"
            "containers-common, or write `default`"
        ) from error
    return replace(container, seccomp_profile=str(file))


def _narrowed(rule: Mapping[str, Any]) -> Json | None:
    """Return what is left of a rule; None where that is nothing."""
    names = [n for n in rule["names"] if n not in REFUSED and n not in {"clone", "clone3"}]
    if names == ["personality"] and rule["action"] == _ALLOW:
        odd = any(a["value"] not in _PERSONALITIES for a in rule.get("args") or ())
        names = [] if odd or not rule.get("args") else names
    return {**rule, "names": names} if names else None


def _clone() -> list[Json]:
    """Processes and threads, in no namespaces of their own; of clone3 nobody can see the flags."""
    flags = {"value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    usual: Json = {"names": ["clone"], "action": _ALLOW}
    return [
        {**usual, "args": [{"index": 0, **flags}], "excludes": {"arches": _S390}},
        {**usual, "args": [{"index": 1, **flags}], "includes": {"arches": _S390}},
        _refusal(["clone3"], 38, "ENOSYS"),  # so that libraries use the other one
    ]


def _refusal(names: list[str], number: int, name: str) -> Json:
    return {"names": names, "action": _ERRNO, "errnoRet": number, "errno": name}
