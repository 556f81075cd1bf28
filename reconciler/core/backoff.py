"""How long to wait before trying again. Pure: jitter is a hash, the time is an argument."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from reconciler.model.change import Action, Change, Outcome, Result, StartContainer
from reconciler.model.history import Attempts

FIRST_SECONDS = 1.0
CEILING_SECONDS = 300.0
JITTER = 0.2
REPAIRS_AT_ONCE = 3  # of what was changed by hand, before somebody seems to insist
REPAIR_SECONDS = 5.0  # meanwhile it may run without its rules: that must not last
LOOPS_AFTER = 5  # starts or failures in a row that a person should hear of


def begun(attempts: Mapping[str, Attempts], changes: Iterable[Change]) -> dict[str, Attempts]:
    """
    Return what is remembered before these changes begin: of another revision, nothing any more.

    Whoever dies in the middle of one must not take the revision before for tried.
    """
    fresh = {
        change.app: Attempts(digest=change.attempt)
        for change in changes
        if change.acts and attempts.get(change.app, Attempts()).digest != change.attempt
    }
    return {**attempts, **fresh}


def after(attempts: Attempts, outcome: Outcome) -> Attempts:
    """
    Return what is remembered after a change ended.

    A change that was cancelled, or that nobody answered, says nothing about the app.
    """
    digest = outcome.change.attempt
    if attempts.digest != digest:
        attempts = Attempts(digest=digest)
    if outcome.result in {Result.FAILED, Result.CONFLICT}:
        # The world moved: once, that is a reason to look again at once.
        moved = outcome.result is Result.CONFLICT and attempts.failures == 0
        return replace(
            attempts,
            failures=attempts.failures + 1,
            since=None if moved else outcome.ended_at,
            message=outcome.message,
        )
    if outcome.result is Result.APPLIED and outcome.change.action is Action.STOP:
        return Attempts(digest=digest)  # what the operator stopped begins anew
    if outcome.result is Result.APPLIED:
        if outcome.change.action is Action.ISOLATE:
            # What does not last is done again, and less and less often.
            return replace(attempts, repairs=attempts.repairs + 1, since=outcome.ended_at)
        started = [s.name for s in outcome.change.steps if isinstance(s, StartContainer)]
        fresh = replace(attempts, failures=0, message="")
        return _with_starts(fresh, started, outcome.ended_at) if started else fresh
    return attempts


def _with_starts(attempts: Attempts, names: list[str], at: datetime) -> Attempts:
    counts = dict(attempts.by_container)
    for name in names:
        counts[name] = counts.get(name, 0 if counts else attempts.starts) + 1
    counted = tuple(sorted(counts.items()))
    return replace(attempts, starts=max(counts.values()), since=at, by_container=counted)


def not_retried(
    attempts: Mapping[str, Attempts],
    retried: Mapping[str, datetime],
) -> dict[str, Attempts]:
    """Return what is remembered, without what was before the operator asked for another try."""
    return {
        app: known
        for app, known in attempts.items()
        if app not in retried or (known.since is not None and known.since >= retried[app])
    }


def calmed(attempts: Attempts, now: datetime, window: timedelta) -> Attempts:
    """Return what is remembered of an app that serves: nothing, once its window is over."""
    if attempts.since is None or now >= attempts.since + window:
        return Attempts(digest=attempts.digest)
    return attempts


def due_at(
    app: str,
    attempts: Attempts,
    *,
    starting: bool,
    repairing: bool = False,
) -> datetime | None:
    """
    Return when the app may be tried again; None means at once.

    `starting`: something would be started; `repairing`: what runs would be put right in place.
    """
    if attempts.since is None:
        return None
    # A first start needs no excuse, and neither does the first repair of it.
    seconds = max(
        delay(app, attempts.failures),
        delay(app, attempts.starts - 1) if starting else 0.0,
        min(delay(app, attempts.repairs - REPAIRS_AT_ONCE), REPAIR_SECONDS) if repairing else 0.0,
    )
    return attempts.since + timedelta(seconds=seconds) if seconds else None


def delay(app: str, times: int) -> float:
    """Return the pause in seconds after so many times in a row: 0, 1, 2, 4 … 300 (± 20 %)."""
    if times <= 0:
        return 0.0
    seconds = FIRST_SECONDS * float(2 ** min(times - 1, 30))
    return min(seconds, CEILING_SECONDS) * (1 + JITTER * _spread(f"{app}/{times}"))


def _spread(key: str) -> float:
    """Return a number from -1 to 1 that depends on the key, so that apps don't march in step."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**31 - 1
