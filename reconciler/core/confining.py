"""
Whether the kernel enforces of an app's processes what their specs ask for. Pure.

More than was asked for is named; less is nobody's harm. What a manifest itself gives away is no
fault: it is told, and was approved elsewhere.
"""

from collections.abc import Iterator

from reconciler.core.comparison import Comparison
from reconciler.core.situation import Situation
from reconciler.model.confinement import Confinement
from reconciler.model.container import ContainerSpec, NetworkPolicy, Resources
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.status import NOT_CONFINED, AppStatus, ConditionType

_NAMED = 6  # capabilities; a container that has all of them is told as well by a few
_NAMESPACES = {
    "cgroup": "control groups",
    "ipc": "shared memory",
    "mnt": "mounts",
    "net": "network",
    "pid": "processes",
    "uts": "host name",
}

Answer = tuple[bool, str, str]
Running = tuple[ContainerSpec, ObservedContainer]


def confined(
    comparison: Comparison | None,
    before: AppStatus | None,
    unlimited: str = "",
) -> Answer | None:
    """Say what was found of all that runs; what does not run now is what it was found to be."""
    running = tuple(_running(comparison)) if comparison else ()
    known = before.condition(ConditionType.CONFINED) if before else None
    told = [text for spec, seen in running for text in _differences(spec, seen)]
    if told:
        return False, NOT_CONFINED, "; ".join(told)
    if not running or any(seen.confinement is None for _, seen in running):
        if known is not None:
            return known.status, known.reason, known.message
        return (False, "NotKnown", "what confines it could not be read") if running else None
    privileged = sorted(spec.name for spec, _ in running if spec.privileged)
    if privileged:
        told = [f"nothing confines {', '.join(privileged)}: privileged, as its manifest says"]
        return False, "Privileged", told[0]
    limits = [spec.name for spec, _ in running if _limited(spec)]
    if unlimited and limits:
        told = [f"the limits of {', '.join(limits)} are not in force: {unlimited}"]
        return False, "NotEnforceable", told[0]
    return True, "Confined", "; ".join(_missing(running))


def notices(situation: Situation) -> tuple[str, ...]:
    """Say that no limits are in force, where somebody asks for some."""
    why, apps = situation.observed.unlimited, situation.desired.apps.values()
    if not why or not any(_limited(c) for spec in apps for c in spec.containers):
        return ()
    return (f"no limit of an app on memory, CPU or processes is in force: {why}",)


def _running(comparison: Comparison) -> Iterator[Running]:
    for spec in sorted(comparison.spec.containers, key=lambda c: c.name):
        seen = comparison.current.get(spec.name)
        if seen is not None and seen.state is ContainerState.RUNNING:
            yield spec, seen


def _differences(spec: ContainerSpec, seen: ObservedContainer) -> Iterator[str]:
    """Name everything that is not as the spec asks for, always in the same order."""
    found = seen.confinement
    if found is None or spec.privileged:
        return
    more = sorted(set(found.capabilities) - set(spec.capabilities))
    if more:
        others = ["and others"] if len(more) > _NAMED else []
        named = ", ".join([*more[:_NAMED], *others])
        yield f"{spec.name} has capabilities that its manifest does not list: {named}"
    if spec.no_new_privileges and not found.no_new_privileges:
        yield f"{spec.name} may gain privileges"
    if spec.seccomp_profile != "unconfined" and not found.seccomp:
        yield f"the system calls of {spec.name} are not filtered"
    if not _is_profiled(spec, seen):
        yield f"the AppArmor profile that {spec.name} requires is not in force"
    yield from _namespaces(spec, found)
    places = [place for place in found.open if not _mounted(spec, place)]
    if places:
        yield f"{spec.name} has unprotected {', '.join(places)}"
    sockets = [place for place in found.sockets if not _mounted(spec, place)]
    if sockets:
        yield f"{spec.name} has a container engine's socket at {', '.join(sockets)}"
    yield from _unlimited(spec, seen)


def _namespaces(spec: ContainerSpec, found: Confinement) -> Iterator[str]:
    shared = [_NAMESPACES[kind] for kind in found.shared if kind not in _given(spec)]
    if shared:
        yield f"{spec.name} shares with the machine its {', '.join(shared)}"
    if spec.userns == "auto" and not found.own_users:
        yield f"root in {spec.name} is root of the machine"


def _is_profiled(spec: ContainerSpec, seen: ObservedContainer) -> bool:
    """Whether a profile that has to be in force is; that there is one at all is no duty."""
    profile, mode = _apparmor(seen)
    match spec.apparmor_profile:
        case "default" | "unconfined":
            return True
        case "required":
            return mode == _ENFORCED and _is_its_own(profile, seen)
        case name:
            return mode == _ENFORCED and profile == name


def _apparmor(seen: ObservedContainer) -> tuple[str, str]:
    """Return the profile and its mode, `enforce` or `complain`; nothing where it is no profile."""
    profile, _, mode = (seen.confinement or _NONE).label.partition(" (")
    return (profile, mode.removesuffix(")")) if mode else ("", "")


def _is_its_own(profile: str, seen: ObservedContainer) -> bool:
    return profile.startswith(f"{seen.container_name}-")


def _given(spec: ContainerSpec) -> tuple[str, ...]:
    return ("net",) if spec.network_policy is NetworkPolicy.HOST else ()


def _mounted(spec: ContainerSpec, place: str) -> bool:
    """Whether the manifest itself puts something there."""
    targets = {mount.target.rstrip("/") for mount in spec.mounts}
    return any(place == target or place.startswith(f"{target}/") for target in targets)


def _unlimited(spec: ContainerSpec, seen: ObservedContainer) -> Iterator[str]:
    """Name what is not limited at all; that a limit is another one is drift, and repaired."""
    if seen.limits is None:
        return
    wanted, found = spec.resources, seen.limits
    each = (
        ("CPU", wanted.cpu, found.cpu),
        ("memory", wanted.memory, found.memory),
        ("processes", wanted.pids, found.pids),
    )
    missing = [name for name, limit, real in each if limit is not None and real is None]
    if missing:
        yield f"no limit is in force of what {spec.name} uses of {', '.join(missing)}"


def _missing(running: tuple[Running, ...]) -> Iterator[str]:
    """Tell what nothing confines, though nothing is at fault."""
    for spec, _ in running:
        if spec.seccomp_profile == "unconfined":
            yield f"the system calls of {spec.name} are not filtered, as its manifest says"
    for spec, seen in running:
        yield from _of_apparmor(spec, seen)
    without = [spec.name for spec, seen in running if not (seen.confinement or _NONE).label]
    if without:
        yield f"neither AppArmor nor SELinux confines {', '.join(without)}"
    unread = [spec.name for spec, seen in running if seen.limits is None and _limited(spec)]
    if unread:
        yield f"whether the limits of {', '.join(unread)} are in force is not known"


def _limited(spec: ContainerSpec) -> bool:
    return spec.resources != _NO_LIMITS


def _of_apparmor(spec: ContainerSpec, seen: ObservedContainer) -> Iterator[str]:
    profile, mode = _apparmor(seen)
    if profile and mode != _ENFORCED:
        yield f"AppArmor only watches {spec.name}, and refuses it nothing"
    elif profile and spec.apparmor_profile == "default" and not _is_its_own(profile, seen):
        yield (
            f"{spec.name} has the AppArmor profile {profile}; one of its own it gets when it is"
            " made anew"
        )


_NONE = Confinement()
_NO_LIMITS = Resources()
_ENFORCED = "enforce"
