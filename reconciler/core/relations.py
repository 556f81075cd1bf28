"""
Who is to reach whom, and by which names. Pure.

What the rules are follows from what is desired; the addresses behind the names from what runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from reconciler.core.situation import Situation
from reconciler.core.switching import hands_over
from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec, Connection
from reconciler.model.isolation import Egress, IsolationSpec, Lead, Names, Passage
from reconciler.model.observed import ContainerState, ObservedContainer, ObservedNetwork


@dataclass(frozen=True)
class Surroundings:
    """What one app's isolation needs to know of all others."""

    situation: Situation

    @cached_property
    def in_force(self) -> Mapping[str, IsolationSpec]:
        """The rules in force, by app."""
        return {i.app: i for i in self.situation.observed.isolation}

    @cached_property
    def leads(self) -> Mapping[str, Lead]:
        """Where ports of the machine lead, by the app that has them."""
        return {app: rules.lead for app, rules in self.in_force.items() if rules.lead}

    @cached_property
    def networks(self) -> Mapping[str, ObservedNetwork]:
        """The networks that are there, by app."""
        return {n.app: n for n in self.situation.observed.networks}

    @cached_property
    def running(self) -> Mapping[tuple[str, str], ObservedContainer]:
        """The running containers that have an address, by app and name; of two who serves."""
        found: dict[tuple[str, str], ObservedContainer] = {}
        for seen in self.situation.observed.containers:
            if seen.state is ContainerState.RUNNING and seen.address:
                key = (seen.app, seen.container)
                other = found.get(key)
                found[key] = seen if other is None else self._served_by(seen, other)
        return found

    def _served_by(self, seen: ObservedContainer, other: ObservedContainer) -> ObservedContainer:
        """The one to which the port leads; as long as it leads to none, who was there first."""
        lead, spec = self.leads.get(seen.app), self.spec(seen.app)
        if lead is not None:
            return other if other.ref == lead.ref else seen
        if spec is not None and hands_over(spec):
            return min(seen, other, key=lambda c: c.process_start)
        return seen

    def spec(self, app: str) -> AppSpec | None:
        """Return what is desired of an app."""
        return self.situation.desired.apps.get(app)


def isolation_of(spec: AppSpec, around: Surroundings) -> IsolationSpec | None:
    """Return the rules that an app is to have; None where it has no network of its own."""
    if spec.network is None:
        return None
    passages = {p for c in spec.connections for p in _passages(c, around)}
    return IsolationSpec(
        spec.id,
        spec.network.interface,
        tuple(sorted(passages, key=lambda p: p.key)),
        spec.egress,
    )


def _passages(connection: Connection, around: Surroundings) -> Iterator[Passage]:
    """An app that is not there has no network to reach; it is looked for in each pass."""
    target, network = around.spec(connection.app), around.networks.get(connection.app)
    if target is not None and target.network is not None:
        interface = target.network.interface
    elif target is None and network is not None:
        interface = network.interface
    else:
        return
    for port in connection.ports:
        published = [p for c in target.containers for p in c.ports] if target else []
        protocols = {p.protocol for p in published if p.container == port} or {"tcp"}
        for protocol in protocols:
            yield Passage(connection.app, interface, port, protocol)


def names_of(spec: AppSpec, around: Surroundings) -> Names:
    """
    Return the names by which an app knows those that it may reach, as far as they run.

    An app's name stands for the container with the first of the ports that are reached; each of
    its containers has a name of its own as well, before a dot. Where nobody may be asked for
    names, those of its own containers are told as well.
    """
    found = _own_names(spec, around) if spec.egress is Egress.NONE else {}
    for connection in spec.connections:
        target = around.spec(connection.app)
        if target is None:
            continue
        for container in target.containers:
            seen = around.running.get((connection.app, container.name))
            if seen is None:
                continue
            found[f"{container.name}.{connection.app}"] = seen.address
            if container.name == serving(target, connection.ports):
                names = [connection.app, *([connection.asked] if connection.asked else [])]
                found |= dict.fromkeys(names, seen.address)
    return tuple(sorted(found.items()))


def _own_names(spec: AppSpec, around: Surroundings) -> dict[str, str]:
    """Return what the name server of an app's network would answer; one address for a name."""
    found: dict[str, str] = {}
    for container in spec.containers:
        seen = around.running.get((spec.id, container.name))
        if seen is not None:
            for name in _aliases(container):
                found.setdefault(name, seen.address)
    return found


def _aliases(container: ContainerSpec) -> tuple[str, ...]:
    return (container.name, *filter(None, (container.hostname,)), *container.aliases)


def serving(target: AppSpec, ports: tuple[int, ...]) -> str:
    """Return the container that is meant by an app's name."""
    for port in ports:
        for container in target.containers:
            if _serves(container, port):
                return container.name
    main = target.container("main")
    return main.name if main else target.containers[0].name


def _serves(container: ContainerSpec, port: int) -> bool:
    checked = container.health is not None and container.health.port == port
    return checked or any(p.container == port for p in container.ports)


def known_names(spec: AppSpec, around: Surroundings, seen: ObservedContainer) -> Names:
    """What is down for a moment keeps the name that it had: it comes back where it was."""
    reached = {c.app for c in spec.connections} | {c.asked for c in spec.connections}
    own = {n for c in spec.containers for n in _aliases(c)} if spec.egress is Egress.NONE else ()
    kept = [
        (name, address)
        for name, address in seen.names or ()
        if name.rpartition(".")[2] in reached or name in own
    ]
    return tuple(sorted({**dict(kept), **dict(names_of(spec, around))}.items()))


def knows_names(rules: IsolationSpec) -> bool:
    """Whether what these rules are for has to be told names, rather than ask for them."""
    return bool(rules.passages) or rules.egress is Egress.NONE
