"""Directories mounted into a container."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from typing_extensions import override

from reconciler.model.container import MountKind
from reconciler.model.manifest.complaint import Complaint, refusal, shown
from reconciler.model.manifest.names import ContainerPath, VolumeName
from reconciler.model.manifest.part import Items, Part, choice
from reconciler.model.manifest.scalars import read_text
from reconciler.model.manifest.values import Memory

_RIVALS: Final = (
    ("rw", "ro"),
    ("exec", "noexec"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("z", "Z"),
    ("shared", "rshared", "slave", "rslave", "private", "rprivate"),
)
OPTIONS: Final = (*(option for rivals in _RIVALS for option in rivals), "U", "noatime")
MountOption = Annotated[
    str,
    BeforeValidator(choice(OPTIONS)),
    WithJsonSchema({"enum": list(OPTIONS)}),
]


class VolumeManifest(Part):
    """A named volume that the engine keeps, a directory of the machine, or memory."""

    name: VolumeName | None = None
    target: ContainerPath
    type: Annotated[
        MountKind,
        BeforeValidator(choice(MountKind)),
        WithJsonSchema({"enum": [str(kind) for kind in MountKind]}),
    ] = MountKind.VOLUME
    source: ContainerPath | None = None
    options: Items[MountOption] = ()
    size: Memory | None = None

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Refuse the short form, whose meaning hangs on its first letter; show the long one."""
        if isinstance(written, str):
            text = read_text(written)
            source, _, rest = text.partition(":")
            target = rest.partition(":")[0] or "/data"
            if source.startswith(("/", ".", "~")):
                path = source if source.startswith("/") else "/srv/data"
                long = f"{{type: bind, source: {path}, target: {target}}}"
            else:
                long = f"{{name: {source or 'data'}, target: {target}}}"
            raise refusal(f"the short form {shown(text)} is not available", f"write {long}")
        return written

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell which keys the type needs and which it does not have."""
        match self.type:
            case MountKind.VOLUME:
                yield from self._needs("name", "by which its data is found again")
                yield from self._has_no("source", "write `type: bind` to mount a directory")
            case MountKind.BIND:
                yield from self._needs("source", "the directory of this machine to mount")
            case MountKind.TMPFS:  # pragma: no branch - there is no other
                yield from self._has_no("source", "its content is memory")
        if self.type is not MountKind.TMPFS:
            yield from self._has_no("size", "only `type: tmpfs` has a size")
        for rivals in _RIVALS:
            both = [option for option in self.options if option in rivals]
            if len(set(both)) > 1:
                yield Complaint(("options",), f"`{both[0]}` and `{both[1]}` contradict each other")

    def _needs(self, key: str, why: str) -> Iterator[Complaint]:
        if getattr(self, key) is None:
            message = f"a volume of type {self.type} needs a `{key}`: {why}"
            yield Complaint((), message, missing=key)

    def _has_no(self, key: str, hint: str) -> Iterator[Complaint]:
        if getattr(self, key) is not None:
            message = f"a volume of type {self.type} has no `{key}`"
            yield Complaint((key,), message, hint, at_key=True)
