"""Where the ports of apps lead that hand over from one revision to the next. Pure."""

from msgspec.structs import replace

from reconciler.core.comparison import Comparison
from reconciler.core.relations import Surroundings
from reconciler.core.revisions import belongs
from reconciler.core.switching import hands_over, serving
from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec
from reconciler.model.isolation import Lead
from reconciler.model.observed import ObservedContainer


def lead_of(comparison: Comparison, around: Surroundings) -> Lead | None:
    """
    Return where an app's port is to lead; None where it is not led.

    Each revision is reached at the port that it asked for. What is not known of one is as it was:
    nobody is published anew at an address that he may not have been allowed. While nobody serves
    for a moment, the port waits for who comes back.
    """
    if not comparison.outdated and not hands_over(comparison.spec):
        return None
    rules = around.in_force.get(comparison.spec.id)
    held, seen = rules.lead if rules else None, serving(comparison)
    if seen is None:
        known = {c.ref for c in (*comparison.current.values(), *comparison.outdated)}
        return held if held is not None and held.ref in known else None
    wanted = _made_as(comparison, seen, around)
    if wanted is None:
        kept = held is not None and held.ref == seen.ref
        return replace(held, address=seen.address) if held is not None and kept else None
    if not wanted.led:
        return None
    port = wanted.ports[0]
    return Lead(seen.ref, port.bind, port.host, seen.address, port.container)


def _made_as(
    comparison: Comparison, seen: ObservedContainer, around: Surroundings
) -> ContainerSpec | None:
    if seen in comparison.current.values():
        return comparison.spec.container(seen.container)
    good = around.situation.evidence.good.get(comparison.spec.id)
    return good.spec.container(seen.container) if good and belongs(good, seen) else None


def taken(spec: AppSpec, around: Surroundings) -> str:
    """
    Return who has a port that an app asks for; empty where nobody has.

    An engine would not say so: nobody listens at a port that is led by rules.
    """
    ports = [p for c in spec.containers for p in c.ports if p.protocol == "tcp"]
    for app, lead in around.leads.items():
        port = next((p for p in ports if lead.overlaps(p.bind, p.host)), None)
        if port is not None and app != spec.id:
            return (
                f"cannot start: port {port.host} of this machine leads to {app};"
                " choose another host port"
            )
    return ""
