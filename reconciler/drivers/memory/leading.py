"""Ports of a machine of memory that lead to containers by rules."""

from reconciler.drivers.memory.things import Box
from reconciler.drivers.memory.world import World
from reconciler.errors import DriverRejected
from reconciler.model.isolation import Lead


def check(world: World, instance: str, app: str, lead: Lead) -> None:
    """Refuse a port that somebody else has."""
    for (_, other), rules in world.rules.items():
        if other != app and rules.lead is not None and rules.lead.overlaps(lead.bind, lead.host):
            raise DriverRejected(
                f"cannot lead port {lead.host} to {app}: it leads to {other};"
                " choose another host port for one of them",
            )
    listens = (
        box.listens(lead.host)
        for box in world.boxes.values()
        if (box.instance, box.spec.app if box.spec else "") != (instance, app)
    )
    if any(listens) or (lead.host, "tcp") in world.taken_ports:
        raise DriverRejected(
            f"cannot lead port {lead.host} to {app}: it is in use; choose another host port, or"
            " stop what listens there",
        )


def answering(world: World, port: int) -> Box | None:
    """Return the running container to which a port of the machine leads by rules."""
    leads = [rules.lead for rules in world.rules.values() if rules.lead]
    lead = next((each for each in leads if each.host == port), None)
    if lead is None:
        return None
    running = (b for b in world.boxes.values() if b.pid and b.spec)
    return next((b for b in running if b.spec and b.address(b.spec) == lead.address), None)
