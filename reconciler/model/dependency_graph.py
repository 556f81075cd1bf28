"""Who needs whom, as a value that can be shown. Everything is sorted."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from reconciler.model.desired import AppSpec, Desired


class Need(Struct, frozen=True):
    """One arrow: what an app needs, how much, and what is wrong with it (may be empty)."""

    app: str
    optional: bool
    unmet: str
    ports: tuple[int, ...] = ()

    def label(self) -> str:
        """Return it in a few words."""
        reached = f"reached on {', '.join(map(str, self.ports))}" if self.ports else ""
        marks = [mark for mark in ("optional" * self.optional, reached, self.unmet) if mark]
        return f"{self.app} ({'; '.join(marks)})" if marks else self.app


class DependencyGraph(Struct, frozen=True):
    """All desired apps; `broken` ones are wanted, but nobody knows what they need."""

    apps: Mapping[str, AppSpec]
    broken: tuple[str, ...]

    def needs(self, app: str) -> tuple[Need, ...]:
        """Return what an app needs, sorted; an optional one only where it is there."""
        spec = self.apps.get(app)
        found = [
            Need(r.app, r.optional, r.unmet, self._ports(app, r.app))
            for r in (spec.requires if spec else ())
            if not r.optional or r.app in self.apps or r.app in self.broken
        ]
        return tuple(sorted(found, key=lambda need: need.app))

    def reaches(self, app: str) -> tuple[Need, ...]:
        """Return what an app reaches without needing it, sorted."""
        spec = self.apps.get(app)
        needed = {need.app for need in self.needs(app)}
        found = {c.app for c in (spec.connections if spec else ())} - needed
        return tuple(Need(other, False, "", self._ports(app, other)) for other in sorted(found))

    def _ports(self, app: str, other: str) -> tuple[int, ...]:
        spec = self.apps.get(app)
        connections = spec.connections if spec else ()
        return tuple(sorted({p for c in connections if c.app == other for p in c.ports}))

    def roots(self) -> tuple[str, ...]:
        """Return the apps to begin with: what nobody needs, and one of each ring."""
        needed = {need.app for app in self.apps for need in self.needs(app)}
        roots = [app for app in sorted({*self.apps, *self.broken}) if app not in needed]
        seen = set[str]()
        for root in roots:
            self._reach(root, seen)
        for app in sorted(self.apps):
            if app not in seen:
                roots.append(app)
                self._reach(app, seen)
        return tuple(roots)

    def _reach(self, app: str, seen: set[str]) -> None:
        todo = [app]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo.extend(need.app for need in self.needs(one))

    def label(self, app: str) -> str:
        """Return an app with its version and what is to be said of it."""
        spec = self.apps.get(app)
        version = f" {spec.version}" if spec and spec.version else ""
        return f"{app}{version}{self.mark(app)}"

    def mark(self, app: str) -> str:
        """Return what is to be said of an app, with a blank in front, or nothing."""
        if app in self.broken:
            return " [its manifest is broken]"
        spec = self.apps.get(app)
        if spec is None:
            return " [not there]"
        return "" if spec.requested else " [installed as a dependency]"

    def document(self) -> dict[str, Any]:
        """Return it as `graph --output json` prints it."""
        return {
            "apps": [
                {"id": app, "version": spec.version, "requested": spec.requested}
                for app, spec in sorted(self.apps.items())
            ],
            "broken": list(self.broken),
            "needs": [
                {"from": app, "to": need.app, "optional": need.optional, "unmet": need.unmet}
                for app in sorted(self.apps)
                for need in self.needs(app)
            ],
            "connections": [
                {"from": app, "to": other.app, "ports": list(other.ports)}
                for app in sorted(self.apps)
                for other in (*self.needs(app), *self.reaches(app))
                if other.ports
            ],
        }


def graph_of(desired: Desired) -> DependencyGraph:
    """Return the graph of what is desired."""
    return DependencyGraph(dict(desired.apps), tuple(sorted(desired.broken)))


def dot(graph: DependencyGraph) -> str:
    """Return it in Graphviz's language."""
    lines = ["digraph apps {", "  rankdir=LR;", "  node [shape=box, fontname=sans];"]
    reached = {other.app for app in graph.apps for other in graph.reaches(app)}
    for app in sorted({*graph.apps, *graph.broken, *reached}):
        spec = graph.apps.get(app)
        style = "dashed" if spec and not spec.requested else ""
        style = "filled" if app in graph.broken else style
        given = f", style={style}" if style else ""
        lines.append(f'  "{app}" [label="{graph.label(app)}"{given}];')
    for app in sorted(graph.apps):
        for need in graph.needs(app):
            style = " [style=dotted]" if need.optional else ""
            colour = " [color=red]" if need.unmet else style
            lines.append(f'  "{app}" -> "{need.app}"{colour};')
        for other in (*graph.needs(app), *graph.reaches(app)):
            if other.ports:
                ports = ", ".join(map(str, other.ports))
                lines.append(f'  "{app}" -> "{other.app}" [label="{ports}", color=blue];')
    return "\n".join([*lines, "}"])
