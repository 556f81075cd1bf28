"""A whole app, as its author writes it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar, Final

from pydantic import Field
from typing_extensions import override

from reconciler.model.container import NetworkPolicy
from reconciler.model.desired import Requirement
from reconciler.model.isolation import Egress
from reconciler.model.manifest.about import (
    AlertsManifest,
    InterfaceManifest,
    MetadataManifest,
    UpstreamManifest,
)
from reconciler.model.manifest.coherence import (
    complaints_about_mounts,
    complaints_about_names,
    complaints_about_probes,
    complaints_about_starting,
)
from reconciler.model.manifest.complaint import Complaint
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.dependencies import (
    ConnectionManifest,
    DependencyManifest,
    ProvidedManifest,
    complaints_about_dependencies,
    complaints_about_offers,
)
from reconciler.model.manifest.environment import Environment
from reconciler.model.manifest.exports import ExportedFileManifest, ExportsManifest
from reconciler.model.manifest.files import FileManifest, complaints_about_files
from reconciler.model.manifest.handover import complaints_about_handover
from reconciler.model.manifest.health import HealthCheckManifest
from reconciler.model.manifest.hooks import HooksManifest
from reconciler.model.manifest.names import AppId, ContainerName, Line, Prose, Version
from reconciler.model.manifest.parameters import ParameterManifest
from reconciler.model.manifest.part import Items, MapOf, Part, empty
from reconciler.model.manifest.placement import APP_LEVEL, Placement
from reconciler.model.manifest.policies import (
    BackupManifest,
    NetworkManifest,
    Strategy,
    UpdateManifest,
)
from reconciler.model.manifest.ports import PortManifest, complaints_about_ports
from reconciler.model.manifest.secrets import GeneratedSecretManifest
from reconciler.model.manifest.security import (
    NETWORK_POLICIES,
    OF_THE_APP,
    AppSecurityManifest,
    ResourcesManifest,
)
from reconciler.model.manifest.sharing import complaints_about_sharing
from reconciler.model.manifest.system import DeviceManifest
from reconciler.model.manifest.templates import (
    Names,
    Text,
    complaints_about_asking,
    complaints_about_templates,
)
from reconciler.model.manifest.volumes import VolumeManifest

MOST_CONTAINERS: Final = 64
_NOT_YET: Final = "custom"


class AppManifest(Part):
    """Run exactly this. `container_map` has the containers with all that belongs to them."""

    RESERVED: ClassVar[frozenset[str]] = frozenset(_NOT_YET.split())

    id: AppId
    name: Line
    version: Version | None = None
    description: Prose | None = None
    category: Line | None = None
    metadata: MetadataManifest | None = None
    upstream: UpstreamManifest | None = None
    container: ContainerManifest | None = None
    containers: MapOf[ContainerName, ContainerManifest] = Field(default_factory=empty)
    provides: Items[ProvidedManifest] = ()
    dependencies: Items[DependencyManifest] = ()
    connections: Items[ConnectionManifest] = ()
    exports: ExportsManifest | None = None
    alerts: AlertsManifest = AlertsManifest.model_construct()
    network: NetworkManifest = NetworkManifest.model_construct()
    update: UpdateManifest = UpdateManifest.model_construct()
    backup: BackupManifest = BackupManifest.model_construct()
    parameters: Items[ParameterManifest] = ()
    generated_secrets: Items[GeneratedSecretManifest] = ()
    files: Items[FileManifest] = ()
    resources: ResourcesManifest = ResourcesManifest.model_construct()
    security: AppSecurityManifest = AppSecurityManifest.model_construct()
    ports: Items[PortManifest] = ()
    volumes: Items[VolumeManifest] = ()
    environment: Environment = Field(default_factory=empty)
    devices: Items[DeviceManifest] = ()
    health_check: HealthCheckManifest | None = None
    interfaces: MapOf[Line, InterfaceManifest] = Field(default_factory=empty)
    hooks: HooksManifest | None = None

    @property
    def network_policy(self) -> NetworkPolicy:
        """The network that all containers live in."""
        return NetworkPolicy.NAMED if self.network_name else NetworkPolicy(self._policy)

    @property
    def network_name(self) -> str | None:
        """The network of the operator's own that all containers join."""
        return None if self._policy in NETWORK_POLICIES else self._policy

    @property
    def _policy(self) -> str:
        return self.security.network_policy

    def container_map(self) -> Mapping[str, ContainerManifest]:
        """Return the containers in the order of the file; the only one may have app-level keys."""
        return self.merged

    @cached_property
    def merged(self) -> Mapping[str, ContainerManifest]:
        """What `container_map` returns, made once: it is asked for in every pass."""
        return self._placement().merged()

    def requires(self) -> tuple[Requirement, ...]:
        """Return the apps that are asked for, in the order of the file."""
        return tuple(
            Requirement(dependency.app_id, dependency.optional)
            for dependency in self.dependencies
            if dependency.app_id is not None
        )

    def exported(self) -> Mapping[str, str]:
        """Return the values that those who depend on the app may use, as templates."""
        return self.exports.values if self.exports else empty()

    def exported_files(self) -> Mapping[str, ExportedFileManifest]:
        """Return the files and volumes that those who depend on the app may read."""
        return self.exports.files if self.exports else empty()

    def storage(self) -> int | None:
        """Return the free space wanted on the data disk, in bytes."""
        return next((d.storage for d in self.dependencies if d.storage is not None), None)

    def unsupported(self) -> tuple[str, ...]:
        """Return the keys that this version cannot carry out, as paths: a reason to hold."""
        paths: list[str] = []
        if self.hooks is not None and self.hooks.post_install:
            paths.append("hooks")
        return tuple(paths)

    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Return the keys that are read and have no effect, each with the reason."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[tuple[str, str]]:
        if self.backup.model_fields_set:
            yield "backup", "has no effect: nobody makes backups yet"
        placement = self._placement()
        for name, container in self.container_map().items():
            if container.network is not None:
                path = ".".join(map(str, placement.path(name, "network")))
                yield path, "has no effect: every app has a network of its own"
            for index, port in enumerate(container.ports):
                if port.auth == "gated":
                    path = ".".join(map(str, placement.path(name, "ports")))
                    yield f"{path}[{index}].auth", "has no effect: nobody asks for a login yet"

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell what is wrong between the parts of the app."""
        if "container" in self.model_fields_set and "containers" in self.model_fields_set:
            message = "an app has either `container` or `containers`, not both"
            yield Complaint(("containers",), message, "move all to `containers`", at_key=True)
            return
        if self.container is None and not self.containers:
            hint = "write `container:` with an `image:` under it"
            message = "an app needs a `container`, or several `containers`"
            yield Complaint((), message, hint, missing="container")
            return
        if len(self.containers) > MOST_CONTAINERS:
            message = f"{len(self.containers)} containers are too many, {MOST_CONTAINERS} the most"
            yield Complaint(("containers",), message, at_key=True)
            return
        placement = self._placement()
        containers = placement.merged()
        yield from placement.complaints()
        yield from complaints_about_dependencies(self.id, self.dependencies)
        yield from complaints_about_offers(self.id, self.provides, self.connections)
        yield from complaints_about_starting(containers, placement.path)
        yield from complaints_about_mounts(containers, placement.path)
        yield from complaints_about_probes(containers, placement.path)
        yield from complaints_about_names(containers, placement.path)
        yield from complaints_about_files(self.files, containers)
        yield from complaints_about_sharing(self.exported_files(), self.dependencies, containers)
        yield from complaints_about_asking(self.parameters, self.generated_secrets)
        yield from complaints_about_templates(self._texts(placement), self._names())
        yield from self._complaints_about_ports(placement, containers)
        yield from self._complaints_about_egress()
        yield from self._complaints_about_update(placement, containers)

    def _complaints_about_update(
        self,
        placement: Placement,
        containers: Mapping[str, ContainerManifest],
    ) -> Iterator[Complaint]:
        if self.update.strategy is Strategy.BLUE_GREEN:
            yield from complaints_about_handover(placement, containers, self.network_policy)

    def _complaints_about_ports(
        self,
        placement: Placement,
        containers: Mapping[str, ContainerManifest],
    ) -> Iterator[Complaint]:
        ports = [
            ((*placement.path(name, "ports"), index), port)
            for name, container in containers.items()
            for index, port in enumerate(container.ports)
        ]
        yield from complaints_about_ports(ports)
        if self.security.userns != "host" and self.network_policy is NetworkPolicy.HOST:
            why = "the host's network belongs to users of the machine"
            message = f"`userns` and `network_policy: host` exclude each other: {why}"
            yield Complaint(("security", "userns"), message, "remove one of both")
        if ports and self.network_policy in {NetworkPolicy.HOST, NetworkPolicy.NONE}:
            why = {
                NetworkPolicy.HOST: "on the host's network every port of the app is open already",
                NetworkPolicy.NONE: "without a network no port can be reached",
            }[self.network_policy]
            message = (
                f"`network_policy: {self.network_policy}` and `ports` exclude each other: {why}"
            )
            yield Complaint(ports[0][0][:-1], message, "remove one of both", at_key=True)

    def _complaints_about_egress(self) -> Iterator[Complaint]:
        given, policy = self.network.egress, self.network_policy
        kept = (NetworkPolicy.ISOLATED, *((NetworkPolicy.NONE,) if given is Egress.NONE else ()))
        if given is Egress.INTERNET or policy in kept:
            return
        message = f"`egress: {given}` needs a network of the app's own, and this has none"
        hint = f"remove one of both (network_policy: {self.network_name or policy})"
        yield Complaint(("network", "egress"), message, hint)

    def _texts(self, placement: Placement) -> Iterator[Text]:
        """Yield every text in which templates are filled in, and the names of secrets."""
        for name, container in placement.merged().items():
            for key, value in container.environment.items():
                yield Text((*placement.path(name, "environment"), key), value)
            for index, derived in enumerate(container.derived_env):
                yield Text((*placement.path(name, "derived_env"), index), derived.template)
            for index, hidden in enumerate(container.secret_env):
                path = (*placement.path(name, "secret_env"), index, "secret")
                yield Text(path, f"{{{{ secrets.{hidden.secret} }}}}")
            for key in ("command", "entrypoint"):
                for index, word in enumerate(getattr(container, key) or ()):
                    yield Text((*placement.path(name, key), index), word, public=True)
        for index, file in enumerate(self.files):
            yield Text(("files", index, "content"), file.content)
        for name, value in self.exported().items():
            yield Text(("exports", "values", name), value)

    def _names(self) -> Names:
        return Names(
            tuple(parameter.name for parameter in self.parameters),
            {secret.name: secret.kind for secret in self.generated_secrets},
            tuple(d.app_id for d in self.dependencies if d.app_id is not None),
        )

    def _placement(self) -> Placement:
        given: dict[str, object] = {
            key: getattr(self, key) for key in APP_LEVEL if key in self.model_fields_set
        }
        if self.security.model_fields_set <= OF_THE_APP:
            given.pop("security", None)
        return Placement(self.container, self.containers, MappingProxyType(given))

    @classmethod
    @override
    def hint_for(cls, unknown: str) -> str:
        """Return where a key belongs that is a container's."""
        if unknown in ContainerManifest.key_names():
            return f"`{unknown}` belongs to a container: move it under `container`"
        return super().hint_for(unknown)
