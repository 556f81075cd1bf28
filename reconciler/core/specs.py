"""From one manifest to one spec: names made, defaults filled in, digests taken. Pure."""

import hashlib
from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core import digest
from reconciler.core.filling import (
    FillingError,
    Provided,
    Scope,
    fill,
    parameter_values,
    secrets,
)
from reconciler.core.images import Contexts, build_of, image_of, pull_policy_of
from reconciler.core.leading import led
from reconciler.core.overriding import overridden
from reconciler.core.sharing import exported_files, reached, shared
from reconciler.core.texts import filled_in
from reconciler.model.container import (
    BuildSpec,
    ContainerSpec,
    DeviceSpec,
    HealthCheck,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    Resources,
    UlimitSpec,
)
from reconciler.model.desired import (
    AppSpec,
    NetworkSpec,
    Requirement,
    VolumeSpec,
)
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.health import HealthCheckManifest
from reconciler.model.manifest.overrides import OverridesManifest
from reconciler.model.manifest.policies import Strategy
from reconciler.model.origin import Origin, Problem
from reconciler.model.secret import SecretSpec
from reconciler.model.template import FACTS

_INTERFACE_DIGITS = 10  # with the prefix below the kernel's 15 characters


class Platform(Struct, frozen=True):
    """
    What this box adds to every manifest: its name, default limits, and facts for templates.

    `assumed`: answers and facts that are missing are taken for good, to check a catalogue.
    """

    instance: str = "archipelago"
    defaults: Resources = Resources()
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    assumed: bool = False


class Given(Struct, frozen=True):
    """What the operator and other apps give: answers, their places, and what is provided."""

    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    places: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    dependencies: Mapping[str, Provided] = field(default_factory=dict[str, Provided])
    requirements: tuple[Requirement, ...] = ()
    overrides: OverridesManifest | None = None
    origin: Origin | None = None


def app_spec(
    manifest: AppManifest,
    origin: Origin,
    contexts: Contexts,
    platform: Platform,
    given: Given = Given(),
) -> AppSpec | Problem:
    """Return the spec of an app, or what is wrong with a build context or with a template."""
    try:
        values = parameter_values(manifest, given.parameters, assumed=platform.assumed)
        scope = Scope(manifest.id, _facts(platform), values, given.dependencies)
        return _app_spec(manifest, origin, contexts, platform, scope, given)
    except FillingError as error:
        place = given.places.get(error.parameter or "", given.origin or origin)
        message = f"cannot use `{manifest.id}`: {error}"
        return Problem(place, message, error.hint, manifest.id)


def _app_spec(
    manifest: AppManifest,
    origin: Origin,
    contexts: Contexts,
    platform: Platform,
    scope: Scope,
    given: Given,
) -> AppSpec | Problem:
    network = _network(manifest, platform)
    requires = given.requirements
    others = shared(manifest, given.dependencies)
    needed = tuple(sorted(r.app for r in requires if not r.optional))
    containers: list[ContainerSpec] = []
    parts = overridden(manifest.container_map(), given.overrides)
    for name, container in parts.items():
        build = build_of(container, origin, contexts)
        if isinstance(build, Problem):
            return build
        spec = _container(manifest, name, container, build, platform)
        spec = others.with_them(filled_in(spec, manifest, container, scope))
        spec = led(spec) if manifest.update.strategy is Strategy.BLUE_GREEN else spec
        spec = replace(
            spec,
            network=network.name if network else manifest.network_name,
            requires=needed,
            source=origin.file,
            place=len(containers) + 1,
        )
        containers.append(_named(spec, platform))
    made = secrets(manifest, scope.parameters)
    app = AppSpec(
        id=manifest.id,
        name=manifest.name,
        version=manifest.version or "",
        digest="",
        containers=tuple(containers),
        network=network,
        volumes=_volumes(manifest, containers, {v.source for v in others.volumes}, made),
        requires=requires,
        origin=origin,
        storage=manifest.storage(),
        connections=reached(manifest, given.dependencies),
        disk_limit=_disk_limit(parts),
        secrets=made,
        alert_install=manifest.alerts.install or "",
        alert_uninstall=manifest.alerts.uninstall or "",
        unsupported=manifest.unsupported(),
        rollback=manifest.update.rollback,
        health_deadline=manifest.update.health_deadline,
        egress=manifest.network.egress,
    )
    return replace(app, digest=digest.app_digest(app))


def _facts(platform: Platform) -> Mapping[str, str]:
    assumed = dict.fromkeys(FACTS, "assumed") if platform.assumed else {}
    return {**assumed, **platform.facts}


def provided(manifest: AppManifest, given: Given, platform: Platform) -> Provided:
    """Return what an app gives to those that depend on it; what is wrong is told at the app."""
    try:
        values = parameter_values(manifest, given.parameters, assumed=platform.assumed)
        scope = Scope(manifest.id, _facts(platform), values, {})
        exports = {name: fill(text, scope) for name, text in manifest.exported().items()}
    except FillingError:
        exports = {}
    return Provided(manifest.id, exports, exported_files(manifest, platform.instance))


def _named(spec: ContainerSpec, platform: Platform) -> ContainerSpec:
    """The digest is in the name, so that the old and the new revision can exist side by side."""
    found = digest.container_digest(spec)
    name = f"{platform.instance}-{spec.app}-{spec.name}-{digest.short(found)}"
    return replace(spec, digest=found, container_name=name)


def _container(
    manifest: AppManifest,
    name: str,
    container: ContainerManifest,
    build: BuildSpec | None,
    platform: Platform,
) -> ContainerSpec:
    return ContainerSpec(
        app=manifest.id,
        name=name,
        container_name="",
        digest="",
        image=image_of(manifest.id, name, container, build, platform.instance),
        build=build,
        pull_policy=pull_policy_of(container),
        signature=container.signature,
        user=container.user,
        working_dir=container.working_dir,
        hostname=container.hostname,
        init=container.init,
        network_policy=manifest.network_policy,
        aliases=tuple(sorted(container.network_aliases)),
        ports=tuple(PortSpec(p.host, p.container, p.protocol, p.bind) for p in container.ports),
        mounts=_mounts(manifest.id, container, platform),
        devices=_devices(container),
        capabilities=tuple(sorted(container.security.capabilities)),
        privileged=container.security.privileged,
        seccomp_profile=container.security.seccomp_profile,
        userns=manifest.security.userns,
        apparmor_profile=container.security.apparmor_profile,
        no_new_privileges=container.security.no_new_privileges,
        readonly_root=container.security.readonly_root,
        resources=_resources(container, platform),
        shm_size=container.shm_size,
        ulimits=tuple(UlimitSpec(n, u.soft, u.hard) for n, u in sorted(container.ulimits.items())),
        sysctls=tuple(sorted(container.sysctls.items())),
        extra_hosts=tuple(sorted(container.extra_hosts.items())),
        dns=container.dns,
        stop_signal=container.stop_signal,
        stop_grace_period=container.stop_grace_period,
        restart=container.restart,
        depends_on=tuple(container.depends_on.items()),
        health=_health(container.health_check, container),
    )


def _network(manifest: AppManifest, platform: Platform) -> NetworkSpec | None:
    if manifest.network_policy is not NetworkPolicy.ISOLATED:
        return None
    name = f"{platform.instance}-{manifest.id}"
    hashed = hashlib.sha256(name.encode()).hexdigest()[:_INTERFACE_DIGITS]
    return NetworkSpec(name, manifest.id, f"ar{hashed}")


def _mounts(
    app: str,
    container: ContainerManifest,
    platform: Platform,
) -> tuple[MountSpec, ...]:
    mounts = [
        MountSpec(
            kind=volume.type,
            source=_volume_name(app, volume.name or "", platform)
            if volume.type is MountKind.VOLUME
            else volume.source or "",
            target=volume.target,
            options=tuple(sorted(volume.options)),
            size=volume.size,
        )
        for volume in container.volumes
    ]
    mounts += [MountSpec(MountKind.TMPFS, "", target) for target in container.tmpfs]
    return tuple(sorted(mounts, key=lambda m: m.target))


def _devices(container: ContainerManifest) -> tuple[DeviceSpec, ...]:
    devices = (
        DeviceSpec(d.path, d.target or d.path, d.permissions, d.optional)
        for d in container.devices
    )
    return tuple(sorted(devices, key=lambda d: (d.target, d.path)))


def _volume_name(app: str, name: str, platform: Platform) -> str:
    return f"{platform.instance}-{app}-{name}"


def _volumes(
    manifest: AppManifest,
    containers: list[ContainerSpec],
    others: set[str],
    made: tuple[SecretSpec, ...],
) -> tuple[VolumeSpec, ...]:
    """Its own: what it reads of others is theirs to make."""
    names = {m.source for c in containers for m in c.mounts if m.kind is MountKind.VOLUME}
    hangs_on = tuple(secret.name for secret in made)
    return tuple(VolumeSpec(name, manifest.id, hangs_on) for name in sorted(names - others))


def _resources(container: ContainerManifest, platform: Platform) -> Resources:
    given, defaults = container.resources, platform.defaults
    return Resources(
        cpu=given.cpu_limit or defaults.cpu,
        memory=given.memory_limit or defaults.memory,
        memory_reservation=given.memory_reservation,
        pids=given.pids_limit or defaults.pids,
    )


def _disk_limit(containers: Mapping[str, ContainerManifest]) -> int | None:
    """Return what all volumes of the app may hold: nobody can say which container fills one."""
    given = [c.resources.disk_limit for c in containers.values()]
    limits = [limit for limit in given if limit is not None]
    return sum(limits) if limits else None


def _health(
    check: HealthCheckManifest | None,
    container: ContainerManifest,
) -> HealthCheck | None:
    if check is None:
        return None
    return HealthCheck(
        kind=check.kind,
        port=check.probe_port(container.ports),
        scheme=check.scheme,
        path=check.path,
        command=check.command,
        interval=check.interval,
        timeout=check.timeout,
        retries=check.retries,
        start_period=check.start_period,
    )
