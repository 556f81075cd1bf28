"""Files that an app wants to find in its volumes before it starts."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.container import MountKind
from reconciler.model.manifest.complaint import Complaint, refusal
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.names import ContainerPath
from reconciler.model.manifest.part import Part
from reconciler.model.manifest.scalars import Boolean, read_text

_LONGEST: Final = 262_144


def read_content(value: object) -> str:
    """Return the text of a file."""
    text = read_text(value)
    if len(text) > _LONGEST:
        raise refusal(f"the file has {len(text)} characters, {_LONGEST} are the most")
    return text


class FileManifest(Part):
    """A file in a volume; `overwrite: false` writes it only where there is none."""

    path: ContainerPath
    content: Annotated[
        str,
        BeforeValidator(read_content),
        WithJsonSchema({"type": ["string", "number", "boolean"], "maxLength": _LONGEST}),
    ]
    overwrite: Boolean = True


def home(path: str, containers: Mapping[str, ContainerManifest]) -> tuple[str, str] | None:
    """Return the container whose volume the path lies in, and where that is mounted."""
    found: list[tuple[int, str, str]] = [
        (-len(volume.target), name, volume.target)
        for name, container in containers.items()
        for volume in container.volumes
        if volume.type is not MountKind.TMPFS
        and path.startswith(volume.target.rstrip("/") + "/")
        and "ro" not in volume.options
    ]
    if not found:
        return None
    deepest = min(length for length, _, _ in found)
    return next((name, target) for length, name, target in found if length == deepest)


def complaints_about_files(
    files: tuple[FileManifest, ...],
    containers: Mapping[str, ContainerManifest],
) -> Iterator[Complaint]:
    """Tell which file is written twice, and which lies in no volume."""
    seen: set[str] = set()
    for index, file in enumerate(files):
        path = ("files", index, "path")
        if file.path in seen:
            yield Complaint(path, f"the file `{file.path}` is given twice", "remove one")
        elif home(file.path, containers) is None:
            message = f"`{file.path}` lies in no volume that can be written to"
            yield Complaint(path, message, "mount a volume above it, and not with `ro`")
        seen.add(file.path)
