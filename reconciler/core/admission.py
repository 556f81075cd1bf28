"""
Whether an app may become what is written: approvals and the policy say it. Pure.

1  What asks for more than was approved, or breaks a rule, is not installed.
2  An update of that kind waits, and the last good revision stands in for it: what holds for a
   desired app holds for it, so what runs is repaired, and comes back after a reboot.
3  What runs was let in before. It goes on, also when that is taken back, unless the policy has it
   stopped then.
4  Connections and the way out are changed without a restart, so they are judged on their own:
   what is neither approved nor in force is left out.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core import policy
from reconciler.core.approvals import approved
from reconciler.core.decide import Decision
from reconciler.core.permissions import Permissions, permissions_of, uncovered
from reconciler.core.revisions import standing_in
from reconciler.core.situation import by_app
from reconciler.model.change import Action, Reason
from reconciler.model.desired import AppSpec, Connection, Denial, Desired
from reconciler.model.evidence import Evidence
from reconciler.model.isolation import Egress
from reconciler.model.observed import ContainerState, Observed, ObservedContainer
from reconciler.model.permission import Kind, Permission
from reconciler.model.policy import Policy, Revoked
from reconciler.model.revision import Revision

_PROCESS = frozenset({ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.ENDING})
_SAID = frozenset({Reason.IN_SYNC, Reason.PREVIOUS_KEPT, Reason.ROLLED_BACK})
_NOTHING = Observed()


class _Found(Struct, frozen=True):
    """What is known of one app besides its spec."""

    approved: Permissions
    policy: Policy
    good: Revision | None
    seen: tuple[ObservedContainer, ...]
    in_force: frozenset[tuple[str, int]]
    egress: Egress | None
    certain: bool  # every file was read, so that a word that is not there was not given


def effective(desired: Desired, evidence: Evidence, observed: Observed = _NOTHING) -> Desired:
    """Return what may run: for each app that may not be what is written, what it goes on as."""
    containers = by_app(observed)
    in_force = {
        rules.app: frozenset((p.app, p.port) for p in rules.passages)
        for rules in observed.isolation
    }
    egress = {rules.app: rules.egress for rules in observed.isolation}
    changed: dict[str, AppSpec] = {}
    for app, spec in desired.apps.items():
        found = _Found(
            approved(desired, app),
            evidence.policy,
            evidence.good.get(app),
            containers.get(app, ()),
            in_force.get(app, frozenset()),
            egress.get(app),
            desired.complete and not desired.broken_files,
        )
        judged = _judged(spec, found)
        if judged is not spec:
            changed[app] = judged
    return replace(desired, apps={**desired.apps, **changed}) if changed else desired


def told(spec: AppSpec, decision: Decision) -> Decision:
    """Return a decision about what stands in, in the words of what waits."""
    denial, change = spec.denial, decision.change
    if denial is None or not denial.stands_in:
        return decision
    if change.action is not Action.KEEP or change.reason not in _SAID:
        return decision
    held = replace(
        change, action=Action.HOLD, reason=policy.reason(denial), message=denial.message
    )
    return replace(decision, change=held)


def _judged(spec: AppSpec, found: _Found) -> AppSpec:
    missing = uncovered(policy.asked(spec, found.policy), found.approved)
    broken = policy.denials(spec, found.policy)
    if not missing and not broken:
        return spec
    good = found.good.spec if found.good else None
    if _was_let_in(spec, good, found.seen):
        return _going_on(spec, good, missing, broken, found)
    message = "; ".join([*broken, *_asks(spec, missing, good)])
    if good is None:
        return replace(
            _narrowed(spec, missing, good, found),
            denial=Denial(message, by_policy=bool(broken)),
        )
    denial = Denial(f"an update waits: {message}", by_policy=bool(broken), stands_in=True)
    running = uncovered(policy.asked(good, found.policy), found.approved)
    return replace(standing_in(spec, good), denial=_stopped(denial, running, found))


def _was_let_in(
    spec: AppSpec,
    good: AppSpec | None,
    seen: Iterable[ObservedContainer],
) -> bool:
    """
    Whether this very revision was let in before: it is the good one, or it is there entirely.

    Where another is the good one, what is there may be what ran before that: then it has to run.
    """
    if good is not None and good.digest == spec.digest:
        return True
    there = {c.container: c for c in seen if _is_of(spec, c)}
    if len(there) < len(spec.containers):
        return False
    new = [c for c in there.values() if good is None or not _is_of(good, c)]
    return good is None or any(c.state in _PROCESS for c in new)


def _is_of(spec: AppSpec, seen: ObservedContainer) -> bool:
    wanted = spec.container(seen.container)
    return wanted is not None and wanted.digest == seen.digest


def _going_on(
    spec: AppSpec,
    good: AppSpec | None,
    missing: Permissions,
    broken: tuple[str, ...],
    found: _Found,
) -> AppSpec:
    """Say what is not allowed of what runs, and leave out what it does not have yet."""
    allowed = _narrowed(spec, missing, good, found)
    new = tuple(p for p in missing if _is_left_out(p, allowed))
    old = tuple(p for p in missing if p not in new)
    told = [] if found.policy.unreadable else [f"runs, though {why}" for why in broken]
    if old:
        told.append(f"runs with what nobody approved: {_named(old)}; {_ask(spec)}")
    if new:
        told.append(f"asks for what nobody approved: {_named(new)}; {_ask(spec)}")
    if not told:
        return spec  # what cannot be read of the policy is told of the whole box
    by_policy = bool(broken) and not found.policy.unreadable
    denial = Denial("; ".join(told), by_policy, admitted=not new, stands_in=bool(new))
    return replace(allowed, denial=_stopped(denial, old, found))


def _stopped(denial: Denial, running: Permissions, found: _Found) -> Denial:
    """What runs unapproved is stopped where the policy says so, and nothing was overlooked."""
    stops = found.policy.revoked is Revoked.STOP and found.certain and bool(running)
    return replace(denial, stops=stops)


def _is_left_out(permission: Permission, allowed: AppSpec) -> bool:
    match permission.kind:
        case Kind.CONNECTION:
            there = {f"{c.app}:{port}" for c in allowed.connections for port in c.ports}
            return permission.value not in there
        case Kind.EGRESS:
            return permission.value != allowed.egress
        case _:
            return False


def _named(permissions: Permissions) -> str:
    return ", ".join(p.text for p in permissions)


def _asks(spec: AppSpec, missing: Permissions, good: AppSpec | None) -> list[str]:
    """Say what nobody approved; what is new comes first."""
    if not missing:
        return []
    before = permissions_of(good) if good else ()
    new = uncovered(missing, before)
    first = (*new, *(p for p in missing if p not in new))
    return [f"asks for what nobody approved: {_named(first)}; {_ask(spec)}"]


def _ask(spec: AppSpec) -> str:
    return f"`archipelago approve {spec.id}` shows it, and asks"


def _narrowed(
    spec: AppSpec,
    missing: Permissions,
    good: AppSpec | None,
    found: _Found,
) -> AppSpec:
    """Return the revision without what nobody approved, of what can be had or not meanwhile."""
    return replace(
        spec,
        connections=_allowed(spec, missing, good, found),
        egress=_way_out(spec, missing, good, found),
    )


def _way_out(
    spec: AppSpec,
    missing: Permissions,
    good: AppSpec | None,
    found: _Found,
) -> Egress:
    """Return the way out that is asked for, or, unapproved, the one that there was."""
    had = found.egress or (good.egress if good else None)
    asked = any(p.kind is Kind.EGRESS for p in missing)
    return (had or Egress.INTERNET) if asked else spec.egress


def _allowed(
    spec: AppSpec,
    missing: Permissions,
    good: AppSpec | None,
    found: _Found,
) -> tuple[Connection, ...]:
    """Return the connections without those that nobody approved and that are not in force."""
    denied = {p.value for p in missing if p.kind is Kind.CONNECTION}
    if not denied:
        return spec.connections
    had = {(c.app, port) for c in (good.connections if good else ()) for port in c.ports}
    had |= found.in_force
    kept = [
        replace(c, ports=tuple(p for p in c.ports if _may(c.app, p, denied, had)))
        for c in spec.connections
    ]
    return tuple(c for c in kept if c.ports)


def _may(app: str, port: int, denied: set[str], had: set[tuple[str, int]]) -> bool:
    return f"{app}:{port}" not in denied or (app, port) in had
