"""
What is tried of an app's isolation from inside its network, and what the results say. Pure.

Tried are what must not arrive (the machine, ports of other apps, a way out that is not there) and
what must (its passages). Whoever refuses a connection was reached: nobody has to listen.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from reconciler.core.relations import Surroundings, isolation_of, serving
from reconciler.core.situation import Situation
from reconciler.model.desired import AppSpec
from reconciler.model.isolation import Egress, IsolationSpec, Passage
from reconciler.model.observed import ObservedContainer
from reconciler.model.status import BREACHED, CUT_OFF, AppStatus, ConditionType
from reconciler.model.trial import MACHINE, Attempt, Reach, Target, Trial, Tried, Wanted

NEIGHBOURS = 3  # other apps that are tried: with all of them the work would grow with the square
NO_PORT = 9  # where hardly anybody listens, and a machine that is reached says so
# Where nobody is, and what a cloud tells of its machine.
OUTSIDE, METADATA = "192.0.2.1", "169.254.169.254"

Answer = tuple[bool, str, str]


def trials(situation: Situation, neighbours: int = NEIGHBOURS) -> dict[str, Trial]:
    """Return what is to be tried now, by app: of each that runs with rules."""
    around, found = Surroundings(situation), dict[str, Trial]()
    specs = sorted((s for s in situation.desired.apps.values() if s.network), key=lambda s: s.id)
    for number, spec in enumerate(specs):
        # Those that come next by name, the first after the last: each is tried by somebody.
        others = (specs * 2)[number + 1 : number + len(specs)][:neighbours]
        trial = _trial(spec, others, around)
        if trial is not None:
            found[spec.id] = trial
    return found


class Line(Struct, frozen=True):
    """Whether somebody is to be reached by an app, and what was found; None: it was not tried."""

    app: str
    to: str
    declared: bool
    found: Reach | None = None
    fits: bool | None = None


def table(
    situation: Situation,
    tried: Mapping[str, Tried],
    only: str | None = None,
) -> tuple[Line, ...]:
    """Return what was tried of each app, or of one, and what is declared besides."""
    around = Surroundings(situation)
    lines: list[Line] = []
    for app, spec in sorted(situation.desired.apps.items()):
        wanted = isolation_of(spec, around)
        if wanted is None or only not in {None, app}:
            continue
        found = tuple(_lines(app, tried[app])) if app in tried else ()
        told = {line.to for line in found}
        open_ = (f"{p.app}:{_port(p)}" for p in wanted.passages)
        lines += found
        lines += [Line(app, to, declared=True) for to in open_ if to not in told]
    return tuple(lines)


def _lines(app: str, tried: Tried) -> Iterator[Line]:
    for attempt, reach in zip(tried.trial.attempts, tried.results, strict=True):
        if attempt.wanted is not Wanted.CONTROL:
            declared = attempt.wanted is Wanted.ARRIVES
            yield Line(app, attempt.name, declared, reach, fits(attempt.wanted, reach))


def _port(passage: Passage) -> str:
    return str(passage.port) if passage.protocol == "tcp" else f"{passage.port}/udp"


def isolated(
    spec: AppSpec,
    situation: Situation,
    trial: Trial | None,
    before: AppStatus | None,
) -> Answer:
    """Say whether it was found that an app reaches what it may, and nothing else."""
    if situation.observed.unenforceable:
        return False, "NotEnforceable", f"not enforced: {situation.observed.unenforceable}"
    tried = situation.tried.get(spec.id)
    if tried is not None and tried.trial == trial:
        return _judged(tried)
    known = before.condition(ConditionType.NETWORK_ISOLATED) if before else None
    if known is not None:
        return known.status, known.reason, known.message  # nothing says that it is otherwise now
    return False, "NotProbed", "what it reaches was not tried yet"


def fits(wanted: Wanted, reach: Reach) -> bool | None:
    """Return whether a result is as it has to be; None where it says nothing."""
    if wanted is Wanted.NOT_ARRIVES:
        return not reach.arrived
    if wanted is Wanted.SHUT:
        return None if reach is Reach.SILENT else reach is Reach.SHUT
    return reach.arrived


def _judged(tried: Tried) -> Answer:
    fine = [
        (attempt, fits(attempt.wanted, reach))
        for attempt, reach in zip(tried.trial.attempts, tried.results, strict=True)
    ]
    if any(ok is False for attempt, ok in fine if attempt.wanted is Wanted.CONTROL):
        return False, "NotKnown", "what it reaches cannot be tried: it does not even reach itself"
    cut_off = [a.name for a, ok in fine if ok is False and a.wanted is Wanted.ARRIVES]
    reached = [a.name for a, ok in fine if ok is False and a.wanted is not Wanted.ARRIVES]
    told = [
        *([f"it reaches {', '.join(reached)}, and must not"] if reached else []),
        *([f"it does not reach {', '.join(cut_off)}"] if cut_off else []),
    ]
    if told:
        return False, BREACHED if reached else CUT_OFF, "; ".join(told)
    silent = [attempt.name for attempt, ok in fine if ok is None]
    if silent:
        return False, "NotKnown", f"nobody says whether it reaches {', '.join(silent)}"
    return True, "Isolated", ""


def _trial(spec: AppSpec, others: Sequence[AppSpec], around: Surroundings) -> Trial | None:
    rules = around.in_force.get(spec.id)
    seen = next(_running(spec, around), None)
    if rules is None or seen is None:
        return None
    return Trial(seen.ref, seen.pid, rules, tuple(_attempts(rules, others, around)))


def _attempts(
    rules: IsolationSpec,
    others: Sequence[AppSpec],
    around: Surroundings,
) -> Iterator[Attempt]:
    """What has to be refused comes first: the kernel says only so often that it refuses."""
    if rules.egress is Egress.NONE:
        yield Attempt("the internet", Target(OUTSIDE, NO_PORT), Wanted.SHUT)
    if rules.egress is Egress.INTERNET:
        yield Attempt("addresses of links", Target(METADATA, 80), Wanted.SHUT)
    yield Attempt("itself", Target("127.0.0.1", NO_PORT), Wanted.CONTROL)
    yield Attempt("this machine", Target(MACHINE, NO_PORT), Wanted.NOT_ARRIVES)
    yield from _passages(rules, around)
    for other in others:
        seen = next(_running(other, around), None)
        if seen is not None:
            port = _undeclared(other, rules)
            target = Target(seen.address, port)
            yield Attempt(f"{other.id}:{port}", target, Wanted.NOT_ARRIVES)


def _passages(rules: IsolationSpec, around: Surroundings) -> Iterator[Attempt]:
    for passage in rules.passages:
        target = around.spec(passage.app)
        name = serving(target, (passage.port,)) if target is not None else ""
        seen = around.running.get((passage.app, name))
        if seen is not None and passage.protocol == "tcp":
            told = f"{passage.app}:{passage.port}"
            yield Attempt(told, Target(seen.address, passage.port), Wanted.ARRIVES)


def _running(spec: AppSpec, around: Surroundings) -> Iterator[ObservedContainer]:
    for container in spec.containers:
        seen = around.running.get((spec.id, container.name))
        if seen is not None:
            yield seen


def _undeclared(other: AppSpec, rules: IsolationSpec) -> int:
    """Return a port of another app that no passage leads to: one where it listens, if any."""
    open_ = {p.port for p in rules.passages if p.app == other.id}
    known = [c.health.port for c in other.containers if c.health is not None and c.health.port]
    known += [p.container for c in other.containers for p in c.ports]
    return next((port for port in (*known, NO_PORT) if port not in open_), NO_PORT + 1)
