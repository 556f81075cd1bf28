"""From counted probes to one word. Pure."""

from datetime import datetime, timedelta

from reconciler.model.container import HealthCheck
from reconciler.model.health import Health, HealthState, ProbeRecord
from reconciler.model.observed import ContainerState, ObservedContainer

_ORDER = (
    HealthState.NONE,
    HealthState.HEALTHY,
    HealthState.STARTING,
    HealthState.UNHEALTHY,
)


def assess(
    check: HealthCheck | None,
    container: ObservedContainer,
    record: ProbeRecord | None,
    now: datetime,
) -> Health:
    """
    Return the health of one container.

    Failures count only after the start period, and only in a row of `retries`; a container that
    was not asked yet in this run is starting.
    """
    if check is None or container.state is not ContainerState.RUNNING:
        return Health(HealthState.NONE)
    if record is None or (record.pid, record.started_at) != (container.pid, container.started_at):
        return Health(HealthState.STARTING, "was not probed yet")
    if record.failures == 0:
        state = HealthState.HEALTHY if record.succeeded else HealthState.STARTING
        return Health(state, record.message)
    if record.failures >= check.retries and not _in_start_period(check, container, record, now):
        return Health(HealthState.UNHEALTHY, record.message)
    state = HealthState.HEALTHY if record.succeeded else HealthState.STARTING
    return Health(state, record.message)


def worst(states: tuple[HealthState, ...]) -> HealthState:
    """Return the health of an app: that of its worst container, NONE where nothing has a check."""
    return max(states, key=_ORDER.index, default=HealthState.NONE)


def _in_start_period(
    check: HealthCheck,
    container: ObservedContainer,
    record: ProbeRecord,
    now: datetime,
) -> bool:
    """A container that was well once has started: its patience is used up."""
    if record.succeeded or container.started_at is None:
        return False
    return now < container.started_at + timedelta(seconds=check.start_period)
