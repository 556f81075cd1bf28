"""What an app needs from the box: other apps, and room for its data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from typing_extensions import override

from reconciler.model.manifest.complaint import Complaint
from reconciler.model.manifest.names import AppId
from reconciler.model.manifest.part import Part
from reconciler.model.manifest.scalars import Boolean
from reconciler.model.manifest.values import Size


class DependencyManifest(Part):
    """Another app (`app_id`), or free space on the data disk (`storage`)."""

    RESERVED: ClassVar[frozenset[str]] = frozenset({"version", "ports", "files", "custom"})
    SHORT_FORM: ClassVar[Mapping[str, object] | None] = {"type": "string"}

    app_id: AppId | None = None
    optional: Boolean = False
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
        if self.storage is not None and "optional" in self.model_fields_set:
            yield Complaint(("optional",), "room for data cannot be optional", at_key=True)


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
