"""
What has to be done so that everybody reaches whom he is to reach, and nobody else. Pure.

1  Nothing starts in a network of its own before its rules are in force.
2  What runs without any rules gets them, whatever else is held.
3  What runs at its present revision gets the rules of that revision, without a restart.
4  Where no rules can be had, the engine shuts each network, and nobody is connected.
"""

from msgspec.structs import replace

from reconciler.core import steps
from reconciler.core.comparison import Comparison
from reconciler.core.relations import (
    Surroundings,
    isolation_of,
    known_names,
    knows_names,
    names_of,
)
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
from reconciler.model.desired import AppSpec
from reconciler.model.isolation import Egress, IsolationSpec
from reconciler.model.observed import ContainerState

_RUNS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


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
    rules = IsolationSpec(app, network.interface, egress=Egress.NONE)
    told = "runs without rules; its manifest is not known, so it reaches nobody and has no way out"
    return Change(app, Action.ISOLATE, Reason.ISOLATION_DIFFERS, told, steps=(Isolate(rules),))


def notices(situation: Situation) -> tuple[str, ...]:
    """Say what is enforced where no rules can be had."""
    why = situation.observed.unenforceable
    if not why or not any(spec.network for spec in situation.desired.apps.values()):
        return ()
    apart = "apps are kept apart by Podman's networks alone, and none is connected to another"
    return (f"{apart}; they reach this machine and the local network: {why}",)


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
    told = [_difference(wanted, rules)] if work else []
    connected = any(knows_names(each) for each in (wanted, rules) if each)
    for seen in running if connected else ():
        names = known_names(spec, around, seen)
        if seen.state is ContainerState.RUNNING and names != (seen.names or ()):
            work.append(WriteNames(seen.ref, names))
            told = told or ["the address of a name that it knows changed"]
    if not work:
        return change
    action, reason = Action.ISOLATE, Reason.ISOLATION_DIFFERS
    return replace(
        change, action=action, reason=reason, message="; ".join(told), steps=tuple(work)
    )


def _difference(wanted: IsolationSpec, rules: IsolationSpec | None) -> str:
    if rules is None:
        return "its rules are missing"
    if rules.egress is not wanted.egress:
        return f"its way out is {wanted.egress} now"
    return "its connections changed"


def _without_rules(change: Change, spec: AppSpec, why: str) -> Change:
    """Shut the network by the engine's own means; connections cannot be had then."""
    if spec.connections and _starts(change):
        apps = ", ".join(sorted({c.app for c in spec.connections}))
        return _held(change, Reason.NOT_ENFORCEABLE, f"cannot be connected to {apps}: {why}")
    if spec.egress is not Egress.INTERNET and _starts(change):
        return _held(
            change, Reason.NOT_ENFORCEABLE, f"its way out cannot be kept to {spec.egress}: {why}"
        )
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
