"""
What an app may do on this machine, derived from its spec: nobody writes it by hand. Pure.

A permission that is not known to be harmless is elevated; one with which a container can become
root of this machine is told as such, however it is used.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Final

from reconciler.core import risks
from reconciler.model.container import ContainerSpec, MountKind, NetworkPolicy
from reconciler.model.desired import AppSpec
from reconciler.model.permission import Kind, Permission, Risk
from reconciler.model.secret import SecretRef

Permissions = tuple[Permission, ...]
_CHANGES_THE_HOST = frozenset({"U", "z", "Z"})  # owners or labels, even of what is read only


# What permissions hang on, with the digest for all that is in containers: each pass asks again.
DERIVED_FROM: Final = (
    "digest",
    "egress",
    "connections",
    "requires",
    "secrets",
    "storage",
    "volumes",
)
_same = attrgetter(*DERIVED_FROM)


@dataclass(frozen=True, slots=True)
class _Subject:
    """An app, which is another one for this purpose where one of those fields is."""

    fields: object
    spec: AppSpec = field(compare=False)


def permissions_of(spec: AppSpec) -> Permissions:
    """Return all that an app may do, each once, sorted by its canonical text."""
    return _derived(_Subject(_same(spec), spec))[0]


def beyond_baseline(spec: AppSpec) -> Permissions:
    """Return what an app asks for that not every app may have."""
    return _derived(_Subject(_same(spec), spec))[1]


@lru_cache(maxsize=1024)
def _derived(subject: _Subject) -> tuple[Permissions, Permissions]:
    spec = subject.spec
    found = {*_of_app(spec)}
    for container in spec.containers:
        found |= {*_of_container(spec, container)}
    every = tuple(sorted(found, key=lambda p: p.text))
    needed = frozenset(r.app for r in spec.requires)
    return every, tuple(p for p in every if risk(p, needed) is not Risk.BASELINE)


def risk(permission: Permission, needed: frozenset[str] = frozenset()) -> Risk:
    """Return how much harm it can do; `needed` are the apps that its app requires."""
    if permission.kind is Kind.CONNECTION and _target(permission) in needed:
        return Risk.BASELINE
    return risks.risk(permission)


def uncovered(wanted: Iterable[Permission], approved: Iterable[Permission]) -> Permissions:
    """Return what is wanted and neither approved, nor narrower than something that is."""
    granted = tuple(approved)
    return tuple(w for w in wanted if not any(covers(a, w) for a in granted))


def covers(approved: Permission, wanted: Permission) -> bool:
    """
    Whether who may do the one may do the other.

    A folder does not cover what is below it: an app that may write there may lay a link that
    leads out of it, and then ask for the link.
    """
    if approved == wanted or wanted.kind in _INCLUDED.get(approved.text, ()):
        return True
    narrower = _NARROWER.get(wanted.kind)
    return approved.kind is wanted.kind and narrower is not None and narrower(approved, wanted)


def _narrower_path(approved: Permission, wanted: Permission) -> bool:
    return approved.value == wanted.value and approved.mode == "rw"


def _narrower_device(approved: Permission, wanted: Permission) -> bool:
    return approved.value == wanted.value and {*wanted.mode} <= {*approved.mode}


def _narrower_port(approved: Permission, wanted: Permission) -> bool:
    """One that is open on every address is open on each of them."""
    bind, _, port = wanted.value.rpartition(":")
    every = "[::]" if bind.startswith("[") else "0.0.0.0"  # noqa: S104 - compared, not bound
    return approved.value == f"{every}:{port}"


def _narrower_egress(approved: Permission, wanted: Permission) -> bool:
    return wanted.value == "none" or approved.value == "lan"


def _less_storage(approved: Permission, wanted: Permission) -> bool:
    return int(approved.value) >= int(wanted.value)


def _less_of_a_limit(approved: Permission, wanted: Permission) -> bool:
    name, _, most = approved.value.partition(" ")
    asked, _, value = wanted.value.partition(" ")
    if name != asked:
        return False
    return most == "none" or (value != "none" and float(value) <= float(most))


# What else may who has one of these, and, of two of a kind, which is narrower.
_INCLUDED: Final[Mapping[str, frozenset[Kind]]] = {
    "privileged": frozenset(
        [
            *(Kind.DEVICE, Kind.CAPABILITY, Kind.SYSCTL),
            *(Kind.NEW_PRIVILEGES, Kind.SECCOMP, Kind.APPARMOR),
        ],
    ),
    "network host": frozenset({Kind.PORT, Kind.EGRESS}),
}
_NARROWER: Final[Mapping[Kind, Callable[[Permission, Permission], bool]]] = {
    Kind.PATH: _narrower_path,
    Kind.DEVICE: _narrower_device,
    Kind.PORT: _narrower_port,
    Kind.EGRESS: _narrower_egress,
    Kind.STORAGE: _less_storage,
    Kind.LIMIT: _less_of_a_limit,
}


def _of_app(spec: AppSpec) -> Iterator[Permission]:
    policy = spec.containers[0].network_policy
    if policy is NetworkPolicy.NAMED:
        yield Permission(Kind.NETWORK, f"named {spec.containers[0].network or ''}")
    else:
        yield Permission(Kind.NETWORK, str(policy))
    if policy is NetworkPolicy.ISOLATED:
        yield Permission(Kind.EGRESS, str(spec.egress))
    for connection in spec.connections:
        for port in connection.ports:
            yield Permission(Kind.CONNECTION, f"{connection.app}:{port}")
    for volume in spec.volumes:
        yield Permission(Kind.VOLUME, volume.name)
    if spec.storage is not None:
        yield Permission(Kind.STORAGE, str(spec.storage))
    for secret in spec.secrets:
        yield Permission(Kind.SECRET, f"{secret.app}/{secret.name}")
    yield from _limits(spec)


def _limits(spec: AppSpec) -> Iterator[Permission]:
    """All containers of an app together may use as much."""
    given = [c.resources for c in spec.containers]
    for name, values in (
        ("cpu", [r.cpu for r in given]),
        ("memory", [r.memory for r in given]),
        ("processes", [r.pids for r in given]),
    ):
        known = [value for value in values if value is not None]
        most = f"{sum(known):g}" if name == "cpu" else str(sum(known))
        yield Permission(Kind.LIMIT, f"{name} {most if len(known) == len(values) else 'none'}")


# What every app has, and what is less.
_USUAL_FILTERS = frozenset({"default", "strict"})
_OWN_PROFILES = frozenset({"default", "required"})


def _of_container(spec: AppSpec, container: ContainerSpec) -> Iterator[Permission]:
    if container.privileged:
        yield Permission(Kind.PRIVILEGED)
    if not container.no_new_privileges:
        yield Permission(Kind.NEW_PRIVILEGES)
    if container.seccomp_profile not in _USUAL_FILTERS:
        yield Permission(Kind.SECCOMP, container.seccomp_profile)
    if container.apparmor_profile not in _OWN_PROFILES:
        yield Permission(Kind.APPARMOR, container.apparmor_profile)
    for capability in container.capabilities:
        yield Permission(Kind.CAPABILITY, capability)
    for device in container.devices:
        mode = "".join(letter for letter in "rwm" if letter in device.permissions)
        yield Permission(Kind.DEVICE, device.path, mode)
    for name, value in container.sysctls:
        yield Permission(Kind.SYSCTL, f"{name}={value}")
    for port in container.ports:
        bind = f"[{port.bind}]" if ":" in port.bind else port.bind
        yield Permission(Kind.PORT, f"{bind}:{port.host}/{port.protocol}")
    yield from _of_others(spec, container)


def _of_others(spec: AppSpec, container: ContainerSpec) -> Iterator[Permission]:
    """What is the machine's, and what is other apps'."""
    own = {volume.name for volume in spec.volumes}
    for mount in container.mounts:
        if mount.kind is MountKind.BIND:
            reads = "ro" in mount.options and _CHANGES_THE_HOST.isdisjoint(mount.options)
            yield Permission(Kind.PATH, mount.source, "ro" if reads else "rw")
        elif mount.kind is MountKind.VOLUME and mount.source not in own:
            yield Permission(Kind.DATA, mount.source)
    for share in container.shares:
        yield Permission(Kind.FILE, f"{share.app}:{share.path}")
    texts = [text for _, text in container.secret_environment]
    texts += [file.content for file in container.files]
    for piece in (piece for text in texts for piece in text):
        if isinstance(piece, SecretRef) and piece.app != spec.id:
            yield Permission(Kind.DATA, f"{piece.app}/secrets/{piece.name}")


def _target(permission: Permission) -> str:
    return permission.value.rpartition(":")[0]
