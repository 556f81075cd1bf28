"""The ports of a reconciler that only looks: no hands, no voice, a memory for probes and sizes."""

from collections.abc import Mapping

from reconciler import git_parts, parts
from reconciler.clock import SystemClock
from reconciler.config import Settings
from reconciler.model.change import Change, Outcome
from reconciler.model.container import HealthCheck
from reconciler.model.health import HealthState, ProbeRecord
from reconciler.model.last_words import LogEnd
from reconciler.model.observed import ObservedContainer
from reconciler.model.status import Status
from reconciler.ports import Driver
from reconciler.reconcile import Parts, Reconciler
from reconciler.report import places
from reconciler.report.status_file import load_status
from reconciler.security.attempts import AttemptFile


class NoLanes:
    """Implements `ports.Lanes`: begins nothing."""

    def dispatch(self, change: Change) -> bool:
        """Refuse."""
        del change
        return False

    def running(self) -> Mapping[str, Change]:
        """Return nothing."""
        return {}

    def progress(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def cancel(self, app: str) -> None:
        """Do nothing: there is nothing to cancel."""

    def finished(self) -> tuple[Outcome, ...]:
        """Return nothing."""
        return ()


class RememberedProbes:
    """Implements `ports.Probes` with what the last loop found, for the same run of a container."""

    def __init__(self, status: Status | None) -> None:
        containers = [c for app in status.apps for c in app.containers] if status else []
        self._records = {
            c.id: ProbeRecord(c.id, c.started_at, c.pid, succeeded=True)
            for c in containers
            if c.health is HealthState.HEALTHY
        }

    def watch(self, targets: Mapping[str, tuple[ObservedContainer, HealthCheck]]) -> None:
        """Ask nobody."""

    def records(self) -> Mapping[str, ProbeRecord]:
        """Return who was healthy."""
        return self._records


class RememberedUsage:
    """Implements `ports.Usage` with what the last loop measured: a look does not wait for more."""

    def watch(self, targets: Mapping[str, tuple[str, ...]]) -> None:
        """Measure nothing."""

    def records(self) -> Mapping[str, int | None]:
        """Return nothing: what the status file says is kept."""
        return {}


class NoLastWords:
    """Implements `ports.LastWords`: a look does not read logs."""

    def watch(self, targets: Mapping[str, LogEnd]) -> None:
        """Read nothing."""

    def records(self) -> Mapping[str, str]:
        """Return nothing: the status of the last loop told it."""
        return {}


class NoRecorder:
    """Implements `ports.Recorder`: tells nobody."""

    def passed(self, status: Status) -> None:
        """Do nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Do nothing."""


def reader(settings: Settings, driver: Driver) -> Reconciler:
    """Return a reconciler without hands; what was probed last is taken from the status file."""
    status = load_status(places.status_path(settings.state_dir))
    clock = SystemClock()
    kept = parts.revisions(settings)
    made = Parts(
        desired=parts.desired(settings, clock, settle=0),
        catalogue=parts.catalogue(settings, clock, settle=0),
        driver=driver,
        evidence=parts.evidence(settings, clock, parts.ledger(settings), kept),
        lanes=NoLanes(),
        probes=RememberedProbes(status),
        usage=RememberedUsage(),
        last_words=NoLastWords(),
        revisions=kept,  # a look tells it nothing
        recorder=NoRecorder(),
        clock=clock,
        known_attempts=AttemptFile(places.attempts_path(settings.state_dir)).known,
        source=lambda: git_parts.at_rest(settings),
    )
    return Reconciler(made, parts.pass_settings(settings), status)
