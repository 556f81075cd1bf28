"""The small documents that verbs write: install an app of the catalogue, suspend apps."""

from collections.abc import Iterator

from pydantic import Field
from typing_extensions import override

from reconciler.model.manifest.complaint import Complaint
from reconciler.model.manifest.dependencies import VersionRange
from reconciler.model.manifest.names import AppId
from reconciler.model.manifest.overrides import OverridesManifest
from reconciler.model.manifest.parameters import ParameterName, ParameterValue
from reconciler.model.manifest.part import MapOf, Part, empty
from reconciler.model.manifest.scalars import Boolean
from reconciler.model.manifest.values import Moment


class InstallManifest(Part):
    """Run an app of the catalogue."""

    app: AppId
    version: VersionRange | None = None
    overrides: OverridesManifest | None = None
    parameters: MapOf[ParameterName, ParameterValue] = Field(default_factory=empty)
    suspend: Boolean = False


class SuspendManifest(Part):
    """
    Keep an app, or all of them, stopped; in a file of its own, so that no other is ever edited.

    `keep_running` leaves them exactly as they are instead. After `until` it says nothing any more.
    """

    app: AppId | None = None
    all: Boolean = False
    until: Moment | None = None
    keep_running: Boolean = False

    @override
    def complaints(self) -> Iterator[Complaint]:
        """An app or all of them, and not both."""
        if self.app is None and not self.all:
            hint = "or say `all: true`"
            yield Complaint((), "the key `app` is missing", hint, missing="app")
        if self.app is not None and self.all:
            hint = "put a line `---` between two documents"
            message = "one app and all of them are two suspensions"
            yield Complaint(("all",), message, hint, at_key=True)
