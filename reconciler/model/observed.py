"""What is there: containers and networks that carry our label and our instance name."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from reconciler.model.confinement import Confinement
from reconciler.model.container import Resources
from reconciler.model.isolation import IsolationSpec, Names
from reconciler.model.volume import ObservedVolume


class ContainerState(StrEnum):
    """
    The state of a container's process, not of the engine's bookkeeping.

    ENDING: the process is gone and the engine will notice in a moment, or it is being stopped.
    LOST: the engine says "running" for ever, but nobody watches the process and it is gone.
    BROKEN: half-made or half-removed; only removal helps.
    """

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    ENDING = "ending"
    LOST = "lost"
    BROKEN = "broken"


class Hits(Struct, frozen=True):
    """How often the kernel refused a run more: processes ended for memory, processes not made."""

    memory: int = 0
    pids: int = 0


class ObservedContainer(Struct, frozen=True):
    """
    One container of ours, from its labels and its process.

    `ref` is what the engine wants to be asked with (its id). `image` is the reference it was made
    from, `image_digest` what that was taken to mean (empty: not known). `exit_code` and
    `finished_at` are of the last run; `started_at` is None when it never ran. `process_start` says
    when the process that runs now began, in seconds since the machine's: finer than what engines
    tell, and only to tell what came first; 0 where it is not known. `address` is that of a running
    container in its app's network; `names` are those of other apps that it was given, None where
    nobody looked; `limits` and `confinement` are what the kernel enforces now, and `hits` how
    often it did, None where nobody can say. `exec_at` is when somebody else than us was last seen
    to run a command in it.
    """

    ref: str
    container_name: str
    app: str
    container: str
    digest: str
    state: ContainerState
    image: str = ""
    image_id: str = ""
    image_digest: str = ""
    pid: int = 0
    exit_code: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    process_start: float = 0.0
    networks: tuple[str, ...] = ()
    address: str = ""
    names: Names | None = None
    limits: Resources | None = None
    confinement: Confinement | None = None
    hits: Hits | None = None
    exec_at: datetime | None = None
    requires: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    source: str = ""
    stop_grace_period: float = 10.0


class ObservedNetwork(Struct, frozen=True):
    """
    One network of ours.

    A `sealed` one is shut by the engine itself to all other sealed ones, and no rule opens it.
    """

    name: str
    app: str
    interface: str = ""
    sealed: bool = False


class Observed(Struct, frozen=True):
    """
    The world at one moment, ours only, sorted by app and container name.

    `isolation` are the rules in force, by app; `unenforceable` says why there can be none, and
    `unlimited` why no limit of a container is in force.
    `volumes` are looked for only where a decision hangs on them.
    """

    containers: tuple[ObservedContainer, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    isolation: tuple[IsolationSpec, ...] = ()
    unenforceable: str = ""
    volumes: tuple[ObservedVolume, ...] = ()
    unlimited: str = ""

    def of(self, app: str) -> tuple[ObservedContainer, ...]:
        """Return the containers of one app."""
        return tuple(c for c in self.containers if c.app == app)

    def apps(self) -> frozenset[str]:
        """Return the ids of all apps that left a container, a network, or rules."""
        return frozenset(
            {c.app for c in self.containers}
            | {n.app for n in self.networks}
            | {i.app for i in self.isolation},
        )
