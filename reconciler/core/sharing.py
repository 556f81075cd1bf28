"""What an app lets others read of its volumes, and what it reads and reaches of them. Pure."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.filling import FillingError, Provided, SharedFrom
from reconciler.model.container import ContainerSpec, MountKind, MountSpec, ShareSpec
from reconciler.model.desired import Connection
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.dependencies import SharedFileManifest


class Shared(Struct, frozen=True):
    """What an app reads of others: files that are copied, and volumes that are mounted."""

    files: tuple[ShareSpec, ...] = ()
    volumes: tuple[MountSpec, ...] = ()

    def with_them(self, spec: ContainerSpec) -> ContainerSpec:
        """Return the container with them: each container of the app has them."""
        if not self.files and not self.volumes:
            return spec
        mounts = tuple(sorted((*spec.mounts, *self.volumes), key=lambda m: m.target))
        return replace(spec, shares=self.files, mounts=mounts)


def exported_files(manifest: AppManifest, instance: str) -> Mapping[str, SharedFrom]:
    """Return what the app exports, by name: where it is, inside and for the engine."""
    if not manifest.exported_files():
        return {}
    places = {
        volume.name: (name, volume.target)
        for name, container in manifest.container_map().items()
        for volume in container.volumes
        if volume.type is MountKind.VOLUME and volume.name
    }
    return {
        name: SharedFrom(
            volume=file.volume,
            path=file.path or "",
            engine_volume=f"{instance}-{manifest.id}-{file.volume}",
            container=places[file.volume][0],
            mount=places[file.volume][1],
        )
        for name, file in manifest.exported_files().items()
    }


def shared(manifest: AppManifest, dependencies: Mapping[str, Provided]) -> Shared:
    """Return what the app reads of those that stand in. Raises FillingError."""
    files: list[ShareSpec] = []
    volumes: list[MountSpec] = []
    for provided, wanted in _wanted(manifest, dependencies):
        source, path = _found(provided, wanted)
        if path:
            inside = source.mount.rstrip("/") + path
            files.append(ShareSpec(provided.app, source.container, inside, wanted.target))
        else:
            mount = MountSpec(MountKind.VOLUME, source.engine_volume, wanted.target, ("ro",))
            volumes.append(mount)
    return Shared(tuple(sorted(files, key=lambda f: f.target)), tuple(volumes))


def _wanted(
    manifest: AppManifest,
    dependencies: Mapping[str, Provided],
) -> Iterator[tuple[Provided, SharedFileManifest]]:
    for dependency in manifest.dependencies:
        provided = dependencies.get(dependency.app_id or "")
        if provided is not None:
            yield from ((provided, file) for file in dependency.files)


def _found(provided: Provided, wanted: SharedFileManifest) -> tuple[SharedFrom, str]:
    """Nothing is read of an app that it does not export."""
    by_name = provided.files.get(wanted.source)
    if by_name is not None and wanted.path is None:
        return by_name, by_name.path
    path = wanted.path or ""
    for source in provided.files.values():
        within = not source.path or path == source.path or path.startswith(source.path + "/")
        if source.volume == wanted.source and within:
            return source, path
    there = ", ".join(f"{s.volume}{s.path and ':' + s.path}" for s in provided.files.values())
    raise FillingError(
        f"`{provided.app}` exports no file `{wanted.source}{path and ':' + path}`",
        f"it exports {there or 'nothing'}",
    )


def reached(
    manifest: AppManifest,
    dependencies: Mapping[str, Provided],
) -> tuple[Connection, ...]:
    """Return what is reached, by the app that stands in; what is optional may not be there."""
    found = [Connection(c.to, tuple(sorted(c.ports))) for c in manifest.connections]
    for dependency in manifest.dependencies:
        asked = dependency.app_id or ""
        if dependency.ports and (asked in dependencies or not dependency.optional):
            by = dependencies[asked].app if asked in dependencies else asked
            asked_as = asked if asked != by else ""
            found.append(Connection(by, tuple(sorted(dependency.ports)), asked_as))
    return tuple(sorted(found, key=lambda c: (c.app, c.ports)))
