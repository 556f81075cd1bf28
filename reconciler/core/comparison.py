"""One app, as it should be beside as it is. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core import graph, pins
from reconciler.core.health import assess
from reconciler.model.change import Reason
from reconciler.model.container import ContainerSpec, Restart, StartCondition
from reconciler.model.desired import AppSpec
from reconciler.model.health import Health, HealthState, ProbeRecord
from reconciler.model.observed import ContainerState, ObservedContainer

_NOTHING: pins.Pins = {}
_UNUSABLE = frozenset({ContainerState.LOST, ContainerState.BROKEN})


class Comparison(Struct, frozen=True):
    """
    What differs.

    `current` are containers of the desired digest and image, by container name; `outdated` are all
    others;
    `health` is by container name, of the current ones. `retried_at` is when the operator asked for
    another try.
    """

    spec: AppSpec
    current: Mapping[str, ObservedContainer]
    outdated: tuple[ObservedContainer, ...]
    health: Mapping[str, Health]
    network_missing: bool
    retried_at: datetime | None = None

    def to_create(self) -> tuple[ContainerSpec, ...]:
        """Return what is missing or beyond use, in file order."""
        return tuple(
            c
            for c in self.spec.containers
            if c.name not in self.current or self.current[c.name].state in _UNUSABLE
        )

    def beyond_use(self) -> tuple[ObservedContainer, ...]:
        """Return current containers that only removal helps."""
        return tuple(c for c in self.current.values() if c.state in _UNUSABLE)

    def runs(self, name: str) -> bool:
        """Whether the current container of that name runs."""
        return name in self.current and self.current[name].state is ContainerState.RUNNING

    def completed(self, name: str) -> bool:
        """Whether the current container of that name is a job that ended well."""
        spec, seen = self.spec.container(name), self.current.get(name)
        return spec is not None and seen is not None and is_completed(spec, seen)

    def good(self, name: str) -> bool:
        """Whether the current container of that name does what it is for."""
        if self.completed(name):
            return True
        return self.runs(name) and self.health[name].state in {
            HealthState.NONE,
            HealthState.HEALTHY,
        }

    def ready(self) -> bool:
        """Whether the app serves, at the desired digest."""
        return all(self.good(c.name) for c in self.spec.containers)

    def unhealthy(self) -> tuple[ObservedContainer, ...]:
        """Return current containers that run and are not well."""
        return tuple(
            self.current[name]
            for name, health in self.health.items()
            if health.state is HealthState.UNHEALTHY
        )

    def outdated_because(self) -> Reason:
        """Say whether what is written is another, or only what its images are to mean."""
        wanted = {c.name: c.digest for c in self.spec.containers}
        same = all(wanted.get(c.container) == c.digest for c in self.outdated)
        return Reason.IMAGE_CHANGED if same else Reason.DIGEST_CHANGED

    def pins(self) -> str:
        """Return, for telling attempts apart, what its images are pinned to."""
        return "".join(f"+{c.pin}" for c in self.spec.containers if c.pin)

    def failed_jobs(self) -> tuple[ObservedContainer, ...]:
        """Return jobs that ended badly and are not to be started again."""
        return tuple(
            self.current[c.name]
            for c in self.spec.containers
            if c.restart is Restart.NO
            and c.name in self.current
            and self.current[c.name].state is ContainerState.EXITED
            and not self.completed(c.name)
            and not self._asked_again(self.current[c.name])
        )

    def _asked_again(self, seen: ObservedContainer) -> bool:
        at, ended = self.retried_at, seen.finished_at
        return at is not None and ended is not None and ended < at

    def startable(self) -> tuple[tuple[ContainerSpec, ...], tuple[str, ...]]:
        """
        Return which containers should be started now, in order, and what the others wait for.

        What is about to be created counts as not running; what is about to be started counts as
        started.
        """
        will_run = {c.name for c in self.spec.containers if self.runs(c.name)}
        ended_for_good = {self_.container for self_ in self.failed_jobs()}
        start: list[ContainerSpec] = []
        waits: list[str] = []
        for container in in_start_order(self.spec):
            name = container.name
            if name in will_run or name in ended_for_good or self.completed(name):
                continue
            unmet = [
                f"{name} waits for {other} to be {condition}"
                for other, condition in container.depends_on
                if not self._met(other, condition, will_run)
            ]
            if unmet:
                waits.extend(unmet)
                continue
            start.append(container)
            will_run.add(name)
        return tuple(start), tuple(waits)

    def _met(self, other: str, condition: StartCondition, will_run: set[str]) -> bool:
        match condition:
            case StartCondition.STARTED:
                return other in will_run or self.completed(other)
            case StartCondition.HEALTHY:
                return self.good(other)
            case StartCondition.COMPLETED:
                return self.completed(other)
            case _:
                assert_never(condition)


def compare(
    spec: AppSpec,
    containers: tuple[ObservedContainer, ...],
    networks: frozenset[str],
    probes: Mapping[str, ProbeRecord],
    now: datetime,
    ledger: pins.Pins = _NOTHING,
) -> Comparison:
    """Set one app's containers beside its spec; `networks` are the names of all of ours."""
    spec = pins.pinned(spec, containers, ledger)
    current: dict[str, ObservedContainer] = {}
    outdated: list[ObservedContainer] = []
    for seen in sorted(containers, key=_best_first):
        wanted = spec.container(seen.container)
        same = wanted and wanted.digest == seen.digest and pins.runs_pinned(wanted, seen)
        if same and seen.container not in current:
            current[seen.container] = seen
        else:
            outdated.append(seen)
    health = {
        name: assess(_spec(spec, name).health, seen, probes.get(seen.ref), now)
        for name, seen in current.items()
    }
    network_missing = spec.network is not None and spec.network.name not in networks
    return Comparison(spec, current, tuple(outdated), health, network_missing)


def asked_again(comparison: Comparison, at: datetime | None) -> Comparison:
    """Return it with when the operator asked for another try."""
    return comparison if at is None else replace(comparison, retried_at=at)


def is_completed(spec: ContainerSpec, seen: ObservedContainer) -> bool:
    """Whether a container ended as it was meant to."""
    return spec.is_job and seen.state is ContainerState.EXITED and seen.exit_code == 0


def in_start_order(spec: AppSpec) -> tuple[ContainerSpec, ...]:
    """Return the containers, what is waited for before what waits."""
    needs = {c.name: [other for other, _ in c.depends_on] for c in spec.containers}
    return tuple(_spec(spec, name) for name in graph.in_order(needs))


def _spec(spec: AppSpec, name: str) -> ContainerSpec:
    return next(c for c in spec.containers if c.name == name)


def _best_first(seen: ObservedContainer) -> tuple[bool, str]:
    """If somebody doubled a container, the one that runs is the one."""
    return (seen.state is not ContainerState.RUNNING, seen.container_name)
