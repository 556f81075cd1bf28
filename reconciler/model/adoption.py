"""Containers that somebody else made: what an engine shows of one, and what we took over."""

from collections.abc import Mapping

from msgspec import Struct, field

from reconciler.model.container import DeviceSpec, MountSpec, PortSpec, Resources, UlimitSpec


class ImageFacts(Struct, frozen=True):
    """What an image brings for what is not given; the names and digests that it is known by."""

    id: str
    names: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""


class ContainerFacts(Struct, frozen=True):
    """
    One container of anybody, as far as its engine shows it, in the words of a spec.

    `instance` is who says to have made it; empty where nobody does. `image` is the reference that
    it was made of, `command` all that was given to the kernel. `network` is the kind: bridge,
    host, none, or what else the engine calls it. `nameless` are the places of volumes that go
    with the container. `restarts` is the engine's own word for restarting it, empty where it does
    not. `beyond` says in words what it has and no spec can ask for, or what nobody can see of it.
    """

    ref: str
    name: str
    image: str
    made_of: ImageFacts
    instance: str = ""
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    init: bool = False
    network: str = "bridge"
    networks: tuple[str, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    mounts: tuple[MountSpec, ...] = ()
    nameless: tuple[str, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    capabilities: tuple[str, ...] = ()
    privileged: bool = False
    seccomp_profile: str = "default"
    apparmor_profile: str = ""  # empty: none
    no_new_privileges: bool = False
    readonly_root: bool = False
    resources: Resources = Resources()
    swap: int | None = None  # memory and swap together; None: no limit
    shm_size: int | None = None
    ulimits: tuple[UlimitSpec, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    stop_signal: str = ""
    restarts: str = ""
    beyond: tuple[str, ...] = ()


class Adopted(Struct, frozen=True):
    """What labels would say of a container that has none of ours and is ours all the same."""

    app: str
    container: str
    digest: str
    image: str
    image_digest: str = ""
    requires: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    source: str = ""
    stop_grace_period: float = 10.0


class Adoptions(Struct, frozen=True):
    """All that was adopted: containers by id, and whose volumes are, by name."""

    containers: Mapping[str, Adopted] = field(default_factory=dict[str, Adopted])
    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
