"""
What a container that somebody else made has otherwise than a spec asks for, in plain words. Pure.

Each rule yields differences of one kind; no difference means: made anew by us, it would be the
same. Values of variables are never told.
"""

from collections.abc import Callable, Iterator

from reconciler.core import mounts
from reconciler.model.adoption import ContainerFacts
from reconciler.model.container import ContainerSpec, NetworkPolicy, PortSpec, UlimitSpec
from reconciler.model.image_reference import ImageReferenceError, parse_image_reference

_ADDED = frozenset({"PATH", "TERM", "container", "HOSTNAME", "HOME"})  # by the engine itself
_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what is written
_ALWAYS_LIMITED = frozenset({"nofile", "nproc"})
_SHM_SIZE, _PIDS = 65_536_000, 2048  # where none is given
_ID_SHOWN = 12
_CPU_SLACK = 0.011

_Rule = Callable[[ContainerSpec, ContainerFacts], Iterator[str]]


def differences(wanted: ContainerSpec, facts: ContainerFacts) -> tuple[str, ...]:
    """Return everything in which a container is not what the spec asks for."""
    return tuple(told for rule in _RULES for told in rule(wanted, facts))


def _image(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    image, asked = facts.made_of, parse_image_reference(wanted.image)
    names = {_canonical(name) for name in (facts.image, *image.names)}
    if asked.canonical not in names and (asked.digest or "none") not in image.digests:
        yield f"it is made of the image {facts.image}, the manifest says {wanted.image}"
    elif wanted.pin and wanted.pin not in image.digests:
        yield f"its image {facts.image} is not the one of the digest {wanted.pin}"


def _canonical(name: str) -> str:
    try:
        return parse_image_reference(name).canonical
    except ImageReferenceError:
        return name  # such as an id


def _command(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    image = facts.made_of
    entrypoint = image.entrypoint if wanted.entrypoint is None else wanted.entrypoint
    command = wanted.command or (image.command if not wanted.entrypoint else ())
    if (*entrypoint, *command) != facts.command:
        yield f"it runs {_told(facts.command)}, the manifest says {_told((*entrypoint, *command))}"


def _told(command: tuple[str, ...]) -> str:
    return f"`{' '.join(command)}`" if command else "nothing"


def _process(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    image = facts.made_of
    user = image.user if wanted.user is None else wanted.user
    if user != facts.user:
        yield f"it runs as the user {facts.user or 'root'}, the manifest says {user or 'root'}"
    folder = wanted.working_dir or image.working_dir or "/"
    if folder != (facts.working_dir or "/"):
        yield f"its working directory is {facts.working_dir}, the manifest says {folder}"
    own = wanted.hostname or facts.ref[:_ID_SHOWN]
    if facts.hostname != own and wanted.network_policy is not NetworkPolicy.HOST:
        yield f"its hostname is {facts.hostname}, the manifest says {wanted.hostname or 'none'}"
    if wanted.userns != "host":
        yield "it was made for the users of the machine, the manifest gives it its own"
    if wanted.init != facts.init:
        yield _switch("an init process", wanted=wanted.init)
    signal = _signal(wanted.stop_signal or image.stop_signal or "SIGTERM")
    if signal != _signal(facts.stop_signal or "SIGTERM"):
        yield f"its stop signal is {facts.stop_signal}, the manifest says {signal}"


def _signal(name: str) -> str:
    upper = name.upper()
    return upper if upper.isdigit() or upper.startswith("SIG") else f"SIG{upper}"


def _switch(what: str, *, wanted: bool) -> str:
    """Say that one has something and the other has not."""
    return (
        f"it has no {what.partition(' ')[2]}, the manifest asks for {what}"
        if wanted
        else (f"it has {what}, the manifest asks for none")
    )


def _environment(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    """Their values may be secret."""
    has, brought = dict(facts.environment), dict(facts.made_of.environment)
    asked = dict(wanted.environment)
    for name, value in asked.items():
        if name not in has:
            yield f"it has no variable {name}, the manifest sets it"
        elif has[name] != value:
            yield f"its variable {name} has another value than in the manifest"
    for name, value in has.items():
        if name in asked or name in _ADDED or brought.get(name) == value:
            continue
        if name not in {key for key, _ in wanted.secret_environment}:
            yield f"it has the variable {name}, the manifest does not set it"


def _unseen(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    """What nobody can compare is a difference."""
    secret = ", ".join(name for name, _ in wanted.secret_environment)
    if secret:
        yield f"the manifest fills {secret} with secrets of its own, and it was given others"
    if wanted.files or wanted.shares:
        yield "the manifest writes files into it, which cannot be compared"
    if wanted.sysctls:
        yield "the manifest sets sysctls, and nobody can see which ones it has"
    yield from facts.beyond


def _network(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    policy = wanted.network_policy
    kind = {NetworkPolicy.HOST: "host", NetworkPolicy.NONE: "none"}.get(policy, "bridge")
    if kind != facts.network:
        yield f"its network is {facts.network}, the manifest says {policy}"
    elif policy is NetworkPolicy.NAMED and wanted.network not in facts.networks:
        yield f"it is not in the network {wanted.network}, which the manifest names"
    if kind == facts.network == "bridge":
        yield from _ports(wanted, facts)


def _ports(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    asked, has = {_port(p) for p in wanted.ports}, {_port(p) for p in facts.ports}
    for port in sorted(has - asked):
        yield f"it publishes {port}, the manifest does not"
    for port in sorted(asked - has):
        yield f"it does not publish {port}, the manifest does"


def _port(port: PortSpec) -> str:
    where = "every address" if port.bind in _ANY else port.bind
    return f"port {port.host} at {where} for {port.container}/{port.protocol}"


def _rights(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    if wanted.privileged != facts.privileged:
        yield _switch("a privileged process", wanted=wanted.privileged)
    elif not wanted.privileged:
        yield from _confinement(wanted, facts)
    if wanted.no_new_privileges != facts.no_new_privileges:
        yield _truth("no_new_privileges", has=facts.no_new_privileges)
    if wanted.readonly_root != facts.readonly_root:
        yield _truth("readonly_root", has=facts.readonly_root)


def _confinement(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    asked = {c.upper().removeprefix("CAP_") for c in wanted.capabilities}
    has = {c.upper().removeprefix("CAP_") for c in facts.capabilities}
    if more := ", ".join(sorted(has - asked)):
        yield f"it has the capabilities {more}, the manifest does not give them"
    if fewer := ", ".join(sorted(asked - has)):
        yield f"it has not the capabilities {fewer}, the manifest gives them"
    if wanted.seccomp_profile != facts.seccomp_profile:
        yield (
            f"its seccomp profile is {facts.seccomp_profile},"
            f" the manifest says {wanted.seccomp_profile}"
        )
    profile = facts.apparmor_profile or "none"
    if wanted.apparmor_profile not in {"default", facts.apparmor_profile}:
        yield (f"its AppArmor profile is {profile}, the manifest says {wanted.apparmor_profile}")


def _devices(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    has = {(d.path, d.target) for d in facts.devices}
    for device in wanted.devices:
        if (device.path, device.target) not in has and not device.optional:
            yield f"it has no device {device.path}, the manifest gives it"
    for path, target in sorted(has - {(d.path, d.target) for d in wanted.devices}):
        yield f"it has the device {path} at {target}, the manifest does not give it"


def _truth(key: str, *, has: bool) -> str:
    yes, no = ("true", "false") if has else ("false", "true")
    return f"it was made with {key} {yes}, the manifest says {no}"


def _limits(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    asked, has = wanted.resources, facts.resources
    if abs((asked.cpu or 0) - (has.cpu or 0)) > _CPU_SLACK:
        yield _limit("CPU", has.cpu, asked.cpu)
    for what, one, other in (
        ("memory", has.memory, asked.memory),
        ("reserved memory", has.memory_reservation, asked.memory_reservation),
        ("processes", has.pids, asked.pids or _PIDS),
    ):
        if one != other:
            yield _limit(what, one, other)
    if asked.memory is not None and asked.memory == has.memory and facts.swap != asked.memory:
        yield "it may swap beyond its limit of memory; an app may not (`--memory-swap`)"
    size = wanted.shm_size or _SHM_SIZE
    if size != (facts.shm_size or _SHM_SIZE):
        yield _limit("shared memory", facts.shm_size, wanted.shm_size)
    given = {u.name: u for u in facts.ulimits}
    for ulimit in wanted.ulimits:
        if given.get(ulimit.name) != ulimit:
            yield f"its ulimit {ulimit.name} is not {_ulimit(ulimit)}, as the manifest says"
    for name in sorted(given.keys() - {u.name for u in wanted.ulimits} - _ALWAYS_LIMITED):
        yield f"it has a ulimit {name} of {_ulimit(given[name])}, the manifest says none"


def _limit(what: str, has: float | None, asked: float | None) -> str:
    return f"its limit of {what} is {has or 'none'}, the manifest says {asked or 'none'}"


def _ulimit(ulimit: UlimitSpec) -> str:
    return f"{ulimit.soft}:{ulimit.hard}"


def _names(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    if set(wanted.extra_hosts) != set(facts.extra_hosts):
        yield "its extra hosts are not those of the manifest"
    if wanted.dns != facts.dns:
        yield (
            f"it asks the name servers {', '.join(facts.dns) or 'of the machine'},"
            f" the manifest says {', '.join(wanted.dns) or 'none'}"
        )


_RULES: tuple[_Rule, ...] = (
    _image,
    _command,
    _process,
    _environment,
    _network,
    mounts.differences,
    _rights,
    _devices,
    _limits,
    _names,
    _unseen,
)
