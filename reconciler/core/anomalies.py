"""
What is not as on an ordinary day, by fixed rules over what is there and what is on record. Pure.

Nothing is done about it: each is told once, with what a person should do. Where something is not
known, nothing follows: a rule that cries wolf is read by nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from reconciler.core.recurrence import PERIOD, Recurrence
from reconciler.core.situation import Situation
from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.observed import ObservedContainer
from reconciler.model.on_record import OnRecord, Stated

DAY = timedelta(hours=24)
OFTEN = 5  # starts within the period of what served in between
BURST, WITHIN = 3, timedelta(minutes=10)

_OF_THE_RECORD = frozenset(
    {
        AnomalyKind.UNEXPLAINED,
        AnomalyKind.PERMISSIONS_GROWN,
        AnomalyKind.SIGNER_CHANGED,
        AnomalyKind.VERIFICATION_FAILS,
    }
)


def anomalies(
    situation: Situation,
    record: OnRecord,
    recurrence: Recurrence,
    before: tuple[Anomaly, ...] = (),
) -> tuple[Anomaly, ...]:
    """Return all that is odd, sorted; while the log is being read, what it said `before` holds."""
    containers, now = situation.observed.containers, situation.now
    found = [
        *_images(containers, situation.evidence.image_ids),
        *_foreign(containers, now),
        *_recurring(containers, recurrence, now),
    ]
    if record.known:
        found += [
            *unexplained(containers, record),
            *_grown(record.elevated, now),
            *_signed_by_others(record.signers, now),
            *_refused(record.refused, now),
        ]
    else:
        found += [each for each in before if each.kind in _OF_THE_RECORD]
    return tuple(sorted(found, key=lambda each: each.key))


def unexplained(containers: Iterable[ObservedContainer], record: OnRecord) -> tuple[Anomaly, ...]:
    """Return the containers under our label that nobody put on record, or that took a name."""
    return tuple(
        Anomaly(AnomalyKind.UNEXPLAINED, c.app, c.container_name, told)
        for c in containers
        if (told := _why_unexplained(c, record))
    )


def _why_unexplained(container: ObservedContainer, record: OnRecord) -> str:
    name = container.container_name
    look = f"look at it with `podman inspect {name}`"
    if f"container {name}" not in record.made:
        since, made_at = record.complete_from, container.created_at
        if since is not None and (made_at is None or made_at < since):
            return ""  # what explains it may be in a file that was put elsewhere
        return f"container {name} is there, and no entry says that we made it; {look}"
    if record.is_another(name, container.ref):
        return f"container {name} has the name of one that we made, and is another; {look}"
    return ""


def _images(containers: Iterable[ObservedContainer], ids: Mapping[str, str]) -> Iterator[Anomaly]:
    for c in containers:
        if not c.image_digest or not c.image_id:
            continue
        known = ids.get(parse_image_reference(c.image).at(c.image_digest), c.image_id)
        if known != c.image_id:
            told = (
                f"{c.container_name} runs another image than the one that was verified under the"
                f" digest on its label; look at it with `podman inspect {c.container_name}`"
            )
            yield Anomaly(AnomalyKind.IMAGE_DIFFERS, c.app, c.container, told)


def _foreign(containers: Iterable[ObservedContainer], now: datetime) -> Iterator[Anomaly]:
    for c in containers:
        if c.exec_at is not None and c.exec_at > now - PERIOD:
            told = (
                f"somebody ran a command in {c.container} from outside, as `podman exec` does;"
                " who may use Podman's socket on this machine is to be known"
            )
            yield Anomaly(AnomalyKind.FOREIGN_EXEC, c.app, c.container, told)


def _recurring(
    containers: Iterable[ObservedContainer], recurrence: Recurrence, now: datetime
) -> Iterator[Anomaly]:
    for c in containers:
        run = recurrence.runs.get(c.ref)
        if run is None:
            continue
        if len(run.again) >= OFTEN:
            told = (
                f"{c.container} is started again and again although it serves in between;"
                f" `archipelago logs {c.app}` may say why it ends"
            )
            yield Anomaly(AnomalyKind.RESTARTS_OFTEN, c.app, c.container, told)
        if run.memory_at is not None and run.memory_at > now - PERIOD:
            told = (
                f"the kernel ended a process in {c.container}, which was at its memory limit;"
                " raise `memory_limit`, or find out what takes so much"
            )
            yield Anomaly(AnomalyKind.MEMORY_LIMIT_HIT, c.app, c.container, told)
        if run.pids_at is not None and run.pids_at > now - PERIOD:
            told = (
                f"the kernel refused {c.container} another process, since it has as many as it"
                " may; raise `pids_limit`, or find out what makes so many"
            )
            yield Anomaly(AnomalyKind.PIDS_LIMIT_HIT, c.app, c.container, told)


def _grown(elevated: Mapping[str, Stated], now: datetime) -> Iterator[Anomaly]:
    """What the operator approved is no news to anybody; what a policy lets through may be."""
    for app, stated in elevated.items():
        if stated.before is None or stated.at <= now - DAY:
            continue
        more = sorted(stated.unapproved - stated.before)
        if more:
            told = (
                f"may do more than it ever could, by the policy alone: {', '.join(more)};"
                f" `archipelago permissions {app}` shows all of it"
            )
            yield Anomaly(AnomalyKind.PERMISSIONS_GROWN, app, "permissions", told)


def _signed_by_others(
    signers: Mapping[tuple[str, str], Stated], now: datetime
) -> Iterator[Anomaly]:
    for (app, container), stated in signers.items():
        if stated.before is None or stated.at <= now - DAY or stated.values & stated.before:
            continue
        told = (
            f"the image of {container} is signed by {', '.join(sorted(stated.values))}, and was by"
            f" {', '.join(sorted(stated.before))}; ask its makers whether that is meant"
        )
        yield Anomaly(AnomalyKind.SIGNER_CHANGED, app, container, told)


def _refused(refused: tuple[tuple[datetime, str], ...], now: datetime) -> Iterator[Anomaly]:
    lately = sorted(each for each in refused if each[0] > now - PERIOD)
    bursts = [
        lately[first : first + BURST]
        for first in range(len(lately) - BURST + 1)
        if lately[first + BURST - 1][0] - lately[first][0] <= WITHIN
    ]
    if bursts:
        apps = sorted({app for burst in bursts for _, app in burst})
        told = (
            f"images were refused one after the other, of {', '.join(apps)}; a registry, its keys"
            " or the trust file may have been tampered with"
        )
        yield Anomaly(AnomalyKind.VERIFICATION_FAILS, "", "images", told)
