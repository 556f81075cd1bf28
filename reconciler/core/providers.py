"""
Who stands in for each dependency, and what has to be installed for it. Pure.

1  What is wanted goes first: an app of that id, then one that provides the name.
2  Then the catalogue: the app of that id, then the only one that provides the name, then the one
   that says it is the default. Where there are several and no default, a person has to choose.
3  What is taken from the catalogue may need more, until nothing is missing that can be had.
"""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.desired import Requirement
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.dependencies import DependencyManifest
from reconciler.model.version_range import admits

Manifests = Mapping[str, AppManifest]


class Needs(Struct, frozen=True):
    """
    What the wanted apps need.

    `more` are apps of the catalogue that have to be there too; `found` tells for each app, by the
    name it asks for, who stands in; `requirements` the same with what is wrong about it.
    """

    more: Manifests
    found: Mapping[str, Mapping[str, str]]
    requirements: Mapping[str, tuple[Requirement, ...]]


class _Box(Struct, frozen=True):
    """The apps that will be there, and which of them provide which names."""

    apps: Manifests
    wanted: Manifests
    taken: Collection[str]
    provide: Mapping[str, tuple[str, ...]]

    def provider(self, name: str) -> str | None:
        """Return who stands in for a name."""
        if name in self.apps or name in self.taken:
            return name
        providers = self.provide.get(name, ())
        requested = [app for app in providers if app in self.wanted]
        return next(iter(requested or providers), None)


def needs_of(wanted: Manifests, known: Manifests, taken: Collection[str]) -> Needs:
    """Return what is needed; `taken` are wanted too, but of these no manifest can be used now."""
    offered = choices(known)
    chosen = dict(wanted)
    box = _Box(chosen, wanted, taken, choices(chosen))
    while (added := _next(box, known, offered)) is not None:
        chosen[added] = known[added]
        box = _Box(chosen, wanted, taken, choices(chosen))
    found = {app: dict(_found(manifest, box)) for app, manifest in chosen.items()}
    ranges = _ranges(chosen, found)
    return Needs(
        more={app: m for app, m in chosen.items() if app not in wanted},
        found=found,
        requirements={
            app: tuple(
                _requirement(d, found[app].get(d.app_id or ""), chosen, offered, ranges)
                for d in manifest.dependencies
                if d.app_id is not None
            )
            for app, manifest in chosen.items()
        },
    )


def choices(known: Manifests) -> Mapping[str, tuple[str, ...]]:
    """Return, for each name that is provided, the apps that provide it, sorted."""
    found: dict[str, list[str]] = {}
    for app in sorted(known):
        for provided in known[app].provides:
            found.setdefault(provided.name, []).append(app)
    return {name: tuple(apps) for name, apps in found.items()}


def _next(box: _Box, known: Manifests, offered: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the next app to take from the catalogue: by its id before by a name it provides."""
    unmet = sorted(
        {
            dependency.app_id
            for manifest in box.apps.values()
            for dependency in manifest.dependencies
            if dependency.app_id is not None
            and not dependency.optional
            and box.provider(dependency.app_id) is None
        },
    )
    by_id = next((name for name in unmet if name in known), None)
    by_name = (only for name in unmet for only in [_default(name, known, offered)] if only)
    return by_id or next(by_name, None)


def _default(
    name: str,
    known: Manifests,
    offered: Mapping[str, tuple[str, ...]],
) -> str | None:
    """Return the app of the catalogue that stands in for a name, if that is clear."""
    providers = offered.get(name, ())
    defaults = [
        app for app in providers if any(p.name == name and p.default for p in known[app].provides)
    ]
    if len(providers) == 1:
        return providers[0]
    return defaults[0] if len(defaults) == 1 else None


def _found(manifest: AppManifest, box: _Box) -> Iterator[tuple[str, str]]:
    for dependency in manifest.dependencies:
        name = dependency.app_id
        provider = box.provider(name) if name else None
        if name and provider:
            yield name, provider


Ranges = Mapping[str, tuple[tuple[str, str], ...]]


def _ranges(chosen: Manifests, found: Mapping[str, Mapping[str, str]]) -> Ranges:
    """Return for each app who asks for which range of it."""
    asked: dict[str, list[tuple[str, str]]] = {}
    for app in sorted(chosen):
        for dependency in chosen[app].dependencies:
            provider = found[app].get(dependency.app_id or "")
            if provider and dependency.version:
                asked.setdefault(provider, []).append((app, dependency.version))
    return {app: tuple(ranges) for app, ranges in asked.items()}


def _requirement(
    dependency: DependencyManifest,
    provider: str | None,
    chosen: Manifests,
    offered: Mapping[str, tuple[str, ...]],
    ranges: Ranges,
) -> Requirement:
    asked = dependency.app_id or ""
    plain = Requirement(
        provider or asked, dependency.optional, restart_with=dependency.restart_with
    )
    if provider is None:
        return plain if dependency.optional else replace(plain, unmet=_missing(asked, offered))
    manifest = chosen.get(provider)
    if manifest is None or dependency.version is None:
        return plain
    if manifest.version is not None and admits(dependency.version, manifest.version):
        return plain
    return replace(plain, unmet=_out_of_range(dependency, provider, manifest, ranges))


def _missing(asked: str, offered: Mapping[str, tuple[str, ...]]) -> str:
    several = offered.get(asked, ())
    if several:
        return f"requires {asked}, which is provided by {', '.join(several)}: install one of them"
    return f"requires {asked}, which is neither desired nor in the catalogue"


def _out_of_range(
    dependency: DependencyManifest,
    provider: str,
    manifest: AppManifest,
    ranges: Ranges,
) -> str:
    has = f"is {manifest.version}" if manifest.version else "does not say its version"
    others = [f"{app} asks for {r}" for app, r in ranges[provider] if r != dependency.version]
    also = f" ({', '.join(others)})" if others else ""
    return f"requires {dependency.app_id} {dependency.version}, and {provider} {has}{also}"
