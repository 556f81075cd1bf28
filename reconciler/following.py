"""
Follows a ref of a git repository: fetches, looks, has the commit that is to be in force in force.

What to do is decided in `core.following`. A thread of its own: a repository that does not answer
holds up nothing, and what was in force stays so.
"""

import random
from collections.abc import Callable
from threading import Condition, Event, Thread

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.following import following
from reconciler.errors import SourceError
from reconciler.model.commit import Commit, CommitEvidence, SourceStatus
from reconciler.ports import Clock, CommitVerifier, Repository, Wake

JITTER = 0.1
FIRST_BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 300.0
CLOSE_SECONDS = 5.0


class Following(Struct, frozen=True):
    """
    What is followed, and how often it is looked at, in seconds.

    `allowed` returns the commit that the operator let
    through although it does not contain the one in force.
    """

    place: str
    ref: str
    every: float = 60.0
    allowed: Callable[[], str] = str


def gather(
    repository: Repository,
    verifier: CommitVerifier,
    applied: Commit | None,
    head: str,
    allowed: str,
) -> CommitEvidence:
    """Return what is known of the newest commit, before it is taken or built upon."""
    if applied is not None and head == applied.id:
        return CommitEvidence(applied, applied)
    since = verifier.since(repository, head, applied.id if applied else "")
    signer = next((c.signer for c in since if c.signer), "")
    return CommitEvidence(
        head=replace(repository.commit(head), signer=signer),
        applied=applied,
        since=since,
        descends=applied is None or repository.contains(head, applied.id),
        allowed=allowed,
        obstacles=repository.obstacles(head),
    )


class GitFollower:
    """Looks now and then, and when it is woken; wakes the loop when something is another."""

    def __init__(
        self,
        repository: Repository,
        verifier: CommitVerifier,
        what: Following,
        clock: Clock,
        wake: Wake,
        bug: Callable[[BaseException], None],
    ) -> None:
        self._repository = repository
        self._verifier = verifier
        self._what = what
        self._clock = clock
        self._wake = wake
        self._bug = bug
        self._failures = 0
        self._status = SourceStatus(what.place, what.ref, repository.applied())
        self._changed = Condition()
        self._due = True
        self._stop = Event()
        self._thread = Thread(target=self._run, name="git", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def look(self) -> None:
        """Ask for a look now. Safe from any thread; many at once are one."""
        with self._changed:
            self._due = True
            self._changed.notify()

    def status(self) -> SourceStatus:
        """Return which commit is in force, and why no newer one is."""
        with self._changed:
            return self._status

    def close(self) -> None:
        """Follow no longer."""
        with self._changed:
            self._stop.set()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def look_once(self) -> SourceStatus:
        """Fetch, decide, and check out what is to be; return what came of it."""
        before = known = self.status()
        if before.commit is not None and not before.changes:  # no look of this life found it
            before = replace(before, changes=self._repository.changes(before.commit.id))
        try:
            after = self._looked(before)
            self._failures = 0
        except SourceError as error:
            self._failures += 1
            after = replace(before, told=str(error))
        with self._changed:
            self._status = after
        if (after.told, after.commit, after.changes) != (known.told, known.commit, known.changes):
            self._wake()
        return after

    def _looked(self, before: SourceStatus) -> SourceStatus:
        head = self._repository.fetch()
        allowed = self._what.allowed()
        evidence = gather(self._repository, self._verifier, before.commit, head, allowed)
        decided = following(evidence)
        now = replace(before, told=decided.told, fetched_at=self._clock.now())
        if decided.take is None:
            return now
        changes = self._repository.changes(decided.take.id)
        self._repository.take(decided.take)
        return replace(now, commit=decided.take, changes=changes)

    def _run(self) -> None:
        while self._wait():
            try:
                self.look_once()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at again
                self._failures += 1
                self._bug(error)

    def _wait(self) -> bool:
        """Wait until a look is due; False when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._stop.is_set(), self._pause())
            self._due = False
            return not self._stop.is_set()

    def _pause(self) -> float:
        doubled = FIRST_BACKOFF_SECONDS * 2 ** min(self._failures - 1, 10)
        usual = min(doubled, LONGEST_BACKOFF_SECONDS) if self._failures else self._what.every
        return usual * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
