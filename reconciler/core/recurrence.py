"""What happens again and again, from one look to the next. Pure; losing it loses only words."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core import backoff
from reconciler.core.comparison import Comparison
from reconciler.core.situation import Situation
from reconciler.model.observed import ContainerState, Hits, ObservedContainer

PERIOD = timedelta(hours=1)
NONE = Hits()


class Run(Struct, frozen=True):
    """
    The newest run of a container: when it began and ended, and whether its app served meanwhile.

    `again` is when it was started anew although it had served for its window; `hits` are what its
    limits refused when it was looked at last, `memory_at` and `pids_at` when that grew.
    """

    began: datetime | None
    ended: datetime | None = None
    served: bool = False
    again: tuple[datetime, ...] = ()
    hits: Hits = NONE
    memory_at: datetime | None = None
    pids_at: datetime | None = None


class Recurrence(Struct, frozen=True):
    """What was seen of each container, by ref. Before the first look nothing is news."""

    runs: Mapping[str, Run] = field(default_factory=dict[str, Run])
    begun: bool = False


def seen(
    before: Recurrence,
    situation: Situation,
    comparisons: Mapping[str, Comparison],
) -> Recurrence:
    """Return what is known after one more look; what is gone is forgotten."""
    serving = {app for app, comparison in comparisons.items() if comparison.ready()}
    return Recurrence(
        {
            c.ref: _run(before, c, situation, serves=c.app in serving)
            for c in situation.observed.containers
        },
        begun=True,
    )


def _run(
    before: Recurrence, container: ObservedContainer, situation: Situation, *, serves: bool
) -> Run:
    known, now = before.runs.get(container.ref), situation.now
    if known is None:
        # What an earlier life of the loop may have seen, and told, is no news.
        hits = NONE if before.begun else container.hits or NONE
        known = Run(container.started_at, hits=hits)
    elif container.started_at != known.began:
        again = (*known.again, now) if _lasted(known, container, situation) else known.again
        known = replace(known, began=container.started_at, served=False, again=again, hits=NONE)
    running = container.state is ContainerState.RUNNING
    known = replace(
        known,
        ended=None if running else container.finished_at,
        served=known.served or (serves and running),
        again=tuple(at for at in known.again if at > now - PERIOD),
    )
    return known if container.hits is None else _hit(known, container.hits, now)


def _lasted(run: Run, container: ObservedContainer, situation: Situation) -> bool:
    """Whether a run that is over was well; one that never lasts is told as a crash loop."""
    attempts = situation.attempts.get(container.app)
    loops = attempts is not None and attempts.starts >= backoff.LOOPS_AFTER
    if loops or not run.served or run.began is None:
        return False
    return (run.ended or situation.now) - run.began >= situation.window


def _hit(run: Run, hits: Hits, now: datetime) -> Run:
    return replace(
        run,
        hits=hits,
        memory_at=now if hits.memory > run.hits.memory else run.memory_at,
        pids_at=now if hits.pids > run.hits.pids else run.pids_at,
    )
