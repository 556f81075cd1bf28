"""One service of a Compose file becomes one container: each key has its carrier, or its reason."""

from collections.abc import Callable, Mapping
from typing import Final

from reconciler.importing import bonds, images, limits, rights, running
from reconciler.importing.environment import carry_environment
from reconciler.importing.files import carry_configs, carry_secrets
from reconciler.importing.given import Given
from reconciler.importing.health import carry_health
from reconciler.importing.ports import carry_ports
from reconciler.importing.tree import Section
from reconciler.importing.volumes import carry_tmpfs, carry_volumes
from reconciler.importing.work import Work

Carrier = Callable[[Given, Section, Work], None]

CARRIERS: Final[Mapping[str, Carrier]] = {
    "image": images.carry_image,
    "pull_policy": running.carry_pull_policy,
    "command": running.carry_command,
    "entrypoint": running.carry_entrypoint,
    "user": running.carry_user,
    "working_dir": running.carry_working_dir,
    "hostname": running.carry_hostname,
    "init": running.carry_init,
    "restart": running.carry_restart,
    "stop_signal": running.carry_stop_signal,
    "stop_grace_period": running.carry_grace,
    "depends_on": bonds.carry_depends_on,
    "links": bonds.carry_links,
    "environment": carry_environment,
    "ports": carry_ports,
    "volumes": carry_volumes,
    "tmpfs": carry_tmpfs,
    "configs": carry_configs,
    "secrets": carry_secrets,
    "shm_size": running.carry_shm,
    "ulimits": running.carry_ulimits,
    "sysctls": running.carry_sysctls,
    "extra_hosts": running.carry_hosts,
    "dns": running.carry_dns,
    "devices": rights.carry_devices,
    "cap_add": rights.carry_capabilities,
    "privileged": rights.carry_privileged,
    "read_only": running.carry_read_only,
    "security_opt": rights.carry_security_options,
    "network_mode": bonds.carry_network_mode,
    "networks": bonds.carry_networks,
    "mem_limit": limits.carry_memory,
    "mem_reservation": limits.carry_reservation,
    "cpus": limits.carry_cpus,
    "pids_limit": limits.carry_pids,
    "deploy": limits.carry_deploy,
    "healthcheck": carry_health,
}

# The app is the same without them: names and notes for other programs, and what we do anyway.
NEUTRAL: Final = frozenset(
    {"container_name", "expose", "cap_drop", "logging", "annotations", "attach"}
)

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "env_file": (
        "the file beside it is not read",
        "write its variables under `environment`, or as `parameters`",
    ),
    "extends": ("other files are not read", "run `compose config`, and import what it prints"),
    "ipc": ("each container has its own memory to share", "see `shm_size`"),
    "pid": ("each container sees its own processes only", ""),
    "uts": ("each container has its own host name", ""),
    "cgroup": ("each container has its own control group", ""),
    "cgroup_parent": ("control groups are arranged by the reconciler", ""),
    "userns_mode": ("users of the machine are not shared", ""),
    "runtime": ("there is one runtime: that of the engine", ""),
    "gpus": ("a graphics card is not handed out by its driver here", "see `devices`"),
    "platform": ("an image is run for this machine's own processor", ""),
    "tty": ("a container has no terminal", ""),
    "stdin_open": ("a container has no terminal to read from", ""),
    "cpu_shares": ("there are limits, and no shares", "see `resources.cpu_limit`"),
    "cpuset": ("processors are not picked", "see `resources.cpu_limit`"),
    "group_add": ("a user has the groups of the image only", "see `user`"),
    "mac_address": ("addresses within the app's network are given by the engine", ""),
    "memswap_limit": ("memory has one limit, and swap none", "see `resources.memory_limit`"),
    "mem_swappiness": ("memory has one limit, and swap none", "see `resources.memory_limit`"),
    "oom_score_adj": ("who dies first is for the kernel to say", "see `resources.memory_limit`"),
    "oom_kill_disable": ("a process beyond its memory ends", "see `resources.memory_limit`"),
    "external_links": ("containers of others are not reached by name", "see `dependencies`"),
    "volumes_from": ("mounts are not copied", "list them under `volumes`"),
    "dns_search": ("names are looked up as they are", ""),
    "dns_opt": ("resolvers have no options", ""),
    "domainname": ("a container has a host name only", "write it as a part of `hostname`"),
    "device_cgroup_rules": ("devices are handed in one by one", "see `devices`"),
    "blkio_config": ("disks have no limits of speed", ""),
    "post_start": ("nothing is run within a container after its start", ""),
    "pre_stop": ("nothing is run within a container before its stop", ""),
    "develop": ("this is no development environment", ""),
    "provider": ("a service is a container here", ""),
    "scale": ("an app runs once on this machine", ""),
    "profiles": (
        "there are no profiles: the container always runs",
        "remove the container where it is not wanted",
    ),
}
_ROUTING: Final = ("traefik.", "caddy", "nginx.", "VIRTUAL_HOST", "swag")


def carry_service(service: Given, container: Section, work: Work) -> bool:
    """Write a container; tell whether it got the engine's usual capabilities."""
    for key, given in service.pairs():
        if key in CARRIERS:
            if given.value is None:
                given.neutral()
            else:
                CARRIERS[key](given, container, work)
        elif key == "labels":
            _labels(given)
        elif key in NEUTRAL or key.startswith("x-"):
            given.neutral()
        elif key in REASONS:
            _refuse(key, given)
    images.carry_build(service, container, work)
    return rights.add_default_capabilities(service, container)


def _refuse(key: str, given: Given) -> None:
    """Tell why a key is not carried, unless it asks for nothing."""
    if (
        given.is_empty
        or str(given.value).lower() in {"false", "0", "private"}
        or (key == "scale" and str(given.value) == "1")
    ):
        given.neutral()
    else:
        given.not_carried(*REASONS[key])


def _labels(given: Given) -> None:
    entries = given.entries() if given.is_list else [value for _, value in given.pairs()]
    for entry in entries:
        name = str(entry.value if given.is_list else entry.path[-1])
        if name.lower().startswith(tuple(word.lower() for word in _ROUTING)):
            message = "the label is for a proxy, and no proxy reads it here"
            entry.not_carried(message, "see `interfaces`, and publish the port")
        else:
            entry.neutral()
