"""An image that is made on the box."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import override

from reconciler.model.manifest.complaint import refusal, shown
from reconciler.model.manifest.environment import EnvironmentKey
from reconciler.model.manifest.part import MapOf, Part, empty
from reconciler.model.manifest.scalars import Text, read_text


def read_relative_path(value: object) -> str:
    """Return a path below the directory of the manifest."""
    text = read_text(value)
    if not text or not text.isprintable():
        raise refusal(f"{shown(text)} is not a path")
    if text.startswith("/"):
        raise refusal(
            f"{shown(text)} is absolute", "write it relative to the manifest's directory"
        )
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise refusal(f"{shown(text)} leads out of the manifest's directory with `..`")
    return "/".join(parts) or "."


RelativePath = Annotated[
    str,
    BeforeValidator(read_relative_path),
    WithJsonSchema({"type": "string", "pattern": "^[^/]"}),
]


class BuildManifest(Part):
    """`context` is a directory beside the manifest, `containerfile` a file in it."""

    SHORT_FORM: ClassVar[Mapping[str, object] | None] = {"type": "string", "pattern": "^[^/]"}

    context: RelativePath
    containerfile: RelativePath = "Containerfile"
    args: MapOf[EnvironmentKey, Text] = Field(default_factory=empty)

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Return the long form of a context alone."""
        return {"context": written} if isinstance(written, str) else written

    @classmethod
    @override
    def hint_for(cls, unknown: str) -> str:
        """Return the word used here for what others name after one program."""
        return "write `containerfile`" if unknown == "dockerfile" else super().hint_for(unknown)
