"""What the kernel enforces of a process that runs in a container."""

from typing import Final

from msgspec import Struct

_OF_THE_KERNEL: Final = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES: Final = tuple(_OF_THE_KERNEL.split())  # each at the place of its number

# Names by which programs listen that do as root what they are asked.
ENGINE_SOCKETS: Final = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock")


class Confinement(Struct, frozen=True):
    """
    What was read of one process; everything is sorted.

    `capabilities` are all that it has or can ever get. `shared` are the kinds of namespaces that
    it has in common with the machine. `open` are the kernel's own files that it could change or
    learn too much from: neither hidden nor read-only. `sockets` are where those of container
    engines are mounted. `own_users`: nobody in it, not even its root, is root of the machine.
    `label` is what AppArmor or SELinux confine it by; empty: neither does.
    """

    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = True
    seccomp: bool = True
    shared: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    own_users: bool = False
    label: str = ""
