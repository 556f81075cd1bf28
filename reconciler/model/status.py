"""What is told: conditions of each app, and of the pass."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from reconciler.model.anomaly import Anomaly
from reconciler.model.change import Action
from reconciler.model.commit import Commit, SourceStatus
from reconciler.model.desired import Suspension
from reconciler.model.health import HealthState
from reconciler.model.origin import Problem


class ConditionType(StrEnum):
    """
    Three questions: does it serve, is work under way, does a person have to act.

    And a fourth for an app with a limit: do its volumes hold no more than that. A fifth for one
    with a network of its own: was it found that it reaches what it may, and nothing else. And one
    for an app that asks for more than every app may have: may it. And one for what runs: does the
    kernel enforce what was asked for.
    """

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    WITHIN_DISK_LIMIT = "WithinDiskLimit"
    NETWORK_ISOLATED = "NetworkIsolated"
    APPROVED = "Approved"
    CONFINED = "Confined"


DISK_LIMIT_EXCEEDED: Final = "DiskLimitExceeded"
BREACHED: Final = "Breached"  # it reaches what it must not
NOT_CONFINED: Final = "NotConfined"  # the kernel lets it do more than its manifest says
CUT_OFF: Final = "CutOff"  # it does not reach what it is connected to


class Condition(Struct, frozen=True):
    """One answer. The same problem always has the same reason and message."""

    type: ConditionType
    status: bool
    reason: str
    message: str
    last_transition: datetime


class ContainerStatus(Struct, frozen=True):
    """One container, as seen in the last pass."""

    name: str
    id: str
    image: str
    state: str
    started_at: datetime | None
    health: HealthState
    exit_code: int | None = None
    pid: int = 0
    image_digest: str = ""


class AppStatus(Struct, frozen=True):
    """
    One app. `requires` are app ids; `last_change` tells what was last done, and when.

    One that is not `requested` was installed for those in `required_by`. `disk_bytes` is what its
    volumes held when they were measured last, None where that is not known. `suspended` is the
    word of the operator that is in force. `commit` changed its files last, where that is known.
    """

    id: str
    version: str
    action: Action
    reason: str
    message: str
    conditions: tuple[Condition, ...]
    digest: str
    health: HealthState
    containers: tuple[ContainerStatus, ...]
    requires: tuple[str, ...]
    last_change: str = ""
    last_change_at: datetime | None = None
    manifest_changed_at: datetime | None = None
    requested: bool = True
    required_by: tuple[str, ...] = ()
    disk_bytes: int | None = None
    disk_limit: int | None = None
    suspended: Suspension | None = None
    commit: Commit | None = None

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return the condition of that type."""
        return next((c for c in self.conditions if c.type is kind), None)

    @property
    def ready(self) -> bool:
        """Whether the app serves."""
        condition = self.condition(ConditionType.READY)
        return condition is not None and condition.status

    @property
    def over_disk_limit(self) -> bool:
        """Whether its volumes are known to hold more than they may."""
        condition = self.condition(ConditionType.WITHIN_DISK_LIMIT)
        return condition is not None and condition.reason == DISK_LIMIT_EXCEEDED

    @property
    def leaks(self) -> str:
        """What it was found to reach against its rules, or not to reach, in words; empty: fine."""
        condition = self.condition(ConditionType.NETWORK_ISOLATED)
        found = condition is not None and condition.reason in {BREACHED, CUT_OFF}
        return condition.message if condition is not None and found else ""

    @property
    def loose(self) -> str:
        """What the kernel lets it do beyond its manifest, in words; empty: nothing, or unknown."""
        condition = self.condition(ConditionType.CONFINED)
        found = condition is not None and condition.reason == NOT_CONFINED
        return condition.message if condition is not None and found else ""


class PassStatus(Struct, frozen=True):
    """One pass. Durations are seconds; `error` is empty when it could look and plan."""

    number: int
    duration_seconds: float
    finished_at: datetime
    error: str = ""


class Status(Struct, frozen=True):
    """All that `archipelago status` tells."""

    apps: tuple[AppStatus, ...]
    last_pass: PassStatus
    problems: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()
    lanes_busy: int = 0
    source: SourceStatus | None = None
    anomalies: tuple[Anomaly, ...] = ()

    def of(self, app: str) -> AppStatus | None:
        """Return the status of one app."""
        return next((a for a in self.apps if a.id == app), None)
