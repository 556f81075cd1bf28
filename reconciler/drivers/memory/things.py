"""What exists in a world of memory: containers, networks, volumes, and how a container behaves."""

import hashlib
from datetime import datetime

from msgspec import Struct, field

from reconciler.model.confinement import CAPABILITIES, Confinement
from reconciler.model.container import ContainerSpec, MountKind, NetworkPolicy, Resources
from reconciler.model.isolation import Names
from reconciler.model.observed import ContainerState, Hits, ObservedContainer

_LED = 32  # places of containers that are led begin here: two revisions run at once


class Behaviour(Struct, frozen=True):
    """What a container does once it was started: for ever, or until it ends with `exit_code`."""

    exit_code: int | None = None
    after: float = 0.0
    times: int | None = None


class Answer(Struct, frozen=True):
    """What a container answers to a probe."""

    ok: bool = True
    message: str = ""


class Owned(Struct):
    """A network or a volume. `instance` is empty where nobody labelled it."""

    name: str
    app: str
    instance: str
    interface: str = ""
    sealed: bool = False
    created_at: datetime | None = None
    secrets: tuple[str, ...] | None = None


def confinement(spec: ContainerSpec) -> Confinement:
    """Return what the kernel of this world enforces of a container that is made so."""
    host = spec.network_policy is NetworkPolicy.HOST
    return Confinement(
        capabilities=tuple(sorted(CAPABILITIES if spec.privileged else spec.capabilities)),
        no_new_privileges=spec.no_new_privileges,
        seccomp=not spec.privileged and spec.seccomp_profile != "unconfined",
        shared=("net",) if host else (),
        own_users=spec.userns == "auto",
        open=("/proc/sys", "/sys") if spec.privileged else (),
    )


class Box(Struct):
    """One container. `spec` is None for one that somebody else made."""

    ref: str
    name: str
    instance: str
    spec: ContainerSpec | None
    image_id: str
    created_at: datetime
    state: ContainerState = ContainerState.CREATED
    pid: int = 0
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    process_start: float = 0.0
    ends: tuple[float, int] | None = None  # (monotonic moment, exit code)
    lines: list[str] = field(default_factory=list[str])
    secret_environment: dict[str, str] = field(default_factory=dict[str, str])
    names: Names = ()
    networks: tuple[str, ...] | None = None  # None: those that it was made with
    limits: Resources | None = None
    confinement: Confinement | None = None  # None: what it was made with
    hits: Hits = field(default_factory=Hits)
    exec_at: datetime | None = None
    mounted: tuple[str, ...] = ()  # volumes in one that somebody else made
    like: ContainerSpec | None = None  # as what somebody else made it
    clients: int = 0  # connected to it
    number: int = 0  # of those that are led, in the order in which they were made

    @property
    def path(self) -> str:
        """The name a person would use: app/container."""
        return f"{self.spec.app}/{self.spec.name}" if self.spec else self.name

    @property
    def shape(self) -> ContainerSpec | None:
        """What it was made as, by whomever."""
        return self.spec or self.like

    def uses(self, network: str) -> bool:
        """Whether it is in a network."""
        made_with = self.spec.network if self.spec else None
        return made_with == network or network in (self.networks or ())

    @property
    def volumes(self) -> frozenset[str]:
        """The names of the volumes that it mounts."""
        mounts = self.shape.mounts if self.shape else ()
        return frozenset(m.source for m in mounts if m.kind is MountKind.VOLUME) | {*self.mounted}

    @property
    def holds_ports(self) -> bool:
        """Whether its published ports are taken."""
        return self.state in {ContainerState.RUNNING, ContainerState.PAUSED}

    def listens(self, port: int) -> bool:
        """Whether the engine holds a port of tcp for it."""
        return self.holds_ports and (port, "tcp") in self.ports

    @property
    def ports(self) -> frozenset[tuple[int, str]]:
        """The ports of the machine that the engine publishes for it."""
        if self.shape is None or self.shape.led:
            return frozenset()
        return frozenset((p.host, p.protocol) for p in self.shape.ports)

    def run(self, pid: int, now: datetime, process_start: float) -> None:
        """Begin a run."""
        self.process_start, self.hits = process_start, Hits()
        self.state, self.pid = ContainerState.RUNNING, pid
        self.exit_code, self.started_at, self.finished_at = None, now, None

    def end(self, exit_code: int, now: datetime) -> None:
        """End the run."""
        self.state, self.pid, self.ends = ContainerState.EXITED, 0, None
        self.clients = 0
        self.names, self.limits = (), None  # engines forget both
        self.exit_code, self.finished_at = exit_code, now

    def address(self, spec: ContainerSpec) -> str:
        """Return the address that it keeps in its app's network."""
        if not spec.network:
            return ""
        net = int(hashlib.sha256(spec.network.encode()).hexdigest()[:4], 16)
        place = _LED + self.number if spec.led else spec.place
        return f"10.{net >> 8}.{net & 255}.{255 - place}"

    def observed(self, spec: ContainerSpec) -> ObservedContainer:
        """Return it as the reconciler sees it."""
        made_with = (spec.network,) if spec.network else ()
        network = made_with if self.networks is None else self.networks
        running = self.state is ContainerState.RUNNING
        return ObservedContainer(
            ref=self.ref,
            container_name=self.name,
            app=spec.app,
            container=spec.name,
            digest=spec.digest,
            state=self.state,
            image=spec.image,
            image_id=self.image_id,
            image_digest=spec.pin,
            pid=self.pid,
            exit_code=self.exit_code,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            process_start=self.process_start if self.pid else 0.0,
            networks=network,
            address=self.address(spec) if running and network else "",
            names=self.names if running and network else None,
            limits=(self.limits or spec.resources) if running else None,
            confinement=(self.confinement or confinement(spec)) if running else None,
            hits=self.hits if running else None,
            exec_at=self.exec_at,
            requires=spec.requires,
            secrets=spec.secrets,
            source=spec.source,
            stop_grace_period=spec.stop_grace_period,
        )
