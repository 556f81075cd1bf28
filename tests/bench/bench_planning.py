"""Thinking alone: manifests to specs, the plan and the status of many apps, without an engine."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from measuring import median, tell, timed
from simulation import IMAGE, ManualClock

from reconciler.core.conditions import Reported, app_statuses
from reconciler.core.planner import compare_all, plan
from reconciler.core.relations import Surroundings, isolation_of
from reconciler.core.resolve import Platform, resolve
from reconciler.core.situation import Situation
from reconciler.model.observed import (
    ContainerState,
    Observed,
    ObservedContainer,
    ObservedNetwork,
)
from reconciler.model.snapshot import Snapshot
from reconciler.sources.directory import DirectorySource

COLUMNS = [
    "apps",
    "first read ms",
    "read again ms",
    "one changed ms",
    "resolve ms",
    "plan ms",
    "status ms",
]


def write(folder, count, **more):
    for number in range(count):
        needs = [f"app{number - 1:05}"] if number % 10 else []
        container = {"image": IMAGE, "command": ["serve"]}
        app = {"id": f"app{number:05}", "name": "x", "container": container}
        document = {
            "app": {**app, "dependencies": needs, "environment": {"N": str(number), **more}}
        }
        (folder / f"app{number:05}.yml").write_text(json.dumps(document))


def running(desired):
    containers = tuple(
        ObservedContainer(
            f"{c.container_name}-id",
            c.container_name,
            spec.id,
            c.name,
            c.digest,
            ContainerState.RUNNING,
            networks=(c.network,),
            requires=c.requires,
            source=c.source,
        )
        for spec in desired.apps.values()
        for c in spec.containers
    )
    own = [spec.network for spec in desired.apps.values()]
    networks = tuple(ObservedNetwork(n.name, n.app, n.interface) for n in own)
    rules = tuple(
        isolation_of(spec, Surroundings(Situation(desired, Observed(), datetime.now(UTC))))
        for spec in desired.apps.values()
    )
    return Observed(containers, networks, rules)


def measure(count):
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), count)
        clock = ManualClock()
        source = DirectorySource(Path(folder), clock, settle=0)
        first = timed(source.read)
        again = median([timed(source.read) for _ in range(3)])
        changing = []
        for number in range(5):
            write(Path(folder), 1, CHANGED=str(number))
            changing.append(timed(source.read))
        snapshot = source.read()
    desired = resolve(snapshot, Snapshot(), Platform())
    resolving = median(
        [timed(lambda: resolve(snapshot, Snapshot(), Platform())) for _ in range(3)]
    )
    situation = Situation(desired, running(desired), clock.now())
    made, compared = plan(situation), compare_all(situation)
    assert not any(c.acts for c in made.changes)
    planning = median([timed(lambda: plan(situation)) for _ in range(5)])
    reported = Reported(made, compared, {}, {}, {})
    telling = median([timed(lambda: app_statuses(situation, reported, None)) for _ in range(5)])
    return [count, first, again, median(changing), resolving, planning, telling]


def main():
    rows = [measure(count) for count in (100, 1_000, 10_000)]
    tell("thinking", COLUMNS, rows, "all at rest, every tenth app begins a chain of ten")


if __name__ == "__main__":
    main()
