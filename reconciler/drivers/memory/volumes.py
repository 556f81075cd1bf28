"""The volumes of a world of memory, as the driver's verbs see them."""

from reconciler.drivers.memory.things import Owned
from reconciler.drivers.memory.world import World
from reconciler.errors import DriverConflict, DriverRejected
from reconciler.model.desired import VolumeSpec
from reconciler.model.volume import ObservedVolume


def ensure(world: World, instance: str, volume: VolumeSpec) -> None:
    """Have it; refuse one that is not ours."""
    fresh = Owned(volume.name, volume.app, instance)
    fresh.created_at, fresh.secrets = world.clock.now(), volume.secrets
    present = world.volumes.setdefault(volume.name, fresh)
    if not _app_of(world, instance, present):
        raise DriverRejected(
            f"cannot use volume {volume.name}: one of that name is there and is not ours;"
            " rename or remove it",
        )


def observed(world: World, instance: str) -> tuple[ObservedVolume, ...]:
    """Return ours, and those that are only named so."""
    named = f"{instance}-"
    found = [
        ObservedVolume(v.name, app, v.created_at, v.secrets)
        for v in world.volumes.values()
        for app in [_app_of(world, instance, v)]
        if app or (not v.instance and v.name.startswith(named))
    ]
    return tuple(sorted(found, key=lambda v: (v.app, v.name)))


def users(world: World, name: str) -> tuple[str, ...]:
    """Return who mounts it."""
    return tuple(sorted(b.name for b in world.boxes.values() if name in b.volumes))


def remove(world: World, instance: str, name: str) -> None:
    """Have it gone, with what is in it."""
    volume = world.volumes.get(name)
    if volume is None:
        return
    if not _app_of(world, instance, volume):
        raise DriverRejected(f"cannot remove volume {name}: it is not ours")
    if used_by := users(world, name):
        raise DriverConflict(f"cannot remove volume {name}: {', '.join(used_by)} uses it")
    del world.volumes[name]
    for place in [place for place in world.files if place[0] == name]:
        del world.files[place]


def usage(world: World, instance: str, name: str) -> int | None:
    """Return what was put into it; None where that cannot be known."""
    volume = world.volumes.get(name)
    if volume is not None and not _app_of(world, instance, volume):
        raise DriverRejected(f"cannot measure volume {name}: it is not ours")
    return None if volume is None or name in world.unreadable else world.held(name)


def _app_of(world: World, instance: str, volume: Owned) -> str:
    """Return whose it is, by its label or the inventory; empty where it is not ours."""
    if not volume.instance:
        return world.inventory.adoptions().volumes.get(volume.name, "")
    return volume.app if volume.instance == instance else ""
