"""What is mounted in somebody's container otherwise than a spec asks for, in plain words. Pure."""

from collections.abc import Iterator

from reconciler.model.adoption import ContainerFacts
from reconciler.model.container import ContainerSpec, MountKind, MountSpec

# What engines add, or do once and never again.
_ADDED_OPTIONS = frozenset({"rw", "bind", "rbind", "private", "rprivate", "nosuid", "nodev"})
_ONCE = frozenset({"z", "Z", "U", "copy", "nocopy"})
_WRITABLE = frozenset({"/tmp", "/run", "/var/tmp"})  # noqa: S108 - with a root to be read only


def differences(wanted: ContainerSpec, facts: ContainerFacts) -> Iterator[str]:
    """Yield them. Data is never left behind: what holds some has to be the same one."""
    asked, has = _by_target(wanted.mounts), _by_target(facts.mounts)
    for target, mount in has.items():
        known = asked.get(target)
        if known is None:
            if not (wanted.readonly_root and target in _WRITABLE and _is_tmpfs(mount)):
                yield f"it has {_mount(mount)} at {target}, the manifest has nothing there"
        elif (known.kind, known.source) != (mount.kind, mount.source):
            yield f"it has {_mount(mount)} at {target}, the manifest says {_mount(known)}" + _way(
                mount, known
            )
        elif _options(known) != _options(mount):
            yield f"what is at {target} is mounted {_how(mount)}, the manifest says {_how(known)}"
    for target, mount in asked.items():
        if target not in has and target not in facts.nameless:
            yield f"it has nothing at {target}, the manifest says {_mount(mount)}"
    for target in facts.nameless:
        yield (
            f"it keeps data at {target} in a volume without a name, which would go with it;"
            " the manifest cannot name that: copy the data into a volume of the app"
        )


def _by_target(mounts: tuple[MountSpec, ...]) -> dict[str, MountSpec]:
    return {m.target.rstrip("/") or "/": m for m in sorted(mounts, key=lambda m: m.target)}


def _is_tmpfs(mount: MountSpec) -> bool:
    return mount.kind is MountKind.TMPFS


def _mount(mount: MountSpec) -> str:
    if _is_tmpfs(mount):
        return "a tmpfs"
    return f"the {'volume' if mount.kind is MountKind.VOLUME else 'folder'} {mount.source}"


def _way(has: MountSpec, asked: MountSpec) -> str:
    """Podman can rename no volume: the data has to be brought over."""
    if has.kind is not MountKind.VOLUME or asked.kind is not MountKind.VOLUME:
        return ""
    return (
        f"; to bring the data over, stop it, and `podman volume export {has.source}`"
        f" into {asked.source} (docs/operations.md says how)"
    )


def _options(mount: MountSpec) -> frozenset[str]:
    size = (f"size={mount.size}",) if mount.size else ()
    return frozenset((*mount.options, *size)) - _ADDED_OPTIONS - _ONCE


def _how(mount: MountSpec) -> str:
    return " ".join(sorted(_options(mount))) or "rw"
