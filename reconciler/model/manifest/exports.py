"""What an app gives to those that depend on it."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from reconciler.model.manifest.environment import Template
from reconciler.model.manifest.names import ContainerPath, VolumeName, matching
from reconciler.model.manifest.part import MapOf, Part, empty

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
ExportName = Annotated[
    str,
    BeforeValidator(
        matching(
            _NAME,
            "the name of an export: letters, digits and `_`, no digit in front",
            "write for example RPC_HOST",
        ),
    ),
    WithJsonSchema({"type": "string"}),
]


class ExportedFileManifest(Part):
    """A file of a volume, or without `path` all of it, that dependants may read."""

    volume: VolumeName
    path: ContainerPath | None = None


class ExportsManifest(Part):
    """Values that `{{ dependencies.APP.NAME }}` stands for, and files that may be read."""

    values: MapOf[ExportName, Template] = Field(default_factory=empty)
    files: MapOf[VolumeName, ExportedFileManifest] = Field(default_factory=empty)
