"""
A container's spec as the exact body of Podman's create request. Pure.

Podman ignores keys that it does not know, so nothing here may be misspelt; every key was seen to
work on Podman 4.3.1 and 5.4.2. We supervise containers ourselves: Podman's restarts and its health
checks are off.
"""

import signal

from reconciler.drivers.podman.differences import NO_HEALTH_CHECK
from reconciler.drivers.podman.users import USERS, Users
from reconciler.errors import DriverRejected
from reconciler.model import labels
from reconciler.model.container import (
    ContainerSpec,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    Resources,
    UlimitSpec,
)
from reconciler.model.image_reference import parse_image_reference

Body = dict[str, object]

CPU_PERIOD = 100_000  # microseconds
LEAST_CPU_QUOTA = 1_000  # the kernel takes no less
_WITHOUT_LIMIT = 2**64 - 1
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what the manifest says
LOG_BYTES = 10 * 1024 * 1024
# Where programs write even if their root is read-only; --read-only-tmpfs is not in the API.
WRITABLE = ("/tmp", "/run", "/var/tmp")  # noqa: S108 - inside the container
_WRITABLE_OPTIONS = ("rw", "nosuid", "nodev", "mode=1777")


def create_request(
    container: ContainerSpec,
    instance: str,
    base_ulimits: tuple[UlimitSpec, ...] = (),
    users: Users | None = None,
) -> Body:
    """
    Return the body that makes this container, labelled as ours.

    Podman takes limits of its own away from a container that is given one, and its bare defaults
    may be more than this machine allows: `base_ulimits` goes with those that are written.
    """
    body: Body = {
        "name": container.container_name,
        "image": image_to_run(container),
        "labels": container_labels(container, instance),
        "env": dict(container.environment),
        "cap_drop": [] if container.privileged else ["ALL"],
        "cap_add": list(container.capabilities),
        "no_new_privileges": container.no_new_privileges,
        "read_only_filesystem": container.readonly_root,
        "init": container.init,
        "restart_policy": "no",
        "stop_timeout": max(0, round(container.stop_grace_period)),
        "healthconfig": NO_HEALTH_CHECK,
        "log_configuration": {"driver": "k8s-file", "size": LOG_BYTES},
        "cgroupns": {"nsmode": "private"},
        "mounts": _mounts(container),
        "volumes": [_volume(m) for m in container.mounts if m.kind is MountKind.VOLUME],
    }
    body |= _process(container) | _network(container) | _limited(container)
    return body | _kernel(container, base_ulimits) | _own_users(users)


def _own_users(users: Users | None) -> Body:
    """Numbers are given: with `auto` alone Podman 4.3 has its root be root of the machine."""
    if users is None:
        return {}
    maps = {
        "UIDMap": [{"container_id": 0, "host_id": users.first_user, "size": USERS}],
        "GIDMap": [{"container_id": 0, "host_id": users.first_group, "size": USERS}],
        "HostUIDMapping": False,
        "HostGIDMapping": False,
    }
    return {"userns": {"nsmode": "private"}, "idmappings": maps}


def _pin(container: ContainerSpec) -> dict[str, str]:
    """Podman's list shows the name that it was made of, and that is no longer the manifest's."""
    if not container.pin:
        return {}
    return {labels.IMAGE: container.image, labels.IMAGE_DIGEST: container.pin}


def image_to_run(container: ContainerSpec) -> str:
    """Return the name of exactly the image that the container is pinned to, if it is."""
    if not container.pin:
        return container.image
    return parse_image_reference(container.image).at(container.pin)


def container_labels(container: ContainerSpec, instance: str) -> dict[str, str]:
    """Return everything that a new reconciler needs to know about this container."""
    return {
        labels.FORMAT: labels.FORMAT_VERSION,
        labels.INSTANCE: instance,
        labels.APP: container.app,
        labels.CONTAINER: container.name,
        labels.DIGEST: container.digest,
        labels.REQUIRES: ",".join(container.requires),
        labels.SOURCE: container.source,
        **_pin(container),
        **({labels.SECRETS: ",".join(container.secrets)} if container.secrets else {}),
        labels.STOP_GRACE_PERIOD: f"{container.stop_grace_period:g}",
    }


def _process(container: ContainerSpec) -> Body:
    """Return what is run, as whom and where; what is not given is the image's."""
    given: Body = {
        "command": None if container.command is None else list(container.command),
        "entrypoint": None if container.entrypoint is None else list(container.entrypoint),
        "user": container.user,
        "work_dir": container.working_dir,
        "hostname": container.hostname,
        "stop_signal": None if container.stop_signal is None else _signal(container),
    }
    return {key: value for key, value in given.items() if value is not None}


def _network(container: ContainerSpec) -> Body:
    if container.network_policy is NetworkPolicy.HOST:
        return {"netns": {"nsmode": "host"}}
    if container.network_policy is NetworkPolicy.NONE or container.network is None:
        return {"netns": {"nsmode": "none"}}
    return {
        "netns": {"nsmode": "bridge"},
        "Networks": {container.network: {"aliases": aliases(container)}},
        "portmappings": [] if container.led else [_port(port) for port in container.ports],
    }


def aliases(container: ContainerSpec) -> list[str]:
    """Return the names by which the others of its network find a container."""
    names = (container.name, container.hostname, *container.aliases)
    return list(dict.fromkeys(name for name in names if name))


def _kernel(container: ContainerSpec, base_ulimits: tuple[UlimitSpec, ...]) -> Body:
    """Return what a container gets of the kernel and the machine beyond the usual."""
    named = {u.name for u in container.ulimits}
    ulimits = (*container.ulimits, *(u for u in base_ulimits if u.name not in named))
    profile = container.seccomp_profile
    given: Body = {
        "privileged": container.privileged,
        "devices": [{"path": f"{d.path}:{d.target}:{d.permissions}"} for d in container.devices],
        "seccomp_profile_path": "" if profile == "default" else profile,
        "apparmor_profile": _profile(container),
        "shm_size": container.shm_size,
        "r_limits": [_ulimit(u) for u in ulimits] if container.ulimits else [],
        "sysctl": dict(container.sysctls),
        "hostadd": [f"{name}:{address}" for name, address in container.extra_hosts],
        "dns_server": list(container.dns),
    }
    return {key: value for key, value in given.items() if value}


def _profile(container: ContainerSpec) -> str:
    """Return the profile's name; which one stands for these words is found out elsewhere."""
    wanted = container.apparmor_profile
    return "" if wanted in {"default", "required"} else wanted


def _ulimit(ulimit: UlimitSpec) -> Body:
    def number(limit: int) -> int:
        return _WITHOUT_LIMIT if limit < 0 else limit

    return {"type": ulimit.name, "soft": number(ulimit.soft), "hard": number(ulimit.hard)}


def _port(port: PortSpec) -> Body:
    """Netavark takes 0.0.0.0 for an address that packets are sent to: all of them are none."""
    return {
        "container_port": port.container,
        "host_port": port.host,
        "host_ip": "" if port.bind in _ANY else port.bind,
        "protocol": port.protocol,
    }


def _limited(container: ContainerSpec) -> Body:
    found = limits(container.resources)
    return {"resource_limits": found} if found else {}


def limits(resources: Resources) -> Body:
    """Return limits in the engine's words; what has none is left out."""
    limits: Body = {}
    if resources.cpu is not None:
        quota = max(LEAST_CPU_QUOTA, round(resources.cpu * CPU_PERIOD))
        limits["cpu"] = {"quota": quota, "period": CPU_PERIOD}
    memory: Body = {}
    if resources.memory is not None:
        # Swap is memory and swap together: the same figure means no swap.
        memory |= {"limit": resources.memory, "swap": resources.memory}
    if resources.memory_reservation is not None:
        memory["reservation"] = resources.memory_reservation
    if memory:
        limits["memory"] = memory
    if resources.pids is not None:
        limits["pids"] = {"limit": resources.pids}
    return limits


def _mounts(container: ContainerSpec) -> list[Body]:
    mounts = [_mount(m) for m in container.mounts if m.kind is not MountKind.VOLUME]
    if container.readonly_root:
        taken = {m.target.rstrip("/") for m in container.mounts}
        mounts.extend(
            {"type": "tmpfs", "destination": target, "options": list(_WRITABLE_OPTIONS)}
            for target in WRITABLE
            if target not in taken
        )
    return mounts


def _mount(mount: MountSpec) -> Body:
    options = list(mount.options)
    if mount.kind is MountKind.TMPFS:
        if mount.size is not None:
            options.append(f"size={mount.size}")
        return {"type": "tmpfs", "destination": mount.target, "options": options}
    return {
        "type": "bind",
        "source": mount.source,
        "destination": mount.target,
        "options": options,
    }


def _volume(mount: MountSpec) -> Body:
    return {"Name": mount.source, "Dest": mount.target, "Options": list(mount.options)}


def _signal(container: ContainerSpec) -> int:
    """Return the number of the stop signal: Podman's API takes nothing else."""
    name = (container.stop_signal or "").upper()
    if name.isdigit():
        return int(name)
    name = name if name.startswith("SIG") else f"SIG{name}"
    base, plus, above = name.partition("+")
    try:
        return signal.Signals[base] + (int(above) if plus else 0)
    except (KeyError, ValueError) as error:
        raise DriverRejected(
            f"cannot create {container.container_name}: there is no signal"
            f" {container.stop_signal!r}; use a name such as SIGTERM",
        ) from error
