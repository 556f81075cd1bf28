"""
What Podman shows of anybody's container, in the words of a spec. Pure.

Podman normalises what it was asked: capabilities are told as those that are left, limits of CPU as
billionths, a shutdown signal as a number. Nothing here is compared with anything.
"""

import re
import signal
from collections.abc import Iterator

from reconciler.drivers.podman.client import Json
from reconciler.model import labels
from reconciler.model.adoption import ContainerFacts, ImageFacts
from reconciler.model.container import (
    DeviceSpec,
    MountKind,
    MountSpec,
    PortSpec,
    Resources,
    UlimitSpec,
)

_INIT = re.compile(r"/(?:podman|dev)[-/]init$")
_UNFILTERED = re.compile(r"^Seccomp:\s+0$", re.MULTILINE)
_NAMELESS = re.compile(r"[0-9a-f]{64}")
_BILLION = 1_000_000_000
_OWN_NAMESPACES = {"PidMode": "processes", "IpcMode": "shared memory", "UTSMode": "hostname"}
_PRIVATE = frozenset({"", "private", "shareable", "none"})
_FROM_ENGINE = frozenset({"rprivate", "tmpcopyup"})
# Asked for, and shown nowhere.
_HIDDEN = ("--sysctl", "--cgroup-parent", "--cgroup-conf", "--requires", "--group-add")


def container_facts(inspected: Json, image: Json, status: str = "") -> ContainerFacts:
    """Read what inspections of a container and of its image say, and the kernel of its process."""
    config, host = _part(inspected, "Config"), _part(inspected, "HostConfig")
    mounts = tuple(_mounts(inspected))
    named = tuple(m for m in mounts if not _is_nameless(m))
    settings = _part(inspected, "NetworkSettings")
    marks: dict[str, str] = config.get("Labels") or {}
    return ContainerFacts(
        ref=str(inspected["Id"]),
        name=str(inspected.get("Name", "")),
        image=str(inspected.get("ImageName", "")),
        made_of=image_facts(image),
        instance=marks.get(labels.INSTANCE, ""),
        command=_command(inspected, init=bool(host.get("Init"))),
        environment=_pairs(config.get("Env"), "="),
        user=str(config.get("User") or ""),
        working_dir=str(config.get("WorkingDir") or "/"),
        hostname=str(config.get("Hostname") or ""),
        init=bool(host.get("Init")),
        network=str(host.get("NetworkMode", "")),
        networks=tuple(sorted(_part(settings, "Networks"))),
        ports=tuple(_ports(host)),
        mounts=(*named, *_tmpfs(host)),
        nameless=tuple(m.target for m in mounts if _is_nameless(m)),
        devices=tuple(_devices(host)),
        capabilities=tuple(sorted(inspected.get("BoundingCaps") or ())),
        privileged=bool(host.get("Privileged")),
        seccomp_profile=_seccomp(host, status),
        apparmor_profile=str(inspected.get("AppArmorProfile") or ""),
        no_new_privileges="no-new-privileges" in _security(host),
        readonly_root=bool(host.get("ReadonlyRootfs")),
        resources=_resources(host),
        swap=_limit(host, "MemorySwap"),
        shm_size=_limit(host, "ShmSize"),
        ulimits=tuple(_ulimits(host)),
        extra_hosts=_pairs(host.get("ExtraHosts"), ":"),
        dns=tuple(host.get("Dns") or ()),
        stop_signal=_signal(config.get("StopSignal")),
        restarts=_restarts(host),
        beyond=tuple(_beyond(inspected, host)),
    )


def image_facts(image: Json) -> ImageFacts:
    """Read what an inspection of an image says."""
    config = _part(image, "Config")
    return ImageFacts(
        id=str(image.get("Id", "")),
        names=tuple(image.get("RepoTags") or ()),
        digests=tuple(sorted({d.partition("@")[2] for d in image.get("RepoDigests") or ()})),
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        environment=_pairs(config.get("Env"), "="),
        user=str(config.get("User") or ""),
        working_dir=str(config.get("WorkingDir") or ""),
        stop_signal=str(config.get("StopSignal") or ""),
    )


def _part(whole: Json, key: str) -> Json:
    found: Json = whole.get(key) or {}
    return found


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(word) for word in value) if isinstance(value, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _command(inspected: Json, *, init: bool) -> tuple[str, ...]:
    """Return what is run, without the little process that Podman puts ahead of it."""
    words = (str(inspected.get("Path") or ""), *_words(inspected.get("Args")))
    if init and _INIT.search(words[0]) and words[1:2] == ("--",):
        words = words[2:]
    return words if words[0] else words[1:]


def _pairs(lines: object, mark: str) -> tuple[tuple[str, str], ...]:
    split = (line.partition(mark) for line in _words(lines))
    return tuple(sorted((name, value) for name, _, value in split))


def _ports(host: Json) -> Iterator[PortSpec]:
    for inside, bindings in _part(host, "PortBindings").items():
        port, _, protocol = str(inside).partition("/")
        for binding in bindings or ():
            where = str(binding.get("HostIp") or "")
            yield PortSpec(int(binding.get("HostPort") or 0), int(port), protocol or "tcp", where)


def _mounts(inspected: Json) -> Iterator[MountSpec]:
    for mount in inspected.get("Mounts") or ():
        kind = MountKind.VOLUME if mount.get("Type") == "volume" else MountKind.BIND
        source = mount.get("Name") if kind is MountKind.VOLUME else mount.get("Source")
        options = [*(mount.get("Options") or ()), *filter(None, [mount.get("Mode")])]
        options += [] if mount.get("RW") else ["ro"]
        options += filter(None, [mount.get("Propagation")])
        found = tuple(sorted(set(options)))
        yield MountSpec(kind, str(source or ""), str(mount["Destination"]), found)


def _is_nameless(mount: MountSpec) -> bool:
    return mount.kind is MountKind.VOLUME and bool(_NAMELESS.fullmatch(mount.source))


def _tmpfs(host: Json) -> Iterator[MountSpec]:
    for target, text in _part(host, "Tmpfs").items():
        options = [o for o in str(text).split(",") if o and o not in _FROM_ENGINE]
        yield MountSpec(MountKind.TMPFS, "", str(target), tuple(sorted(options)))


def _devices(host: Json) -> Iterator[DeviceSpec]:
    for device in host.get("Devices") or ():
        yield DeviceSpec(str(device["PathOnHost"]), str(device["PathInContainer"]))


def _security(host: Json) -> dict[str, str]:
    return dict(_pairs([str(o).replace(":", "=", 1) for o in host.get("SecurityOpt") or ()], "="))


def _seccomp(host: Json, status: str) -> str:
    """Podman shows what its command was given, and not what its API was."""
    shown = _security(host).get("seccomp", "default")
    return "unconfined" if shown == "default" and _UNFILTERED.search(status) else shown


def _resources(host: Json) -> Resources:
    nano = _limit(host, "NanoCpus")
    quota, period = _limit(host, "CpuQuota"), _limit(host, "CpuPeriod")
    cpu = nano / _BILLION if nano else (quota / period if quota and period else None)
    return Resources(
        cpu=cpu,
        memory=_limit(host, "Memory"),
        memory_reservation=_limit(host, "MemoryReservation"),
        pids=_limit(host, "PidsLimit"),
    )


def _limit(host: Json, key: str) -> int | None:
    value = host.get(key)
    return value if isinstance(value, int) and value > 0 else None


def _ulimits(host: Json) -> Iterator[UlimitSpec]:
    for limit in host.get("Ulimits") or ():
        name = str(limit["Name"]).removeprefix("RLIMIT_").lower()
        yield UlimitSpec(name, int(limit["Soft"]), int(limit["Hard"]))


def _signal(value: object) -> str:
    """Podman 4 tells a number, Podman 5 a name."""
    if isinstance(value, int):
        try:
            return signal.Signals(value).name
        except ValueError:
            return str(value)
    return str(value or "")


def _restarts(host: Json) -> str:
    name = str(_part(host, "RestartPolicy").get("Name") or "")
    return "" if name == "no" else name


def _beyond(inspected: Json, host: Json) -> Iterator[str]:
    """Say what no spec can ask for, or nobody can see."""
    for key, what in _OWN_NAMESPACES.items():
        mode = str(host.get(key) or "")
        if mode not in _PRIVATE and not (key == "UTSMode" and host.get("NetworkMode") == "host"):
            yield f"it shares its {what} ({mode}), which no manifest asks for"
    if host.get("UsernsMode"):
        yield f"it has users of its own ({host['UsernsMode']}), which no manifest gives"
    if inspected.get("Pod"):
        yield "it is in a pod, which no app is"
    if host.get("AutoRemove"):
        yield "it is removed when it ends (--rm), which no app is"
    asked: list[str] = _part(inspected, "Config").get("CreateCommand") or []
    for hidden in _HIDDEN:
        if any(word.partition("=")[0] == hidden for word in asked):
            yield f"it was made with {hidden}, of which Podman does not show enough"
