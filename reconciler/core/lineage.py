"""
What an earlier rule of the digest made, and what is still wanted, keeps its digest. Pure.

So a program that takes digests by a new rule recreates nothing: a spec wears the digest that its
containers were made with, and everything that is remembered of it goes on being about it.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core import digest
from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.observed import ObservedContainer


class Made(Struct, frozen=True):
    """A container of an earlier rule: whose it is, and the digest that it was made with."""

    app: str
    container: str
    digest: str


class Lineage(Struct, frozen=True):
    """The rules that there are, and which of them is the present one."""

    rules: digest.Rules = digest.RULES
    present: str = digest.VERSION


def earlier(seen: Iterable[ObservedContainer], lineage: Lineage = Lineage()) -> frozenset[Made]:
    """Return what is there of rules that are known, and not the present one."""
    return frozenset(
        Made(s.app, s.container, s.digest)
        for s in seen
        if (version := digest.version_of(s.digest)) != lineage.present and version in lineage.rules
    )


def as_made(desired: Desired, made: frozenset[Made], lineage: Lineage = Lineage()) -> Desired:
    """Return what should be, with the digests that it was made with where it is the same."""
    if not made:
        return desired
    apps = {made_of.app for made_of in made} & desired.apps.keys()
    worn = {app: _app(desired.apps[app], made, lineage) for app in apps}
    return replace(desired, apps={**desired.apps, **worn})


def _app(spec: AppSpec, made: frozenset[Made], lineage: Lineage) -> AppSpec:
    containers = tuple(_container(c, made, lineage) for c in spec.containers)
    if containers == spec.containers:
        return spec
    versions = {digest.version_of(c.digest) for c in containers}
    # One that is made anew by the present rule makes another revision of the whole.
    version = versions.pop() if len(versions) == 1 else lineage.present
    worn = replace(spec, containers=containers)
    return replace(worn, digest=digest.app_digest(worn, version))


def _container(spec: ContainerSpec, made: frozenset[Made], lineage: Lineage) -> ContainerSpec:
    for version in lineage.rules:
        before = digest.container_digest(spec, version, lineage.rules)
        if Made(spec.app, spec.name, before) in made:
            stem = spec.container_name.removesuffix(digest.short(spec.digest))
            return replace(spec, digest=before, container_name=stem + digest.short(before))
    return spec
