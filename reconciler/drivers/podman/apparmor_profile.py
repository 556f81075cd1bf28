"""
The AppArmor profile of one container: what engines' usual one refuses, and less still. Pure.

Every capability that the manifest does not list, packets of a program's own making, changes of
what is mounted, devices of the whole machine, and writing to what is mounted to be read. The
kernel refuses most of it by other means as well: this one holds when one of those fails.
"""

import hashlib
from collections.abc import Iterator

from reconciler.model.container import ContainerSpec, MountKind

_HASH_DIGITS = 12
_NAME = "@NAME@"  # until the text is complete: its hash is part of the name

# As in the `containers-default` of Podman: below /proc only processes, shm* and what is no number.
_PROC = (
    "deny /proc/* w,",
    "deny /proc/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,",
    "deny /proc/sys/[^k]** w,",
    "deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,",
    "deny /proc/sysrq-trigger rwklx,",
    "deny /proc/kmem rwklx,",
    "deny /proc/kcore rwklx,",
)
_SYS = (
    "deny /sys/[^f]*/** wklx,",
    "deny /sys/f[^s]*/** wklx,",
    "deny /sys/fs/[^c]*/** wklx,",
    "deny /sys/fs/c[^g]*/** wklx,",
    "deny /sys/fs/cg[^r]*/** wklx,",
    "deny /sys/firmware/** rwklx,",
    "deny /sys/kernel/security/** rwklx,",
)
_OF_THE_MACHINE = ("/dev/kmem", "/dev/kmsg", "/dev/mem", "/dev/port")
_SPECIAL = frozenset('\\*?[]{}^"')  # in a pattern of AppArmor


def profile(container: ContainerSpec) -> tuple[str, str]:
    """Return the name and the text of a container's profile; another text has another name."""
    lines = "\n".join(f"  {rule}" for rule in _rules(container))
    text = f'profile "{_NAME}" flags=(attach_disconnected,mediate_deleted) {{\n{lines}\n}}\n'
    found = hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
    name = f"{container.container_name}-{found}"
    return name, text.replace(_NAME, name)


def _rules(container: ContainerSpec) -> Iterator[str]:
    yield from ("file,", "network,", "unix,")
    yield from (f"capability {name.lower()}," for name in container.capabilities)
    if "NET_RAW" not in container.capabilities:
        yield from ("deny network inet raw,", "deny network inet6 raw,", "deny network packet,")
    if "SYS_ADMIN" in container.capabilities:
        yield from ("mount,", "remount,", "umount,", "pivot_root,")
    else:
        yield from ("deny mount,", "deny remount,", "deny umount,", "deny pivot_root,")
    yield from _among_themselves()
    yield from () if _is_given(container, "/proc") else _PROC
    yield from () if _is_given(container, "/sys") else _SYS
    yield from _devices(container)
    yield from _read_only(container)


def _among_themselves() -> Iterator[str]:
    """Whoever confines nothing, and the engine's runtimes, have to be able to end it."""
    yield "signal (receive) peer=unconfined,"
    yield "signal (receive) peer={/usr/bin/,/usr/sbin/,}{crun*,podman*,runc},"
    yield f'signal (send,receive) peer="{_NAME}",'
    yield "ptrace (readby,tracedby) peer=unconfined,"
    yield f'ptrace (trace,read,readby,tracedby) peer="{_NAME}",'


def _is_given(container: ContainerSpec, place: str) -> bool:
    """Whether the manifest itself puts something there; then that was approved."""
    targets = (mount.target for mount in container.mounts)
    return any(target == place or target.startswith(f"{place}/") for target in targets)


def _devices(container: ContainerSpec) -> Iterator[str]:
    given = {device.target for device in container.devices}
    yield from (f"deny {path} rwklx," for path in _OF_THE_MACHINE if path not in given)
    for device in container.devices:
        if "w" not in device.permissions and _is_writable(device.target):
            yield f"deny {_quoted(device.target)} w,"


def _read_only(container: ContainerSpec) -> Iterator[str]:
    """A denial outweighs every permission: none where something below may be written."""
    written = [m.target for m in container.mounts if "ro" not in m.options]
    for mount in container.mounts:
        target = mount.target.rstrip("/")
        if mount.kind is MountKind.TMPFS or mount.target in written or not _is_writable(target):
            continue
        if not any(other.startswith(f"{target}/") for other in written):
            yield f"deny {_quoted(target, '{,/**}')} wl,"
    for share in container.shares:
        if _is_writable(share.target):
            yield f"deny {_quoted(share.target)} wl,"


def _is_writable(path: str) -> bool:
    """Whether a path can be written into a profile."""
    return bool(path) and path.isprintable()


def _quoted(path: str, behind: str = "") -> str:
    escaped = "".join(f"\\{c}" if c in _SPECIAL else c for c in path)
    return f'"{escaped}{behind}"'
