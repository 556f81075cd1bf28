"""Containers of anybody in a world of memory: what they look like, and which were adopted."""

from collections.abc import Iterator

from msgspec.structs import fields, replace

from reconciler.drivers.memory.things import Box
from reconciler.drivers.memory.world import World
from reconciler.model.adoption import Adopted, ContainerFacts, ImageFacts
from reconciler.model.container import ContainerSpec, NetworkPolicy
from reconciler.model.image_reference import parse_image_reference

_SHOWN, _PIDS = 12, 2048
_COPIED = tuple(f.name for f in fields(Adopted) if f.name not in {"container", "image_digest"})


def adopted(world: World) -> Iterator[Box]:
    """Yield what has no label and is in the inventory, as what that says of it."""
    known = world.inventory.adoptions().containers
    for box in world.boxes.values():
        found = known.get(box.ref)
        if found is not None and not box.instance:
            yield box


def as_adopted(found: Adopted, box: Box) -> ContainerSpec:
    """Return the spec that a container stands for."""
    like = box.like or ContainerSpec(found.app, found.container, box.name, "", found.image)
    told = {key: getattr(found, key) for key in _COPIED}
    return replace(like, name=found.container, pin=found.image_digest, **told)


def facts_of(box: Box) -> ContainerFacts:
    """Return what an engine shows of a container."""
    spec = box.shape or ContainerSpec("", "", box.name, "", "localhost/unknown:1")
    kinds = {NetworkPolicy.HOST: "host", NetworkPolicy.NONE: "none"}
    secret = tuple(box.secret_environment.items())
    reference = parse_image_reference(spec.image)
    return ContainerFacts(
        ref=box.ref,
        name=box.name,
        image=spec.image,
        made_of=ImageFacts(box.image_id, (spec.image,), (spec.pin or reference.digest or "",)),
        instance=box.instance,
        command=(*(spec.entrypoint or ()), *(spec.command or ())),
        environment=tuple(sorted((*spec.environment, *secret))),
        user=spec.user or "",
        working_dir=spec.working_dir or "/",
        hostname=spec.hostname or box.ref[:_SHOWN],
        init=spec.init,
        network=kinds.get(spec.network_policy, "bridge" if spec.network else "none"),
        networks=box.networks or ((spec.network,) if spec.network else ()),
        ports=spec.ports,
        mounts=spec.mounts,
        devices=spec.devices,
        capabilities=spec.capabilities,
        privileged=spec.privileged,
        seccomp_profile=spec.seccomp_profile,
        apparmor_profile="",  # this world's kernel has none
        no_new_privileges=spec.no_new_privileges,
        readonly_root=spec.readonly_root,
        resources=replace(spec.resources, pids=spec.resources.pids or _PIDS),
        swap=spec.resources.memory,
        shm_size=spec.shm_size,
        ulimits=spec.ulimits,
        extra_hosts=spec.extra_hosts,
        dns=spec.dns,
        stop_signal=spec.stop_signal or "",
    )
