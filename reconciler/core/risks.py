"""How much harm a permission can do, and what a person reads of it. Pure."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

from reconciler.model.confinement import ENGINE_SOCKETS
from reconciler.model.permission import Kind, Permission, Risk
from reconciler.model.quantities import size_text

# With one of these, root in a container gets out of it: loads code into the kernel, mounts, opens
# any file by its number, reads memory, or changes who is allowed what.
_HOST_CAPABILITIES: Final = frozenset(
    [
        "BPF",
        "DAC_READ_SEARCH",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
    ],
)
# Who writes here decides what root runs; sockets of daemons are here as well, and a socket that is
# mounted read-only is spoken to all the same.
_HOST_PATHS: Final = (
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/archipelago/state",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/run",
    "/var/spool/cron",
)
_HOMES: Final = "/home"
# Of these, reading gives nobody anything that lets it in.
_HARMLESS_TO_READ: Final = (
    "/bin",
    "/boot",
    "/etc/hostname",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/os-release",
    "/etc/timezone",
    "/lib",
    "/lib32",
    "/lib64",
    "/run/udev",
    "/sbin",
    "/sys",
    "/usr",
)

_HOST_DEVICES: Final = (
    "dm-",
    "kmem",
    "loop",
    "mapper",
    "md",
    "mem",
    "mmcblk",
    "nbd",
    "nvme",
    "port",
    "sd",
    "sg",
    "disk",
    "vd",
    "xvd",
    "zd",
)
_BASELINE: Final = frozenset({Kind.VOLUME, Kind.STORAGE, Kind.SECRET, Kind.LIMIT})
_HARMLESS_NETWORKS: Final = frozenset({"isolated", "none"})
_HARMLESS_EGRESS: Final = frozenset({"internet", "none"})

_CAPABILITIES: Final[Mapping[str, str]] = {
    "CHOWN": "gives files another owner",
    "DAC_OVERRIDE": "reads and writes files of any owner",
    "DAC_READ_SEARCH": "opens any file of this machine",
    "FOWNER": "changes the modes of files of any owner",
    "KILL": "ends processes of other users, in its containers",
    "NET_ADMIN": "changes the settings of its network",
    "NET_BIND_SERVICE": "listens on ports below 1024",
    "NET_RAW": "sends packets of its own making",
    "SETGID": "takes on other groups",
    "SETUID": "takes on other users",
    "SYS_ADMIN": "does most of what root does",
    "SYS_MODULE": "loads code into the kernel",
    "SYS_NICE": "puts its processes before others",
    "SYS_PTRACE": "reads the memory of other processes",
    "SYS_RAWIO": "speaks to hardware behind the kernel's back",
    "SYS_TIME": "sets this machine's clock",
}


def risk(permission: Permission) -> Risk:
    """Return how much harm it can do, whoever has it."""
    match permission.kind:
        case Kind.PRIVILEGED:
            return Risk.HOST
        case Kind.CAPABILITY:
            return _host_if(permission.value in _HOST_CAPABILITIES)
        case Kind.PATH:
            return _host_if(_is_the_hosts(permission.value, permission.mode))
        case Kind.DEVICE:
            name = permission.value.removeprefix("/dev/")
            return _host_if(name.startswith(_HOST_DEVICES))
        case Kind.NETWORK:
            return _baseline_if(permission.value in _HARMLESS_NETWORKS)
        case Kind.EGRESS:
            return _baseline_if(permission.value in _HARMLESS_EGRESS)
        case Kind.PORT:
            return _baseline_if(_is_loopback(permission.value))
        case _:
            return _baseline_if(permission.kind in _BASELINE)


def sentence(permission: Permission) -> str:
    """Return what a person reads."""
    return _SENTENCES[permission.kind](permission)


def _host_if(so: bool) -> Risk:
    return Risk.HOST if so else Risk.ELEVATED


def _baseline_if(so: bool) -> Risk:
    return Risk.BASELINE if so else Risk.ELEVATED


def _is_the_hosts(path: str, mode: str) -> bool:
    if path.endswith(ENGINE_SOCKETS):
        return True
    if mode == "ro" and any(_is_within(path, place) for place in _HARMLESS_TO_READ):
        return False
    inside = any(_is_within(path, place) for place in _HOST_PATHS)
    return inside or path == _HOMES or any(_is_within(place, path) for place in _HOST_PATHS)


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(place + "/")


def _is_loopback(port: str) -> bool:
    return ip_address(port.rpartition(":")[0].strip("[]")).is_loopback


def _network(permission: Permission) -> str:
    name = permission.value.removeprefix("named ")
    match permission.value:
        case "isolated":
            return "Network: its own (other apps do not reach it)"
        case "none":
            return "Network: none"
        case "host":
            return "Network: host (shares the host's network; can reach every service on it)"
        case _:
            return f"Network: {name} (one of yours; can reach everything in it)"


def _egress(permission: Permission) -> str:
    return {
        "internet": "Outgoing: the internet",
        "lan": "Outgoing: the internet, and the local network",
    }.get(permission.value, "Outgoing: nothing")


def _port(permission: Permission) -> str:
    who = "this machine alone" if _is_loopback(permission.value) else "other machines"
    return f"Port: {permission.value} ({who} can reach it)"


def _connection(permission: Permission) -> str:
    app, _, port = permission.value.rpartition(":")
    return f"Connection: port {port} of {app}"


def _device(permission: Permission) -> str:
    return f"Device: {permission.value}" + _used(permission.mode, "rwm")


def _capability(permission: Permission) -> str:
    about = _CAPABILITIES.get(permission.value, "")
    return f"Capability: {permission.value}" + (f" ({about})" if about else "")


def _path(permission: Permission) -> str:
    how = "read only" if permission.mode == "ro" else "read and written"
    return f"Folder of this machine: {permission.value} ({how})"


def _used(mode: str, usual: str) -> str:
    return "" if mode == usual else f" ({mode})"


def _limit(permission: Permission) -> str:
    name, _, most = permission.value.partition(" ")
    title = "CPU" if name == "cpu" else name.capitalize()
    if most == "none":
        return f"{title}: as much as there is"
    return f"{title}: {size_text(int(most)) if name == 'memory' else most} at most"


def _value(title: str) -> Callable[[Permission], str]:
    return lambda permission: f"{title}: {permission.value}"


_SENTENCES: Final[Mapping[Kind, Callable[[Permission], str]]] = {
    Kind.PRIVILEGED: lambda _: "Privileged: not confined, it can do anything on this machine",
    Kind.NETWORK: _network,
    Kind.EGRESS: _egress,
    Kind.PORT: _port,
    Kind.CONNECTION: _connection,
    Kind.DEVICE: _device,
    Kind.CAPABILITY: _capability,
    Kind.PATH: _path,
    Kind.SYSCTL: _value("Setting of the kernel"),
    Kind.NEW_PRIVILEGES: lambda _: "New privileges: its programs may gain rights (setuid)",
    Kind.SECCOMP: lambda p: f"System calls: {p.value}, not the usual filter",
    Kind.APPARMOR: lambda p: f"AppArmor: {p.value}, not the profile that is made for it",
    Kind.FILE: _value("File of another app"),
    Kind.DATA: _value("Data of another app"),
    Kind.SECRET: lambda p: f"Secret of its own: {p.value.partition('/')[2]}",
    Kind.VOLUME: _value("Volume of its own"),
    Kind.STORAGE: lambda p: f"Storage: {size_text(int(p.value))}",
    Kind.LIMIT: _limit,
}
