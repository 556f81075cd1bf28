"""
Whether containers that somebody else made can be taken over as those of an app. Pure.

All of an app or nothing: each container needs one that is the same. What is there and differs is
told, and left alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from reconciler.core import proving
from reconciler.core.comparison import Comparison
from reconciler.core.likeness import differences
from reconciler.model.adoption import Adopted, Adoptions, ContainerFacts
from reconciler.model.container import ContainerSpec, MountKind
from reconciler.model.evidence import Evidence
from reconciler.model.observed import ContainerState


class Standing(StrEnum):
    """What became of one container of an app."""

    OURS = "ours"  # nothing is to be done
    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"


class Candidate(Struct, frozen=True):
    """One container of an app beside what was found for it; `notes` are in nobody's way."""

    wanted: ContainerSpec
    standing: Standing
    facts: ContainerFacts | None = None
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def obstacle(comparison: Comparison, evidence: Evidence) -> str:
    """Say why nothing of an app may be adopted now, whatever is there: what guards an install."""
    spec = comparison.spec
    if spec.stale is not None:
        return str(spec.stale)
    if spec.unsupported:
        return f"this version cannot carry out {', '.join(spec.unsupported)}"
    if spec.denial is not None:
        return spec.denial.message
    unproven = proving.unproven(spec.containers, evidence)
    return unproven[1] if unproven else ""


def names_to_look_for(comparison: Comparison, named: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that containers of the app may have: those that were said, or the usual."""
    app = comparison.spec.id
    alone = len(comparison.spec.containers) == 1
    found: dict[str, None] = {}
    still_open = _open(comparison)
    for name in (c.name for c in comparison.spec.containers if c.name in still_open):
        found |= dict.fromkeys([named[name]] if name in named else _usual(app, name, alone=alone))
    return tuple(found)


def candidates(
    comparison: Comparison,
    found: Iterable[ContainerFacts],
    named: Mapping[str, str],
) -> tuple[Candidate, ...]:
    """Set each container of an app beside what was found for it, each once, in file order."""
    spec, seen = comparison.spec, list(found)
    alone = len(spec.containers) == 1
    still_open = _open(comparison)
    result: list[Candidate] = []
    for wanted in spec.containers:
        if wanted.name not in still_open:
            result.append(Candidate(wanted, Standing.OURS))
            continue
        said = named.get(wanted.name)
        names = [said] if said else _usual(spec.id, wanted.name, alone=alone)
        best = _best(wanted, [f for n in names for f in seen if n in {f.name, f.ref}])
        seen = [f for f in seen if f is not best.facts]
        result.append(best)
    return tuple(result)


def adoptions(chosen: Iterable[Candidate], comparison: Comparison) -> Adoptions:
    """Return what is to be written down of candidates that are the same."""
    containers: dict[str, Adopted] = {}
    volumes: dict[str, str] = {}
    for candidate in chosen:
        if candidate.facts is None or candidate.standing is not Standing.SAME:
            continue
        wanted = candidate.wanted
        containers[candidate.facts.ref] = Adopted(
            app=wanted.app,
            container=wanted.name,
            digest=wanted.digest,
            image=wanted.image,
            image_digest=wanted.pin,
            requires=wanted.requires,
            secrets=wanted.secrets,
            source=wanted.source,
            stop_grace_period=wanted.stop_grace_period,
        )
        own = {v.name for v in comparison.spec.volumes}
        used = {m.source for m in wanted.mounts if m.kind is MountKind.VOLUME}
        volumes |= dict.fromkeys(sorted(used & own), wanted.app)
    return Adoptions(containers, volumes)


def _open(comparison: Comparison) -> frozenset[str]:
    """Return what nothing of ours does yet; one that could never be started does nothing."""
    idle = {
        name
        for name, seen in comparison.current.items()
        if seen.state in {ContainerState.CREATED, ContainerState.BROKEN}
    }
    return frozenset(
        c.name
        for c in comparison.spec.containers
        if c.name not in comparison.current.keys() - idle
    )


def _usual(app: str, name: str, *, alone: bool) -> list[str]:
    """Return what people, and compose in its versions, call such a container."""
    names = [f"{app}-{name}", f"{app}_{name}", f"{app}_{name}_1", f"{app}-{name}-1"]
    return [app, *names, f"{app}_{app}_1", f"{app}-{app}-1"] if alone else [*names, name]


def _best(wanted: ContainerSpec, found: list[ContainerFacts]) -> Candidate:
    """Return the first that is the same, or else the first that is there."""
    judged = [_judged(wanted, facts) for facts in found]
    same = [c for c in judged if c.standing is Standing.SAME]
    return next(iter([*same, *judged]), Candidate(wanted, Standing.MISSING))


def _judged(wanted: ContainerSpec, facts: ContainerFacts) -> Candidate:
    if facts.instance:
        whose = f"it is a container of the instance {facts.instance} already"
        return Candidate(wanted, Standing.DIFFERS, facts, (whose,))
    told = differences(wanted, facts)
    standing = Standing.DIFFERS if told else Standing.SAME
    return Candidate(wanted, standing, facts, told, tuple(_notes(facts)))


def _notes(facts: ContainerFacts) -> Iterator[str]:
    if facts.restarts:
        yield (
            f"Podman restarts it by itself ({facts.restarts}), without pauses, until its next"
            " update makes one that only the loop restarts"
        )
