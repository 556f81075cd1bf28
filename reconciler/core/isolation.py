"""
Who may reach whom, and what has to be done about it. Pure.

What the rules are follows from what is desired; the addresses behind the names from what runs.

1  Nothing starts in a network of its own before its rules are in force.
2  What runs without any rules gets them, whatever else is held.
3  What runs at its present revision gets the rules of that revision, without a restart.
4  Where no rules can be had, the engine shuts each network, and nobody is connected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from reconciler.core import steps
from reconciler.core.comparison import Comparison
from reconciler.core.situation import Situation
from reconciler.model.change import (
    Action,
    Change,
    EnsureNetwork,
    Isolate,
    Reason,
    StartContainer,
    Step,
    WriteNames,
)
from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec, Connection
from reconciler.model.isolation import IsolationSpec, Names, Passage
from reconciler.model.observed import ContainerState, ObservedContainer, ObservedNetwork

_RUNS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


@dataclass(frozen=True)
class Surroundings:
    """What one app's isolation needs to know of all others."""

    situation: Situation

    @cached_property
    def in_force(self) -> Mapping[str, IsolationSpec]:
        """The rules in force, by app."""
        return {i.app: i for i in self.situation.observed.isolation}

    @cached_property
    def networks(self) -> Mapping[str, ObservedNetwork]:
        """The networks that are there, by app."""
        return {n.app: n for n in self.situation.observed.networks}

    @cached_property
    def running(self) -> Mapping[tuple[str, str], ObservedContainer]:
        """The running containers that have an address, by app and name."""
        return {
            (c.app, c.container): c
            for c in self.situation.observed.containers
            if c.state is ContainerState.RUNNING and c.address
        }

    def spec(self, app: str) -> AppSpec | None:
        """Return what is desired of an app."""
        return self.situation.desired.apps.get(app)


def with_isolation(change: Change, comparison: Comparison, around: Surroundings) -> Change:
    """Return the change with what the app's isolation asks for besides."""
    cut_off = _cut_off(comparison.spec, around)
    if cut_off and _starts(change):
        return _held(change, Reason.NOT_SUPPORTED, cut_off)
    wanted = isolation_of(comparison.spec, around)
    if wanted is None:
        return change
    if around.situation.observed.unenforceable:
        return _without_rules(change, comparison.spec, around.situation.observed.unenforceable)
    if _starts(change) or change.action is Action.KEEP:
        shut = _sealed_between(wanted, around)
        if shut:
            return _rebuilt(change, comparison, shut)
    if change.acts:
        return _guarded(change, comparison.spec, wanted, around)
    return _repaired(change, comparison, wanted, around)


def unprotected(app: str, around: Surroundings) -> Change | None:
    """Return how to shut in an app that runs without rules and of which no spec is known."""
    observed, network = around.situation.observed, around.networks.get(app)
    if observed.unenforceable or network is None or app in around.in_force:
        return None
    if not network.interface or not any(c.state in _RUNS for c in observed.of(app)):
        return None
    rules = IsolationSpec(app, network.interface)
    told = "runs without rules; its manifest is not known, so it is connected to nobody"
    return Change(app, Action.ISOLATE, Reason.ISOLATION_DIFFERS, told, steps=(Isolate(rules),))


def notices(situation: Situation) -> tuple[str, ...]:
    """Say what is enforced where no rules can be had."""
    why = situation.observed.unenforceable
    if not why or not any(spec.network for spec in situation.desired.apps.values()):
        return ()
    return (
        f"apps are kept apart by Podman's networks alone, and none is connected to another: {why}",
    )


def isolation_of(spec: AppSpec, around: Surroundings) -> IsolationSpec | None:
    """Return the rules that an app is to have; None where it has no network of its own."""
    if spec.network is None:
        return None
    passages = {p for c in spec.connections for p in _passages(c, around)}
    return IsolationSpec(
        spec.id, spec.network.interface, tuple(sorted(passages, key=lambda p: p.key))
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
    its containers has a name of its own as well, before a dot.
    """
    found: dict[str, str] = {}
    for connection in spec.connections:
        target = around.spec(connection.app)
        if target is None:
            continue
        for container in target.containers:
            seen = around.running.get((connection.app, container.name))
            if seen is None:
                continue
            found[f"{container.name}.{connection.app}"] = seen.address
            if container.name == _serving(target, connection.ports):
                names = [connection.app, *([connection.asked] if connection.asked else [])]
                found |= dict.fromkeys(names, seen.address)
    return tuple(sorted(found.items()))


def _serving(target: AppSpec, ports: tuple[int, ...]) -> str:
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


def _known(spec: AppSpec, around: Surroundings, seen: ObservedContainer) -> Names:
    """What is down for a moment keeps the name that it had: it comes back where it was."""
    reached = {c.app for c in spec.connections} | {c.asked for c in spec.connections}
    kept = [
        (name, address) for name, address in seen.names or () if name.rpartition(".")[2] in reached
    ]
    return tuple(sorted({**dict(kept), **dict(names_of(spec, around))}.items()))


def _guarded(
    change: Change,
    spec: AppSpec,
    wanted: IsolationSpec,
    around: Surroundings,
) -> Change:
    """Put the rules before the first start, and tell what starts the names it will need."""
    names = names_of(spec, around)
    work: list[Step] = []
    for step in change.steps:
        if isinstance(step, StartContainer):
            if around.in_force.get(spec.id) != wanted and Isolate(wanted) not in work:
                work.append(Isolate(wanted))
            work.append(replace(step, names=names))
        else:
            work.append(step)
    return replace(change, steps=tuple(work))


def _repaired(
    change: Change,
    comparison: Comparison,
    wanted: IsolationSpec,
    around: Surroundings,
) -> Change:
    """Repair what runs; of an app that is held, only what is missing entirely."""
    spec, rules = comparison.spec, around.in_force.get(comparison.spec.id)
    running = [c for c in comparison.current.values() if c.state in _RUNS]
    anything = running or any(c.state in _RUNS for c in comparison.outdated)
    if not anything or (rules is not None and (spec.left_alone or comparison.to_create())):
        return change
    work: list[Step] = [Isolate(wanted)] if rules != wanted else []
    told = (
        ["its rules are missing" if rules is None else "its connections changed"] if work else []
    )
    connected = bool(wanted.passages or (rules and rules.passages))
    for seen in running if connected else ():
        names = _known(spec, around, seen)
        if seen.state is ContainerState.RUNNING and names != (seen.names or ()):
            work.append(WriteNames(seen.ref, names))
            told = told or ["the address of a connected app changed"]
    if not work:
        return change
    action, reason = Action.ISOLATE, Reason.ISOLATION_DIFFERS
    return replace(
        change, action=action, reason=reason, message="; ".join(told), steps=tuple(work)
    )


def _without_rules(change: Change, spec: AppSpec, why: str) -> Change:
    """Shut the network by the engine's own means; connections cannot be had then."""
    if spec.connections and _starts(change):
        apps = ", ".join(sorted({c.app for c in spec.connections}))
        return _held(change, Reason.NOT_ENFORCEABLE, f"cannot be connected to {apps}: {why}")
    return replace(change, steps=tuple(_sealed(step) for step in change.steps))


def _cut_off(spec: AppSpec, around: Surroundings) -> str:
    """Return who cannot be connected since one of both has no network of its own."""
    for connection in spec.connections:
        target = around.spec(connection.app)
        without = spec if spec.network is None else target
        if without is not None and without.network is None:
            policy = without.containers[0].network_policy
            return (
                f"cannot be connected to {connection.app}: {without.id} has no network of its own"
                f" (network_policy: {policy})"
            )
    return ""


def _starts(change: Change) -> bool:
    return any(isinstance(step, StartContainer) for step in change.steps)


def _held(change: Change, reason: Reason, message: str) -> Change:
    return replace(change, action=Action.HOLD, reason=reason, message=message, steps=())


def _sealed(step: Step) -> Step:
    if isinstance(step, EnsureNetwork):
        return EnsureNetwork(replace(step.network, sealed=True))
    return step


def _sealed_between(wanted: IsolationSpec, around: Surroundings) -> str:
    """Return an app that cannot be reached, since both networks are sealed."""
    own = around.networks.get(wanted.app)
    if own is None or not own.sealed:
        return ""
    reached = [around.networks.get(p.app) for p in wanted.passages]
    return next((n.app for n in reached if n is not None and n.sealed), "")


def _rebuilt(change: Change, comparison: Comparison, shut: str) -> Change:
    """Take down a network that no rule can open; it is made again, open to rules."""
    spec = comparison.spec
    seen = (*comparison.current.values(), *comparison.outdated)
    networks = [spec.network.name] if spec.network else []
    message = f"its network was made before there were rules, and cannot be opened to {shut}"
    return replace(
        change,
        action=Action.UPDATE,
        reason=Reason.NETWORK_SEALED,
        message=message,
        steps=steps.remove(seen, networks),
    )
