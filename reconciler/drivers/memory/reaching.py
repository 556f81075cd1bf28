"""Whom a container reaches in a world of memory, by the rules that are in force there."""

from ipaddress import ip_address, ip_network

from reconciler.drivers.memory.things import Box
from reconciler.drivers.memory.world import World
from reconciler.model.isolation import LAN_RANGES, Egress, IsolationSpec
from reconciler.model.observed import ContainerState
from reconciler.model.trial import MACHINE, Reach, Target


def reach(world: World, box: Box, target: Target) -> Reach:
    """Return what becomes of a connection; nobody listens anywhere."""
    if (box.name, target) in world.leaks:
        return Reach.CLOSED
    if target.address.startswith("127."):
        return Reach.CLOSED
    rules = _rules(world, box)
    if target.address == MACHINE:
        return Reach.SHUT if rules else Reach.CLOSED
    other = next((b for b in world.boxes.values() if _address(b) == target.address), None)
    if other is not None:
        return _to_a_box(world, box, other, target.port)
    return _out(rules, target.address)


def _to_a_box(world: World, box: Box, other: Box, port: int) -> Reach:
    if other.state is not ContainerState.RUNNING:
        return Reach.SHUT
    own, theirs = _rules(world, box), _rules(world, other)
    if _network(box) == _network(other) or (own is None and theirs is None):
        return Reach.CLOSED
    passages = own.passages if own else ()
    interface = theirs.interface if theirs else ""
    open_ = any(p.interface == interface and p.port == port for p in passages)
    return Reach.CLOSED if open_ else Reach.SHUT


def _out(rules: IsolationSpec | None, address: str) -> Reach:
    """Beyond the machine nobody answers."""
    if rules is None:
        return Reach.SILENT
    found = ip_address(address)
    local = any(found in ip_network(each) for each in LAN_RANGES)
    allowed = rules.egress is Egress.LAN if local else found.is_global or _is_example(address)
    return Reach.SILENT if allowed and rules.egress is not Egress.NONE else Reach.SHUT


def _is_example(address: str) -> bool:
    """Addresses of documentation are public ones to the rules."""
    return address.startswith(("192.0.2.", "198.51.100.", "203.0.113."))


def _rules(world: World, box: Box) -> IsolationSpec | None:
    return world.rules.get((box.instance, box.spec.app)) if box.spec else None


def _network(box: Box) -> str:
    return (box.spec.network if box.spec else None) or ""


def _address(box: Box) -> str:
    return box.address(box.spec) if box.spec else ""
