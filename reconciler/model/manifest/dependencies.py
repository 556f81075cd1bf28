"""What an app needs from the box: other apps, and room for its data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import override

from reconciler.model.manifest.complaint import Complaint, refusal
from reconciler.model.manifest.names import APP_ID, AppId, ContainerPath, VolumeName
from reconciler.model.manifest.part import Items, Part
from reconciler.model.manifest.scalars import Boolean, read_text
from reconciler.model.manifest.values import PortNumber, Size
from reconciler.model.version_range import VersionError, check_range


def read_range(value: object) -> str:
    """Return a range of versions, as it was written."""
    text = read_text(value)
    try:
        check_range(text)
    except VersionError as error:
        raise refusal(str(error), error.hint) from error
    return text


VersionRange = Annotated[
    str,
    BeforeValidator(read_range),
    WithJsonSchema({"type": ["string", "number"], "minLength": 1}),
]


class SharedFileManifest(Part):
    """A file of a dependency's volume, or without `path` all of it, to be read at `target`."""

    source: VolumeName = Field(alias="from")
    path: ContainerPath | None = None
    target: ContainerPath


class DependencyManifest(Part):
    """Another app (`app_id`), or free space on the data disk (`storage`)."""

    RESERVED: ClassVar[frozenset[str]] = frozenset({"custom"})
    SHORT_FORM: ClassVar[Mapping[str, object] | None] = {"type": "string"}

    app_id: AppId | None = None
    version: VersionRange | None = None
    optional: Boolean = False
    ports: Items[PortNumber] = ()
    restart_with: Boolean = False
    files: Items[SharedFileManifest] = ()
    storage: Size | None = None

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Return the long form of an app's id alone."""
        return {"app_id": written} if isinstance(written, str) else written

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when it is not exactly one of both."""
        if (self.app_id is None) == (self.storage is None):
            yield Complaint((), "a dependency is either an `app_id` or `storage`, each on its own")
        if self.storage is None:
            return
        if "optional" in self.model_fields_set:
            yield Complaint(("optional",), "room for data cannot be optional", at_key=True)
        for key in ("version", "ports", "restart_with", "files"):
            if key in self.model_fields_set:
                yield Complaint((key,), f"room for data has no `{key}`", at_key=True)


class ProvidedManifest(Part):
    """A virtual name that other apps may depend on; one app of the catalogue is its default."""

    SHORT_FORM: ClassVar[Mapping[str, object] | None] = {
        "type": "string",
        "pattern": f"^{APP_ID.pattern}$",
    }

    name: AppId
    default: Boolean = False

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Return the long form of a name alone."""
        return {"name": written} if isinstance(written, str) else written


class ConnectionManifest(Part):
    """Ports of another app that are reached without depending on it."""

    to: AppId
    ports: Items[PortNumber]

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when nothing is reached."""
        if not self.ports:
            yield Complaint(("ports",), "a connection needs at least one port")


def complaints_about_dependencies(
    app: str,
    dependencies: Sequence[DependencyManifest],
) -> Iterator[Complaint]:
    """Tell what is asked for twice, and who needs itself."""
    seen: set[str | None] = set()
    for index, dependency in enumerate(dependencies):
        path = ("dependencies", index)
        if dependency.app_id == app:
            yield Complaint(path, "an app cannot depend on itself", "remove it")
        elif dependency.app_id in seen:
            what = dependency.app_id or "storage"
            yield Complaint(path, f"the dependency `{what}` is given twice", "remove one")
        seen.add(dependency.app_id)


def complaints_about_offers(
    app: str,
    provides: Iterable[ProvidedManifest],
    connections: Iterable[ConnectionManifest],
) -> Iterator[Complaint]:
    """Tell which names mean nothing new."""
    seen = {app}
    for index, provided in enumerate(provides):
        if provided.name in seen:
            also = "it is its own id" if provided.name == app else "it is given twice"
            message = f"`{provided.name}` need not be provided: {also}"
            yield Complaint(("provides", index), message, "remove it")
        seen.add(provided.name)
    for index, connection in enumerate(connections):
        if connection.to == app:
            path = ("connections", index, "to")
            yield Complaint(path, "an app needs no connection to itself", "remove it")
