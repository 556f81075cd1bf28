"""What an `install:` document changes about an app of the catalogue."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import override

from reconciler.model.manifest.complaint import Complaint
from reconciler.model.manifest.environment import Environment
from reconciler.model.manifest.names import ContainerName
from reconciler.model.manifest.part import Items, MapOf, Part, choice, empty
from reconciler.model.manifest.security import ResourcesManifest
from reconciler.model.manifest.values import Address, PortNumber


class PortOverrideManifest(Part):
    """Where a container's port is published on this box."""

    container: PortNumber
    protocol: Annotated[
        Literal["tcp", "udp"],
        BeforeValidator(choice(("tcp", "udp"))),
        WithJsonSchema({"enum": ["tcp", "udp"]}),
    ] = "tcp"
    host: PortNumber | None = None
    bind: Address | None = None

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when nothing is changed."""
        if self.host is None and self.bind is None:
            yield Complaint((), "this changes nothing", "give a `host` port, or a `bind` address")


class ContainerOverridesManifest(Part):
    """Changes of one container."""

    environment: Environment = Field(default_factory=empty)
    resources: ResourcesManifest = ResourcesManifest.model_construct()
    ports: Items[PortOverrideManifest] = ()


class OverridesManifest(ContainerOverridesManifest):
    """Changes of the only container, or of `main`; of others under `containers`."""

    containers: MapOf[ContainerName, ContainerOverridesManifest] = Field(default_factory=empty)

    @property
    def changes_main(self) -> bool:
        """Whether anything but `containers` is given."""
        return bool(self.model_fields_set - {"containers"})

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when the same container is changed in two places."""
        if self.changes_main and "main" in self.containers:
            message = "`main` is changed in two places"
            yield Complaint(("containers", "main"), message, "keep one of them", at_key=True)
