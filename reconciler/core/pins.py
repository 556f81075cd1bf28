"""
Which image a container is to run: the one its reference meant when it was first asked for. Pure.

The ledger says it, or the label of a container that is there: losing either loses nothing. A
reference without a registry, or with a digest of its own, needs no pin.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from msgspec.structs import replace

from reconciler.model.container import ContainerSpec, PullPolicy
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.observed import ContainerState, Observed, ObservedContainer
from reconciler.model.pin import Freshness, ImageInUse, Past, Pin, PinKey, Told

Pins = Mapping[PinKey, Pin]
_UNUSABLE = frozenset({ContainerState.LOST, ContainerState.BROKEN})
_SHOWN = slice(7, 15)  # of `sha256:` and its digits


def pinned(spec: AppSpec, seen: Iterable[ObservedContainer], pins: Pins) -> AppSpec:
    """Return the spec with what its images are pinned to, and with names that are free."""
    containers = tuple(seen)
    return replace(spec, containers=tuple(_pinned(c, containers, pins) for c in spec.containers))


def runs_pinned(wanted: ContainerSpec, seen: ObservedContainer) -> bool:
    """Whether a container has the image that the spec is pinned to; no pin is content with any."""
    return not wanted.pin or wanted.pin == seen.image_digest


def pin_of(container: ContainerSpec, seen: Iterable[ObservedContainer], pins: Pins) -> str:
    """Return the digest that a container's reference means; empty where nobody knows yet."""
    if not has_tag_of_registry(container.image):
        return ""
    written = written_down(container, pins)
    if written:
        return written
    told = [
        s
        for s in seen
        if (s.app, s.container, s.image) == (container.app, container.name, container.image)
        and s.image_digest
    ]
    return min(told, key=_running_first).image_digest if told else ""


def forgotten(desired: Desired, observed: Observed, pins: Pins) -> dict[PinKey, Pin]:
    """Return what only labels remember, to be written down again."""
    found: dict[PinKey, Pin] = {}
    for app, spec in desired.apps.items():
        seen = observed.of(app)
        for container in spec.containers:
            known = pins.get((app, container.name))
            if known is not None and known.image == container.image:
                continue
            digest = pin_of(container, seen, pins)
            if digest:
                found[app, container.name] = Pin(container.image, digest)
    return found


def written_down(container: ContainerSpec, pins: Pins) -> str:
    """Return what the ledger says that a container's reference means, if it says anything."""
    pin = pins.get((container.app, container.name))
    return pin.digest if pin is not None and pin.image == container.image else ""


@lru_cache(maxsize=4096)
def has_tag_of_registry(image: str) -> bool:
    """Whether a registry may say another day that this name means something else."""
    reference = parse_image_reference(image)
    return reference.digest is None and not reference.is_local


def _pinned(
    container: ContainerSpec, seen: tuple[ObservedContainer, ...], pins: Pins
) -> ContainerSpec:
    own = [s for s in seen if (s.container, s.digest) == (container.name, container.digest)]
    made = any(s.state not in _UNUSABLE for s in own)
    asks = container.pull_policy is PullPolicy.ALWAYS and not container.guarded
    if asks and not made and not container.pin:
        return container  # it is about to be made, so the registry is asked
    pin = container.pin or pin_of(container, seen, pins)
    if not pin:
        return container
    name = container.container_name
    if any(s.container_name == name and s.image_digest != pin for s in own):
        name = f"{name}-{pin[_SHOWN]}"  # the one before has the name, and stays meanwhile
    return replace(container, pin=pin, container_name=name)


def _running_first(seen: ObservedContainer) -> tuple[bool, str]:
    return seen.state is not ContainerState.RUNNING, seen.container_name


def images_in_use(desired: Desired, observed: Observed, pins: Pins) -> tuple[ImageInUse, ...]:
    """Return the image of every container that is desired, in the order of apps and files."""
    return tuple(
        ImageInUse(
            app,
            container.name,
            container.image,
            pin_of(container, observed.of(app), pins),
            _running(container, observed.of(app)),
        )
        for app, spec in sorted(desired.apps.items())
        for container in spec.containers
    )


def freshness(used: ImageInUse, told: Told | None) -> Freshness:
    """Say how an image is beside what its registry told; None where nobody was asked."""
    if not has_tag_of_registry(used.image):
        fixed = parse_image_reference(used.image).digest
        return Freshness.FIXED if fixed else Freshness.LOCAL
    if told is None or not told.digest:
        return Freshness.UNREACHABLE
    known = used.running or used.pinned
    if not known:
        return Freshness.UNKNOWN
    return Freshness.CURRENT if known == told.digest else Freshness.NEWER


def to_pin(used: Iterable[ImageInUse], told: Mapping[str, Told]) -> dict[PinKey, Pin]:
    """Return what an update would write down: what registries say and pins do not."""
    return {
        (u.app, u.container): Pin(u.image, told[u.image].digest)
        for u in used
        if u.image in told and told[u.image].digest not in {"", u.pinned}
    }


def moved_back(
    used: Iterable[ImageInUse], pins: Pins, past: Mapping[PinKey, Past]
) -> dict[PinKey, str]:
    """
    Return which of these pins are of images that were replaced before, and say so.

    What runs is no way back: an update that was given up leaves a pin that is newer.
    """
    running = {(u.app, u.container): u.running for u in used}
    return {
        key: f"{pin.image} has moved back to {pin.digest[_SHOWN]}, which was replaced before"
        for key, pin in sorted(pins.items())
        if key in past and pin in past[key].replaced and pin.digest != running.get(key)
    }


def _running(container: ContainerSpec, seen: Iterable[ObservedContainer]) -> str:
    own = [s for s in seen if s.container == container.name and s.image_digest]
    return min(own, key=_running_first).image_digest if own else ""
