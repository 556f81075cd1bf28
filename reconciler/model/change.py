"""
A plan is a list of changes, one an app; a change is a list of steps that describe it entirely.

`Action` says what the reconciler will do, `Reason` why; no code decides anything by the reason.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from reconciler.model.container import ContainerSpec
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.isolation import IsolationSpec, Names
from reconciler.model.secret import SecretSpec

Basis = tuple[tuple[str, str], ...]  # sorted pairs, for the record


class Action(StrEnum):
    """Completes the sentence: the reconciler will … the app."""

    INSTALL = "install"
    UPDATE = "update"
    ISOLATE = "isolate"
    ROLLBACK = "rollback"
    START = "start"
    RESTART = "restart"
    STOP = "stop"
    REMOVE = "remove"
    KEEP = "keep"
    HOLD = "hold"


class Reason(StrEnum):
    """Why: one word for machines; the message beside it is for people."""

    NOT_INSTALLED = "NotInstalled"
    DIGEST_CHANGED = "DigestChanged"
    IMAGE_CHANGED = "ImageChanged"
    HANDED_OVER = "HandedOver"
    PREVIOUS_SUPERSEDED = "PreviousSuperseded"
    PREVIOUS_KEPT = "PreviousKept"
    HEALTH_DEADLINE = "HealthDeadline"
    ROLLED_BACK = "RolledBack"
    INCOMPLETE = "Incomplete"
    NOT_RUNNING = "NotRunning"
    PROCESS_LOST = "ProcessLost"
    UNHEALTHY = "Unhealthy"
    NETWORK_MISSING = "NetworkMissing"
    NETWORK_SEALED = "NetworkSealed"
    ISOLATION_DIFFERS = "IsolationDiffers"
    PORT_TAKEN = "PortTaken"
    NOT_ENFORCEABLE = "NotEnforceable"
    DRIFTED = "Drifted"
    SUSPENDED = "Suspended"
    NOT_DESIRED = "NotDesired"
    IN_SYNC = "InSync"
    STARTING = "Starting"
    COMPLETED = "Completed"
    ENDING = "Ending"
    BACK_OFF = "BackOff"
    CRASH_LOOP = "CrashLoop"
    FAILED = "Failed"
    JOB_FAILED = "JobFailed"
    MANIFEST_INVALID = "ManifestInvalid"
    SOURCE_UNREADABLE = "SourceUnreadable"
    DEPENDENCY_MISSING = "DependencyMissing"
    DEPENDENCY_UNSATISFIED = "DependencyUnsatisfied"
    DEPENDENCY_RESTARTED = "DependencyRestarted"
    DEPENDENCY_UNHEALTHY = "DependencyUnhealthy"
    DEPENDENCY_CYCLE = "DependencyCycle"
    DEPENDENCY_NOT_READY = "DependencyNotReady"
    CONTAINER_NOT_READY = "ContainerNotReady"
    REQUIRED_BY = "RequiredBy"
    DEPENDANTS_FIRST = "DependantsFirst"
    MASS_REMOVAL = "MassRemoval"
    NOT_SUPPORTED = "NotSupported"
    APPROVAL_REQUIRED = "ApprovalRequired"
    POLICY_DENIED = "PolicyDenied"
    NOT_ENOUGH_STORAGE = "NotEnoughStorage"
    NOT_ON_RECORD = "NotOnRecord"
    SIGNATURE_PENDING = "SignaturePending"
    NOT_VERIFIED = "NotVerified"
    SIGNER_CHANGED = "SignerChanged"
    TAG_MOVED_BACK = "TagMovedBack"
    SECRET_LOST = "SecretLost"  # noqa: S105 - a reason, not a secret


class PrepareImage(Struct, frozen=True):
    """Have the image on the box: pull or build it, as its policy says."""

    container: ContainerSpec


class EnsureNetwork(Struct, frozen=True):
    """Have the app's own network."""

    network: NetworkSpec


class EnsureVolume(Struct, frozen=True):
    """Have a data volume."""

    volume: VolumeSpec


class EnsureSecret(Struct, frozen=True):
    """Have a secret: made once, at random, and kept."""

    secret: SecretSpec


class CreateContainer(Struct, frozen=True):
    """Have the container, not started."""

    container: ContainerSpec


class WriteFiles(Struct, frozen=True):
    """Have the container's files in its volumes. `ref` is an id or a container name."""

    ref: str
    container: ContainerSpec


class StartContainer(Struct, frozen=True):
    """
    Have it running, with the names of apps that it may reach.

    `ref` is an id or a container name, `name` what its app calls it.
    """

    ref: str
    name: str = ""
    names: Names = ()


class DrainContainer(Struct, frozen=True):
    """Wait until nobody is connected to it any more, at most `grace` seconds."""

    ref: str
    grace: float


class StopContainer(Struct, frozen=True):
    """Have it not running: ask, wait `grace` seconds, then kill."""

    ref: str
    grace: float


class RemoveContainer(Struct, frozen=True):
    """Have it gone, stopped or not. Its volumes stay."""

    ref: str


class Isolate(Struct, frozen=True):
    """Have exactly these rules for an app."""

    isolation: IsolationSpec


class WriteNames(Struct, frozen=True):
    """Have a running container know exactly these names of other apps."""

    ref: str
    names: Names


class ForgetIsolation(Struct, frozen=True):
    """Have no rules for an app that is gone."""

    app: str


class AttachNetwork(Struct, frozen=True):
    """Have a running container in its app's network."""

    ref: str
    container: ContainerSpec


class DetachNetwork(Struct, frozen=True):
    """Have a running container not in a network."""

    ref: str
    network: str


class SetLimits(Struct, frozen=True):
    """Have the kernel enforce a running container's limits."""

    ref: str
    container: ContainerSpec


class RemoveNetwork(Struct, frozen=True):
    """Have the app's own network gone."""

    name: str


# What changes a container or a network in place, without a restart.
Repair = Isolate | WriteNames | ForgetIsolation | AttachNetwork | DetachNetwork | SetLimits
Step = (
    PrepareImage
    | EnsureNetwork
    | EnsureVolume
    | EnsureSecret
    | CreateContainer
    | WriteFiles
    | StartContainer
    | DrainContainer
    | StopContainer
    | RemoveContainer
    | RemoveNetwork
    | Repair
)


class Change(Struct, frozen=True):
    """
    What will be done to one app. KEEP and HOLD have no steps.

    `pins` tells apart what was tried with other images of the same digest. `basis` says upon what
    it is done: what the app may do, who let it, who signed its images.
    """

    app: str
    action: Action
    reason: Reason
    message: str = ""
    digest: str = ""
    steps: tuple[Step, ...] = ()
    pins: str = ""
    basis: Basis = ()

    @property
    def attempt(self) -> str:
        """What failures are counted for: another digest, or another image, begins afresh."""
        return self.digest + self.pins

    @property
    def acts(self) -> bool:
        """Whether anything will be done."""
        return bool(self.steps)


class Plan(Struct, frozen=True):
    """
    One change for each known app, sorted by id.

    `look_again_at` is the earliest moment at which time alone could change the plan.
    """

    changes: tuple[Change, ...] = ()
    look_again_at: datetime | None = None

    def of(self, app: str) -> Change | None:
        """Return the change of one app."""
        return next((c for c in self.changes if c.app == app), None)


class Result(StrEnum):
    """How a change ended."""

    APPLIED = "applied"
    FAILED = "failed"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"


class Outcome(Struct, frozen=True):
    """
    A change that ended, and how. `message` is empty when it was applied.

    `made` are the names of the containers that it had made, each with its id.
    """

    change: Change
    result: Result
    message: str
    began_at: datetime
    ended_at: datetime
    steps_done: int
    made: tuple[tuple[str, str], ...] = ()
