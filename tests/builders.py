"""Short ways to say what should be and what is there, for tables."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from reconciler.core import digest
from reconciler.core.situation import Situation
from reconciler.model.change import Plan
from reconciler.model.container import (
    ContainerSpec,
    HealthCheck,
    HealthKind,
    Restart,
    StartCondition,
)
from reconciler.model.desired import AppSpec, Desired, NetworkSpec, Requirement, VolumeSpec
from reconciler.model.health import ProbeRecord
from reconciler.model.isolation import IsolationSpec
from reconciler.model.observed import (
    ContainerState,
    Observed,
    ObservedContainer,
    ObservedNetwork,
)
from reconciler.model.origin import Origin, Problem

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHECK = HealthCheck(HealthKind.HTTP, port=8080, retries=3, interval=1.0)


def container(
    app: str,
    name: str = "main",
    *,
    image: str = "localhost/test:1",
    health: HealthCheck | None = None,
    restart: Restart = Restart.ALWAYS,
    depends_on: tuple[tuple[str, StartCondition], ...] = (),
    requires: tuple[str, ...] = (),
    **more,
) -> ContainerSpec:
    spec = ContainerSpec(
        app=app,
        name=name,
        container_name="",
        digest="",
        image=image,
        health=health,
        restart=restart,
        depends_on=depends_on,
        requires=requires,
        network=f"archipelago-{app}",
        source=f"{app}.yml",
        **more,
    )
    found = digest.container_digest(spec)
    return replace(
        spec,
        digest=found,
        container_name=f"archipelago-{app}-{name}-{digest.short(found)}",
    )


def app(
    id: str,  # noqa: A002 - what manifests call it
    *containers: ContainerSpec,
    requires: tuple[str, ...] = (),
    **more,
) -> AppSpec:
    given = containers or (container(id, requires=requires),)
    spec = AppSpec(
        id=id,
        name=id,
        version="1",
        digest="",
        containers=tuple(replace(c, requires=requires) for c in given),
        network=NetworkSpec(f"archipelago-{id}", id, f"ar-{id}"),
        volumes=(VolumeSpec(f"archipelago-{id}-data", id),),
        requires=tuple(Requirement(r) for r in requires),
        origin=Origin(f"{id}.yml", 1, 1),
        **more,
    )
    containers_ = tuple(replace(c, digest=digest.container_digest(c)) for c in spec.containers)
    spec = replace(spec, containers=containers_)
    return replace(spec, digest=digest.app_digest(spec))


def seen(
    spec: AppSpec | str,
    name: str = "main",
    state: ContainerState = ContainerState.RUNNING,
    **more,
) -> ObservedContainer:
    """One container as observed: of a spec's digest, or of an app nobody desires."""
    if isinstance(spec, str):
        base = ObservedContainer(f"id-{spec}-{name}", f"{spec}-{name}", spec, name, "1-old", state)
        return replace(base, source=f"{spec}.yml", started_at=NOW - timedelta(hours=1), **more)
    wanted = spec.container(name)
    assert wanted is not None
    base = ObservedContainer(
        f"id-{spec.id}-{name}",
        wanted.container_name,
        spec.id,
        name,
        wanted.digest,
        state,
        started_at=NOW - timedelta(hours=1),
        process_start=100.0 if state is ContainerState.RUNNING else 0.0,
        networks=(wanted.network,) if wanted.network else (),
        requires=wanted.requires,
        source=wanted.source,
    )
    return replace(base, **more)


def running(*specs: AppSpec) -> tuple[ObservedContainer, ...]:
    """Every container of these apps, running."""
    return tuple(seen(s, c.name) for s in specs for c in s.containers)


def old(spec: AppSpec, name: str = "main", state: ContainerState = ContainerState.RUNNING):
    """A container of an earlier revision of an app."""
    return replace(
        seen(spec, name, state),
        digest="1-0",
        ref=f"old-{spec.id}-{name}",
        container_name=f"old-{spec.id}-{name}",
    )


def desired(*specs: AppSpec, **more) -> Desired:
    return Desired(apps={s.id: s for s in specs}, **more)


def observed(
    *containers: ObservedContainer,
    networks: tuple[str, ...] | None = None,
    rules: tuple[IsolationSpec, ...] | None = None,
    **more,
) -> Observed:
    """What runs, with a network for each app; and rules for each network, if not given."""
    apps = sorted({c.app for c in containers}) if networks is None else networks
    there = tuple(ObservedNetwork(f"archipelago-{a}", a, f"ar-{a}") for a in apps)
    shut = sorted({c.app for c in containers} | set(apps))
    given = tuple(IsolationSpec(a, f"ar-{a}") for a in shut) if rules is None else rules
    return Observed(tuple(containers), there, given, **more)


def situation(want: Desired, have: Observed = Observed(), **more) -> Situation:
    return Situation(desired=want, observed=have, now=more.pop("now", NOW), **more)


def answered(
    *containers: ObservedContainer, ok: bool = True, failures: int = 0, message: str = ""
):
    """Probe records of these containers."""
    return {
        c.ref: ProbeRecord(
            c.ref,
            c.started_at,
            c.pid,
            succeeded=ok,
            failures=failures,
            message=message,
            last_at=NOW,
        )
        for c in containers
    }


def problem(file: str = "bad.yml", message: str = "cannot be read", app: str | None = None):
    return Problem(Origin(file, 3, 5), message, "", app)


def told(plan: Plan) -> list[tuple[str, str, str]]:
    """A plan as rows: app, action, reason."""
    return [(c.app, str(c.action), str(c.reason)) for c in plan.changes]


def steps_of(plan: Plan, app: str) -> list[str]:
    """The steps of one app's change, as short words."""
    change = plan.of(app)
    assert change is not None
    words = []
    for step in change.steps:
        what = getattr(step, "ref", None) or getattr(step, "name", None)
        what = what or getattr(getattr(step, "isolation", step), "app", None)
        inner = getattr(step, "container", None)
        what = what or (inner.name if inner else "")
        words.append(f"{type(step).__name__} {what}".strip())
    return words
