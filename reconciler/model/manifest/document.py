"""One document of a file: what it says, and where it stands."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.origin import Origin

Manifest = AppManifest | InstallManifest | SuspendManifest | ApproveManifest

KINDS: Final[dict[str, type[Manifest]]] = {
    "app": AppManifest,
    "install": InstallManifest,
    "suspend": SuspendManifest,
    "approve": ApproveManifest,
}


class Document(Struct, frozen=True):
    """
    A checked document.

    `start_line` to `end_line` (both included, from 1) are the lines to cut out of the file to be
    rid of it: from its `---`, where it has one, to the line before the next document. `places` are
    those of the parameters in an `install:` document, which can be wrong for the app only.
    """

    manifest: Manifest
    origin: Origin
    start_line: int = 1
    end_line: int = 1
    places: Mapping[str, Origin] = field(default_factory=dict[str, Origin])

    @property
    def app(self) -> str:
        """The id of the app that the document is about; empty where it is about all."""
        if isinstance(self.manifest, AppManifest):
            return self.manifest.id
        return self.manifest.app or ""
