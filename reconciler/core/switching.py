"""
Which of two revisions serves while both run, and when the one before may go. Pure.

Of an app whose port leads where our rules say, the new revision is started beside the one before.
The port leads to it once it is well; only then the one before is stopped. The rules in force say
who served until now, so whoever comes after a crash goes on from there.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from reconciler.core.comparison import Comparison
from reconciler.model.change import DrainContainer, Step, StopContainer
from reconciler.model.desired import AppSpec
from reconciler.model.health import HealthState
from reconciler.model.isolation import IsolationSpec
from reconciler.model.observed import ContainerState, ObservedContainer

_ALIVE = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})
_ENDED = frozenset({ContainerState.ENDING, ContainerState.EXITED})


def hands_over(spec: AppSpec) -> bool:
    """Whether a new revision of an app runs beside the one before until it takes over."""
    return any(container.led for container in spec.containers)


def leading(comparison: Comparison, rules: IsolationSpec | None) -> Comparison:
    """Return a comparison with where the app's port leads by the rules in force."""
    lead = rules.lead if rules else None
    return replace(comparison, leads_to=lead.ref) if lead else comparison


def serving(comparison: Comparison) -> ObservedContainer | None:
    """
    Return the container to which the port is to lead now; None where none could serve.

    The desired one, once it is well. Until then the one that served, unless that is found to be
    unwell, or is gone, and another runs.
    """
    others = [c for c in comparison.outdated if _runs(c)]
    alone = not others and fallen(comparison) is None
    for seen in comparison.current.values():
        served = seen.ref == comparison.leads_to
        state = comparison.health[seen.container].state
        well = comparison.good(seen.container) or (served and state is not HealthState.UNHEALTHY)
        if _runs(seen) and (well or alone):
            return seen
    return min(others, key=lambda c: c.ref != comparison.leads_to, default=None)


def stands_in(comparison: Comparison) -> ObservedContainer | None:
    """Return the one before, while it serves in the place of the desired one."""
    found = serving(comparison) if hands_over(comparison.spec) else None
    return found if found in comparison.outdated else None


def went_on(comparison: Comparison, name: str) -> bool:
    """Whether a revision that stands in again had served all the time, as far as is known."""
    seen = comparison.current.get(name)
    return (
        bool(comparison.spec.rolled_back)
        and seen is not None
        and seen.ref == comparison.leads_to
        and comparison.health[name].state is HealthState.STARTING
    )


def taken_over(comparison: Comparison) -> bool:
    """Whether the port leads to the desired revision, which is well."""
    return any(c.ref == comparison.leads_to for c in comparison.current.values())


def reached(comparison: Comparison) -> bool:
    """Whether the port leads to somebody; one before may be reached by the engine's own means."""
    running = [c for c in (*comparison.current.values(), *comparison.outdated) if _runs(c)]
    return any(c.ref == comparison.leads_to or c in comparison.outdated for c in running)


def before(comparison: Comparison) -> tuple[ObservedContainer, ...]:
    """Return what still runs of revisions that are not desired any more."""
    return tuple(c for c in comparison.outdated if c.state in _ALIVE)


def idle(comparison: Comparison) -> tuple[ObservedContainer, ...]:
    """Return those of them that nobody needs until the desired one is well."""
    needed = serving(comparison)
    return tuple(c for c in before(comparison) if c != needed)


def fallen(comparison: Comparison) -> ObservedContainer | None:
    """Return the one before, where it served and ended before the desired one was well."""
    if comparison.spec.rolled_back or not hands_over(comparison.spec) or comparison.ready():
        return None
    ended = (c for c in comparison.outdated if c.state in _ENDED)
    return next((c for c in ended if c.ref == comparison.leads_to), None)


def let_go(containers: Iterable[ObservedContainer]) -> tuple[Step, ...]:
    """Return the steps that stop containers once nobody is connected to them any more."""
    return tuple(
        kind(seen.ref, seen.stop_grace_period)
        for seen in containers
        for kind in (DrainContainer, StopContainer)
    )


def _runs(seen: ObservedContainer) -> bool:
    return seen.state is ContainerState.RUNNING and bool(seen.address)
