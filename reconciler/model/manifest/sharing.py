"""Whether what is exported is there, and what is read has a place of its own."""

from collections.abc import Iterable, Iterator, Mapping

from reconciler.model.container import MountKind
from reconciler.model.manifest.complaint import Complaint, did_you_mean
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.dependencies import DependencyManifest
from reconciler.model.manifest.exports import ExportedFileManifest

Containers = Mapping[str, ContainerManifest]


def complaints_about_sharing(
    exported: Mapping[str, ExportedFileManifest],
    dependencies: Iterable[DependencyManifest],
    containers: Containers,
) -> Iterator[Complaint]:
    """Tell which exported volume there is not, and which target is taken."""
    volumes = [
        volume.name
        for container in containers.values()
        for volume in container.volumes
        if volume.name and volume.type is MountKind.VOLUME
    ]
    for name, file in exported.items():
        if file.volume not in volumes:
            path = ("exports", "files", name, "volume")
            hint = did_you_mean(file.volume, volumes)
            yield Complaint(path, f"this app has no volume `{file.volume}`", hint)
    taken = {v.target for c in containers.values() for v in c.volumes}
    taken |= {target for c in containers.values() for target in c.tmpfs}
    for index, dependency in enumerate(dependencies):
        for place, shared in enumerate(dependency.files):
            if shared.target in taken:
                message = f"two things are mounted at `{shared.target}`"
                where = ("dependencies", index, "files", place, "target")
                yield Complaint(where, message, "choose another target")
            taken.add(shared.target)
