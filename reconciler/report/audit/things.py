"""What is there of this instance, in the words in which entries say what they make."""

from collections.abc import Iterable
from typing import Any

from reconciler.model.observed import ObservedContainer
from reconciler.ports import Driver
from reconciler.report.audit.record import Told


def here(driver: Driver, secrets: Iterable[tuple[str, str]]) -> list[str]:
    """Return everything that has to be explained by an entry, sorted. Raises DriverError."""
    observed = driver.observe()
    found = {f"container {c.container_name}" for c in observed.containers}
    found |= {f"network {n.name}" for n in observed.networks}
    found |= {f"rules {i.app}" for i in observed.isolation}
    found |= {f"volume {v.name}" for v in driver.volumes() if v.app}
    found |= {f"secret {app}/{name}" for app, name in secrets}
    return sorted(found)


def unexplained(present: Iterable[str], entries: Iterable[dict[str, Any]]) -> list[str]:
    """Return what is there and no entry speaks of, sorted."""
    made = {str(thing) for told in entries for thing in told.get("makes", ())}
    return sorted(set(present) - made)


def impostors(
    containers: Iterable[ObservedContainer], entries: Iterable[dict[str, Any]]
) -> list[str]:
    """Return the containers that have the name of one that we made, and are not it, sorted."""
    told = Told()
    told.take(entries)
    record = told.on_record()
    return sorted(
        f"container {c.container_name}"
        for c in containers
        if record.is_another(c.container_name, c.ref)
    )
