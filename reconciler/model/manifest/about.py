"""What an app says about itself; nothing here changes what runs."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.manifest.endpoint import read_url_path
from reconciler.model.manifest.names import Line, Prose
from reconciler.model.manifest.part import Items, Part
from reconciler.model.manifest.values import PortNumber


class MetadataManifest(Part):
    """Who made the app, and where to read more."""

    author: Line | None = None
    website: Line | None = None
    repo: Line | None = None
    license: Line | None = None
    tags: Items[Line] = ()
    icon: Line | None = None


class UpstreamManifest(Part):
    """Where new versions of the app appear."""

    kind: Line | None = None
    repo: Line | None = None


class AlertsManifest(Part):
    """What the operator should read before the act."""

    install: Prose | None = None
    uninstall: Prose | None = None


class InterfaceManifest(Part):
    """A door of the app that people or programs use."""

    name: Line | None = None
    description: Prose | None = None
    type: Line | None = None
    port: PortNumber | None = None
    protocol: Line | None = None
    path: Annotated[str, BeforeValidator(read_url_path), WithJsonSchema({"type": "string"})] = "/"
