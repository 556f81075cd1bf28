"""What to do with apps that are here and that nobody asks for. Removal needs proof. Pure."""

from collections.abc import Mapping
from datetime import timedelta

from reconciler.core import graph, steps, suspension
from reconciler.core.situation import Situation
from reconciler.model.change import Action, Change, ForgetIsolation, Reason
from reconciler.model.observed import ObservedContainer

_BEING_MADE = timedelta(minutes=1)  # what was under way when the word was given
Containers = Mapping[str, tuple[ObservedContainer, ...]]


def decide_removals(situation: Situation, containers: Containers) -> dict[str, Change]:
    """Return the change of each app that is observed but neither desired nor broken."""
    desired = situation.desired
    known = desired.apps.keys() | desired.broken.keys()
    candidates = sorted(containers.keys() - known)
    if not desired.complete:
        reason = desired.incomplete_because
        return {a: _hold(a, Reason.SOURCE_UNREADABLE, reason) for a in candidates}
    changes = _held_by_files(situation, containers, candidates)
    changes |= _left_alone(situation, candidates)
    changes |= _required(situation, containers, changes)
    going = [app for app in candidates if app not in changes]
    changes |= _too_many(situation, containers, going)
    needed_by = graph.dependants({app: _requires(containers[app]) for app in going})
    for app in going:
        if app in changes:
            continue
        first = [a for a in needed_by.get(app, ()) if a != app]
        if first:
            message = f"is removed after {', '.join(first)}"
            changes[app] = _hold(app, Reason.DEPENDANTS_FIRST, message)
        else:
            changes[app] = _remove(situation, app, containers[app])
    return changes


def _held_by_files(
    situation: Situation,
    containers: Containers,
    candidates: list[str],
) -> dict[str, Change]:
    """An app last seen in a file that cannot be read is not absent."""
    broken = situation.desired.broken_files
    return {
        app: _hold(app, Reason.MANIFEST_INVALID, str(broken[source]))
        for app in candidates
        for source in [next((c.source for c in containers[app] if c.source in broken), None)]
        if source is not None
    }


def _left_alone(situation: Situation, candidates: list[str]) -> dict[str, Change]:
    """What the operator wants to stay as it is stays, also where nobody asks for it any more."""
    found: dict[str, Change] = {}
    for app in candidates:
        word = suspension.in_force(situation.desired, app, situation.now)
        if word is not None and word.keep_running:
            message = suspension.told(word.until, keep_running=True)
            found[app] = _hold(app, Reason.SUSPENDED, message)
    return found


def _required(
    situation: Situation,
    containers: Containers,
    held: Mapping[str, Change],
) -> dict[str, Change]:
    """What an app that stays requires stays too, and so does what that one requires."""
    requires: dict[str, set[str]] = {a: set(_requires(cs)) for a, cs in containers.items()}
    for app, spec in situation.desired.apps.items():
        # What runs may still need what its next revision does not ask for any more.
        requires.setdefault(app, set()).update(r.app for r in spec.requires if not r.optional)
    known = situation.desired.apps.keys() | situation.desired.broken.keys()
    stays = graph.closure(known | held.keys(), requires)
    needed_by = graph.dependants({app: requires.get(app, set()) for app in stays})
    return {
        app: _hold(app, Reason.REQUIRED_BY, f"is required by {', '.join(needed_by[app])}")
        for app in sorted(stays & containers.keys() - known - held.keys())
    }


def _too_many(
    situation: Situation,
    containers: Containers,
    going: list[str],
) -> dict[str, Change]:
    """Losing much at once looks like an accident, and so does an empty directory."""
    unconfirmed = [a for a in going if not _confirmed(situation, a, containers[a])]
    limit = max(situation.prune_limit, len(containers) // 3)
    empty = not situation.desired.apps and not situation.desired.broken
    if len(unconfirmed) <= limit and not empty:
        return {}
    what = "the desired state is empty" if empty else f"more than {limit} apps would go at once"
    message = f"{what}: bring the manifests back, or say `archipelago confirm removal`"
    return {app: _hold(app, Reason.MASS_REMOVAL, message) for app in unconfirmed}


def _confirmed(
    situation: Situation,
    app: str,
    containers: tuple[ObservedContainer, ...],
) -> bool:
    """A word is about what was there: an app that came back since is another matter."""
    at = situation.evidence.removal_confirmed.get(app)
    return at is not None and all(
        c.created_at is None or c.created_at <= at + _BEING_MADE for c in containers
    )


def _remove(
    situation: Situation,
    app: str,
    containers: tuple[ObservedContainer, ...],
) -> Change:
    networks = sorted(n.name for n in situation.observed.networks if n.app == app)
    work = steps.remove(containers, networks)
    if any(rules.app == app for rules in situation.observed.isolation):
        work = (*work, ForgetIsolation(app))
    return Change(app, Action.REMOVE, Reason.NOT_DESIRED, "nobody asks for it", steps=work)


def _requires(containers: tuple[ObservedContainer, ...]) -> tuple[str, ...]:
    return tuple(sorted({need for c in containers for need in c.requires}))


def _hold(app: str, reason: Reason, message: str) -> Change:
    return Change(app, Action.HOLD, reason, message)
