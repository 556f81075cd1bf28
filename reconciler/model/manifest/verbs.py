"""The small documents that verbs write: install an app of the catalogue, suspend an app."""

from pydantic import Field

from reconciler.model.manifest.dependencies import VersionRange
from reconciler.model.manifest.names import AppId
from reconciler.model.manifest.overrides import OverridesManifest
from reconciler.model.manifest.parameters import ParameterName, ParameterValue
from reconciler.model.manifest.part import MapOf, Part, empty
from reconciler.model.manifest.scalars import Boolean


class InstallManifest(Part):
    """Run an app of the catalogue."""

    app: AppId
    version: VersionRange | None = None
    overrides: OverridesManifest | None = None
    parameters: MapOf[ParameterName, ParameterValue] = Field(default_factory=empty)
    suspend: Boolean = False


class SuspendManifest(Part):
    """Keep an app stopped; in a file of its own, so that no other file is ever edited."""

    app: AppId
