"""Who needs whom. Pure; every answer is sorted, so that the same question has the same answer."""

from collections.abc import Iterable, Mapping

Requires = Mapping[str, Iterable[str]]


def dependants(requires: Requires) -> dict[str, tuple[str, ...]]:
    """Return, for each app that somebody requires, who requires it directly."""
    found: dict[str, set[str]] = {}
    for app, needs in requires.items():
        for need in needs:
            found.setdefault(need, set()).add(app)
    return {app: tuple(sorted(apps)) for app, apps in found.items()}


def rings(requires: Requires) -> dict[str, tuple[str, ...]]:
    """
    Return the ring of each app that can never be ordered, as a path whose last app is its first.

    Apps that merely wait for a ring are not in the answer: their dependency is never ready.
    """
    rest = {app: {n for n in needs if n in requires} for app, needs in requires.items()}
    rest = _peel(rest)  # leaves rings and what is behind them
    reverse = {app: {a for a in who if a in rest} for app, who in dependants(rest).items()}
    inside = _peel({app: reverse.get(app, set()) for app in rest})  # leaves rings
    return {app: _ring_from(app, {a: rest[a] & inside.keys() for a in inside}) for app in inside}


def in_order(requires: Requires) -> tuple[str, ...]:
    """Return all names, what is required before what requires it; names of a ring come last."""
    rest = {app: {n for n in needs if n in requires} for app, needs in requires.items()}
    ordered: list[str] = []
    _peel(rest, ordered)
    return (*ordered, *sorted(rest.keys() - set(ordered)))


def closure(start: Iterable[str], requires: Requires) -> frozenset[str]:
    """Return the apps of `start` and all that they require, directly or not."""
    seen: set[str] = set()
    todo = list(start)
    while todo:
        app = todo.pop()
        if app not in seen:
            seen.add(app)
            todo.extend(requires.get(app, ()))
    return frozenset(seen)


def _peel(needs: dict[str, set[str]], order: list[str] | None = None) -> dict[str, set[str]]:
    """Take away, again and again, what needs nothing that is left; return what cannot be taken."""
    waiting = {app: len(n) for app, n in needs.items()}
    needed_by = dependants(needs)
    free = sorted((app for app, n in waiting.items() if n == 0), reverse=True)
    while free:
        app = free.pop()
        del waiting[app]
        if order is not None:
            order.append(app)
        for other in reversed(needed_by.get(app, ())):
            waiting[other] -= 1
            if waiting[other] == 0:
                free.append(other)
    return {app: needs[app] & waiting.keys() for app in waiting}


def _ring_from(app: str, needs: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Follow the first requirement until an app comes again; begin at its least name."""
    path: list[str] = []
    while app not in path:
        path.append(app)
        app = min(needs[app])
    ring = path[path.index(app) :]
    first = ring.index(min(ring))
    turned = ring[first:] + ring[:first]
    return (*turned, turned[0])
