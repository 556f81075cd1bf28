"""
Every metric there is: names, help, labels and the values that labels may have.

A family whose label values are known begins at zero for each, so that "none" and "not measured"
look different. For readers: docs/metrics.md.
"""

from enum import StrEnum
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from reconciler.model.anomaly import AnomalyKind
from reconciler.model.change import (
    Action,
    CreateContainer,
    EnsureNetwork,
    EnsureVolume,
    PrepareImage,
    Reason,
    RemoveContainer,
    RemoveNetwork,
    Result,
    StartContainer,
    StopContainer,
)
from reconciler.model.status import ConditionType

OTHER: Final = "other"
STEPS: Final = tuple(
    step.__name__
    for step in (
        PrepareImage,
        EnsureNetwork,
        EnsureVolume,
        CreateContainer,
        StartContainer,
        StopContainer,
        RemoveContainer,
        RemoveNetwork,
    )
)
DRIFT: Final = (
    Reason.NOT_RUNNING,
    Reason.PROCESS_LOST,
    Reason.UNHEALTHY,
    Reason.INCOMPLETE,
    Reason.NETWORK_MISSING,
    Reason.ISOLATION_DIFFERS,
    Reason.DRIFTED,
)
CALLS: Final = (
    "build_image",
    "create_container",
    "create_exec",
    "create_network",
    "create_volume",
    "inspect_container",
    "inspect_exec",
    "inspect_network",
    "inspect_volume",
    "list_containers",
    "list_networks",
    "list_volumes",
    "look_for_image",
    "open_events",
    "pull_image",
    "read_log",
    "remove_container",
    "remove_network",
    "remove_volume",
    "start_container",
    "start_exec",
    "stop_container",
    "unpause_container",
    OTHER,
)
_MILLISECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_MINUTES: Final = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)


class Outcomes(StrEnum):
    """How a pass ended: it could look and plan, or it could not."""

    OK = "ok"
    BLIND = "blind"


class Families:
    """All metric families, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._of_passes()
        self._of_apps()
        self._of_changes()
        self._of_the_engine()

    def _of_passes(self) -> None:
        self.build = self._gauge("build_info", "The running version; always 1.", "version")
        self.pass_duration = self._histogram(
            "pass_duration_seconds",
            "How long passes took.",
            _MILLISECONDS,
        )
        self.passes = self._counter("passes", "Passes, by how they ended.", "outcome")
        self.plan_actions = self._gauge(
            "plan_actions",
            "Apps in the newest plan, by action.",
            "action",
        )
        self.problems = self._gauge("problems", "Things in files that a person has to mend.")
        self.anomalies = self._gauge(
            "anomalies",
            "Things that are not as on an ordinary day, by kind.",
            "kind",
        )
        self.lanes = self._gauge("lanes_busy", "Apps with a change under way.")
        self.watch = self._gauge(
            "watch_inotify",
            "Whether the kernel tells of changed files (1) or folders are polled (0).",
        )
        self.audit_entries = self._gauge("audit_entries", "Entries of the audit log.")
        self.audit_writable = self._gauge(
            "audit_writable",
            "Whether the audit log can be written (1), or nothing is changed since it cannot (0).",
        )
        self.source = self._gauge(
            "source_info",
            "The commit that is in force, of a git source; always 1.",
            "ref",
            "commit",
        )
        self.app_commit = self._gauge(
            "app_commit_info",
            "The commit that changed the files of an app last; always 1.",
            "app",
            "commit",
        )
        self.source_held = self._gauge(
            "source_held",
            "Whether the newest commit of a git source is not in force, and why is told.",
        )
        _begin(self.passes, tuple(Outcomes))
        _begin(self.plan_actions, tuple(Action))
        _begin(self.anomalies, tuple(AnomalyKind))

    def _of_apps(self) -> None:
        self.apps = self._gauge(
            "apps",
            "Apps by condition and whether it is true.",
            "condition",
            "status",
        )
        self.app_info = self._gauge(
            "app_info",
            "What each app is; always 1.",
            *("app", "version", "image", "digest"),
        )
        self.app_ready = self._gauge("app_ready", "Whether the app serves.", "app")
        self.app_health = self._gauge(
            "app_health",
            "The health of each app: 1 for the state that it is in.",
            *("app", "state"),
        )
        self.app_disk = self._gauge(
            "app_disk_bytes",
            "What the volumes of each app held when they were measured last.",
            "app",
        )
        self.app_disk_limit = self._gauge(
            "app_disk_limit_bytes",
            "What the volumes of each app may hold together.",
            "app",
        )
        _begin(self.apps, tuple(ConditionType), ("true", "false"))

    def _of_changes(self) -> None:
        self.changes = self._counter(
            "changes",
            "Changes that ended, by action and result.",
            *("action", "result"),
        )
        self.retries = self._counter("retries", "Steps that were repeated, by step.", "step")
        self.drift = self._counter(
            "drift_repaired",
            "Repairs of what nobody had edited, by what was wrong.",
            "reason",
        )
        self.violations = self._counter(
            "seccomp_violations",
            "Calls that a filter refused and the kernel logged.",
            "app",
        )
        self.rollbacks = self._counter("rollbacks", "Updates that failed and were rolled back.")
        self.change_to_ready = self._histogram(
            "change_to_ready_seconds",
            "From a file's change until what it asks for serves.",
            _MINUTES,
        )
        acting = [a for a in Action if a not in {Action.KEEP, Action.HOLD}]
        _begin(self.changes, tuple(acting), tuple(Result))
        _begin(self.retries, STEPS)
        _begin(self.drift, DRIFT)

    def _of_the_engine(self) -> None:
        self.calls = self._histogram(
            "podman_call_duration_seconds",
            "How long calls of Podman's API took, by call.",
            _MILLISECONDS,
            "call",
        )
        self.call_errors = self._counter(
            "podman_call_errors",
            "Calls of Podman's API that went wrong, by call.",
            "call",
        )
        _begin(self.calls, CALLS)
        _begin(self.call_errors, CALLS)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"archipelago_{name}", text, labels, registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"archipelago_{name}", text, labels, registry=self._registry)

    def _histogram(
        self,
        name: str,
        text: str,
        buckets: tuple[float, ...],
        *labels: str,
    ) -> Histogram:
        full = f"archipelago_{name}"
        return Histogram(full, text, labels, buckets=buckets, registry=self._registry)


def _begin(family: MetricWrapperBase, *values: tuple[str, ...]) -> None:
    """Have a series, at zero, for each combination of label values."""
    for labels in product(*values):
        family.labels(*labels)
