"""
One container as it should be: every default filled in, ready to be created.

Sizes are bytes, durations seconds, CPU a number of cores. Mappings are sorted pairs.
"""

from enum import StrEnum

from msgspec import Struct

from reconciler.model.secret import SecretText


class PullPolicy(StrEnum):
    """When an image is fetched."""

    IF_NOT_PRESENT = "if-not-present"
    ALWAYS = "always"
    NEVER = "never"


class Restart(StrEnum):
    """Whether a container whose process ended is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NO = "no"


class StartCondition(StrEnum):
    """What a container waits for in another container of its app."""

    STARTED = "started"
    HEALTHY = "healthy"
    COMPLETED = "completed"


class NetworkPolicy(StrEnum):
    """Which network an app's containers live in."""

    ISOLATED = "isolated"
    NONE = "none"
    HOST = "host"
    NAMED = "named"  # one that the operator made


class HealthKind(StrEnum):
    """How a container is asked whether it is well."""

    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"


class MountKind(StrEnum):
    """Where a mounted directory lives."""

    VOLUME = "volume"
    BIND = "bind"
    TMPFS = "tmpfs"


class HealthCheck(Struct, frozen=True):
    """A probe and its patience. `port` is a container port; `command` is for exec only."""

    kind: HealthKind
    port: int = 0
    scheme: str = "http"
    path: str = "/"
    command: tuple[str, ...] = ()
    interval: float = 30.0
    timeout: float = 5.0
    retries: int = 3
    start_period: float = 0.0


class BuildSpec(Struct, frozen=True):
    """
    An image made on this box.

    `context` is an absolute path, `content` the SHA-256 (hex) of everything in it, so that a
    changed file is a changed digest.
    """

    context: str
    containerfile: str
    args: tuple[tuple[str, str], ...]
    content: str


class PortSpec(Struct, frozen=True):
    """A published port."""

    host: int
    container: int
    protocol: str = "tcp"
    bind: str = "127.0.0.1"


class MountSpec(Struct, frozen=True):
    """
    A directory inside a container.

    `source` is the engine's volume name, an absolute host path, or empty for tmpfs; `size` (bytes)
    is for tmpfs.
    """

    kind: MountKind
    source: str
    target: str
    options: tuple[str, ...] = ()
    size: int | None = None


class DeviceSpec(Struct, frozen=True):
    """A device of the machine; an `optional` one is left out where it is not there."""

    path: str
    target: str
    permissions: str = "rwm"
    optional: bool = False


class UlimitSpec(Struct, frozen=True):
    """How much of one thing a process may have, as setrlimit(2) names it; -1 is no limit."""

    name: str
    soft: int
    hard: int


class FileSpec(Struct, frozen=True):
    """
    A file in a volume that is mounted at `mount`, below which `path` leads.

    Without `overwrite` it is written only where there is none.
    """

    mount: str
    path: str
    content: SecretText
    overwrite: bool = True


class ShareSpec(Struct, frozen=True):
    """
    A file of another app, to be read at `target`: a copy, made anew before each start.

    `path` is where that app's `container` has it.
    """

    app: str
    container: str
    path: str
    target: str


class Resources(Struct, frozen=True):
    """Limits; None means no limit."""

    cpu: float | None = None
    memory: int | None = None
    memory_reservation: int | None = None
    pids: int | None = None


class ContainerSpec(Struct, frozen=True):
    """
    One container, ready to be created.

    `container_name` is the engine's name and carries the beginning of the digest, so the old and
    the new revision of a container can exist side by side.
    """

    app: str
    name: str
    container_name: str
    digest: str
    image: str
    build: BuildSpec | None = None
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    init: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    secret_environment: tuple[tuple[str, SecretText], ...] = ()
    files: tuple[FileSpec, ...] = ()
    shares: tuple[ShareSpec, ...] = ()
    secrets: tuple[str, ...] = ()  # of its own app's, all that it is given; a label
    network: str | None = None  # the engine's name of the network; None: see policy
    network_policy: NetworkPolicy = NetworkPolicy.ISOLATED
    aliases: tuple[str, ...] = ()
    place: int = 0  # of its address, from the end of its network; not part of the digest
    ports: tuple[PortSpec, ...] = ()
    led: bool = False  # its port leads to it by rules of ours: the engine publishes none
    mounts: tuple[MountSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    capabilities: tuple[str, ...] = ()
    privileged: bool = False
    seccomp_profile: str = "default"  # or strict, unconfined, an absolute path
    userns: str = "host"  # or auto: numbers of users that mean nobody on this machine
    apparmor_profile: str = "default"  # or required, unconfined, the name of a loaded one
    no_new_privileges: bool = True
    readonly_root: bool = False
    resources: Resources = Resources()
    shm_size: int | None = None
    ulimits: tuple[UlimitSpec, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    stop_signal: str | None = None
    stop_grace_period: float = 10.0
    restart: Restart = Restart.ALWAYS
    depends_on: tuple[tuple[str, StartCondition], ...] = ()
    health: HealthCheck | None = None
    requires: tuple[str, ...] = ()  # apps; a label, so that removal protection needs no file
    source: str = ""  # the file it came from; a label, not part of the digest
    pin: str = ""  # the digest that `image` is taken to mean; a label, not part of the digest
    signature: str = ""  # who the manifest wants to have signed the image; not part of the digest
    guarded: bool = False  # nothing but `pin` may be run: it was judged; not part of the digest

    @property
    def is_job(self) -> bool:
        """Whether an end with exit code 0 is what is wanted."""
        return self.restart is not Restart.ALWAYS
