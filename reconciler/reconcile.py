"""
One pass: load → observe → gather → plan → dispatch → record. It never waits for slow work.

What it remembers between passes is patience (attempts) and words for the status; losing both loses
nothing that runs.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core import (
    admission,
    anomalies,
    backoff,
    confining,
    gates,
    isolation,
    judging,
    lineage,
    looping,
    pins,
    policy,
    proving,
    recurrence,
    revisions,
    rollback,
    suspension,
    trusting,
    verifying,
    watching,
)
from reconciler.core.comparison import Comparison
from reconciler.core.conditions import Reported, app_statuses
from reconciler.core.last_commits import last_commits
from reconciler.core.planner import compare_all, plan, still_wanted
from reconciler.core.recurrence import Recurrence
from reconciler.core.resolve import Platform, resolve
from reconciler.core.situation import WINDOW, Situation
from reconciler.errors import DriverError, DriverUnavailable
from reconciler.model.change import Change, Outcome, Plan
from reconciler.model.commit import Commit, SourceStatus
from reconciler.model.desired import Desired
from reconciler.model.evidence import Evidence
from reconciler.model.history import Attempts
from reconciler.model.on_record import OnRecord
from reconciler.model.pin import Pin, PinKey, Signer
from reconciler.model.revision import FailedRevision
from reconciler.model.snapshot import Snapshot
from reconciler.model.status import ConditionType, PassStatus, Status
from reconciler.model.trial import Trial
from reconciler.ports import (
    Clock,
    Driver,
    EvidenceGatherer,
    Lanes,
    LastWords,
    Probes,
    Recorder,
    Revisions,
    Signatures,
    Source,
    Trials,
    Usage,
)

KEPT_AT_ONCE = 8  # revisions written in one pass: each waits for the disk


class Parts(Struct, frozen=True):
    """What a pass is made of: one implementation of each port."""

    desired: Source
    catalogue: Source
    driver: Driver
    evidence: EvidenceGatherer
    lanes: Lanes
    probes: Probes
    usage: Usage
    trials: Trials
    last_words: LastWords
    signatures: Signatures
    revisions: Revisions
    recorder: Recorder
    clock: Clock
    notices: Callable[[], tuple[str, ...]] = tuple
    restore_pins: Callable[[Mapping[PinKey, Pin]], None] = lambda _: None
    remember_signers: Callable[[Mapping[PinKey, tuple[Signer, ...]]], None] = lambda _: None
    source: Callable[[], SourceStatus | None] = lambda: None
    on_record: Callable[[], OnRecord] = OnRecord
    known_attempts: Callable[[datetime], Mapping[str, Attempts]] = lambda _: {}
    keep_attempts: Callable[[Mapping[str, Attempts]], None] = lambda _: None


class PassSettings(Struct, frozen=True):
    """What the operator may set; `platform` names the instance and the default limits."""

    platform: Platform
    prune_limit: int = 3
    window: timedelta = WINDOW


class PassResult(Struct, frozen=True):
    """
    What the controller needs to know: the status, and in how many seconds to look again.

    `look_again_seconds` is None where only a wake-up or the interval is worth a look.
    """

    status: Status
    look_again_seconds: float | None
    busy: bool


class _Memory(Struct):
    number: int = 0
    status: Status | None = None
    attempts: dict[str, Attempts] = field(default_factory=dict[str, Attempts])
    last: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    recurred: Recurrence = field(default_factory=Recurrence)
    snapshots: tuple[Snapshot, Snapshot] | None = None
    desired: Desired = field(default_factory=Desired)
    made: frozenset[lineage.Made] = frozenset()


class Reconciler:
    """Makes passes. Not thread-safe: one loop, one reconciler."""

    def __init__(self, parts: Parts, settings: PassSettings, status: Status | None = None) -> None:
        self._parts = parts
        self._settings = settings
        known = dict(parts.known_attempts(parts.clock.now()))
        self._memory = _Memory(status=status, attempts=known)

    def run_pass(self) -> PassResult:
        """Look at everything, decide, begin what is to be done, and tell."""
        parts, memory = self._parts, self._memory
        began = parts.clock.monotonic()
        memory.number += 1
        # Busy first, then finished, then the world: what ends after this line is left to the next
        # pass, so that no change is decided on what was seen before an earlier one ended.
        busy = parts.lanes.running()
        self._remember(parts.lanes.finished())
        desired, settle = self._load()
        evidence, meant = self._gather(desired)
        if meant:
            parts.restore_pins(meant)
        self._cancel(busy, admission.effective(rollback.effective(desired, evidence), evidence))
        try:
            seen = self._look(desired, evidence)
        except DriverError as error:
            return self._blind(began, desired, error)
        self._restore_pins(seen)
        situation, comparisons = self._judge(seen, busy, parts.revisions.fail)
        made = plan(situation, comparisons)
        self._begin([change for change in made.changes if change.app not in busy], situation)
        trials = verifying.trials(situation)
        self._watch(situation, comparisons, trials)
        signed = proving.first_signers(comparisons, situation.evidence)
        if signed:
            parts.remember_signers(signed)
        more = self._keep(situation, comparisons)
        memory.recurred = recurrence.seen(memory.recurred, situation, comparisons)
        status = self._tell(began, situation, made, comparisons, trials)
        again = 0.0 if more else self._look_again(situation, made, settle)
        return PassResult(status, again, bool(parts.lanes.running()))

    def _watch(
        self,
        situation: Situation,
        comparisons: Mapping[str, Comparison],
        trials: Mapping[str, Trial],
    ) -> None:
        """Say what is to be found out in the background."""
        parts = self._parts
        parts.probes.watch(watching.to_probe(comparisons))
        parts.usage.watch(watching.to_measure(situation.desired))
        parts.trials.watch(trials)
        parts.last_words.watch(looping.log_ends(situation, comparisons))
        parts.signatures.watch(proving.to_check(comparisons, situation.evidence))

    def _begin(self, changes: list[Change], situation: Situation) -> None:
        """What was tried is forgotten, also by the next life, before something else is."""
        self._memory.attempts = backoff.begun(situation.attempts, changes)
        self._parts.keep_attempts(self._memory.attempts)
        for change in changes:
            if change.acts:
                self._parts.lanes.dispatch(change)

    def preview(self) -> tuple[Situation, Plan]:
        """Look and plan, and begin nothing: the plan is the one that a pass would carry out."""
        situation, comparisons = self.compared()
        return situation, plan(situation, comparisons)

    def compared(self) -> tuple[Situation, dict[str, Comparison]]:
        """Look, and set what should be beside what is; begin nothing."""
        desired = self._load()[0]
        seen = self._look(desired, self._gather(desired)[0])
        return self._judge(seen, (), lambda _app, _failed: None)

    def describe(self) -> Status:
        """Look and plan, begin nothing, and return the status."""
        began = self._parts.clock.monotonic()
        situation, made = self.preview()
        return self._status(began, situation, made, compare_all(situation), {})

    def _load(self) -> tuple[Desired, float | None]:
        memory = self._memory
        fresh = (self._parts.desired.read(), self._parts.catalogue.read())
        if memory.snapshots is None or not _same(memory.snapshots, fresh):
            memory.desired = resolve(*fresh, self._settings.platform)
            memory.snapshots = fresh
        waits = [s.settle_seconds for s in fresh if s.settle_seconds is not None]
        worn = lineage.as_made(memory.desired, memory.made)
        desired = suspension.as_of(worn, self._parts.clock.now())
        return desired, min(waits, default=None)

    def _gather(self, desired: Desired) -> tuple[Evidence, Mapping[PinKey, Pin]]:
        """Return the facts, and which images are to be pinned now that they are trusted."""
        parts = self._parts
        return trusting.informed(desired, parts.evidence.gather(), parts.signatures.records())

    def _look(self, desired: Desired, evidence: Evidence) -> Situation:
        parts, memory = self._parts, self._memory
        observed = parts.driver.observe()
        memory.made = lineage.earlier(observed.containers)
        desired = lineage.as_made(desired, memory.made)
        if gates.asks_for_volumes(desired, observed, evidence):
            observed = replace(observed, volumes=parts.driver.volumes())
        return Situation(
            desired=desired,
            observed=observed,
            now=parts.clock.now(),
            evidence=evidence,
            probes=parts.probes.records(),
            usage=parts.usage.records(),
            tried=parts.trials.records(),
            attempts=backoff.not_retried(memory.attempts, evidence.retried),
            prune_limit=self._settings.prune_limit,
            last_words=parts.last_words.records(),
            ready_since=_ready_since(memory.status),
            window=self._settings.window,
            commits=self._commits(),
        )

    def _commits(self) -> dict[str, Commit]:
        """Return the last commit of each app, as far as somebody found it by now."""
        source, snapshots = self._parts.source(), self._memory.snapshots
        if source is None or snapshots is None or not source.changes:
            return {}
        written = (*snapshots[0].documents, *snapshots[0].last_good)
        return last_commits(written, source.changes)

    def _judge(
        self,
        seen: Situation,
        busy: Collection[str],
        fail: Callable[[str, FailedRevision], None],
    ) -> tuple[Situation, dict[str, Comparison]]:
        """Return what to plan, once the updates that have failed by now are written down."""
        failed = judging.judged(seen, busy)
        for app, what in failed.items():
            fail(app, what)
        evidence = rollback.with_failed(seen.evidence, failed)
        desired = rollback.effective(seen.desired, evidence)
        desired = admission.effective(desired, evidence, seen.observed)
        situation = replace(seen, evidence=evidence, desired=desired)
        comparisons = compare_all(situation)
        return replace(situation, attempts=looping.calmed(situation, comparisons)), comparisons

    def _keep(self, situation: Situation, comparisons: Mapping[str, Comparison]) -> bool:
        """Write down what turned out good; say whether more is left, since a pass is short."""
        changes = sorted(revisions.to_remember(situation, comparisons).items())
        for app, revision in changes[:KEPT_AT_ONCE]:
            if revision is None:
                self._parts.revisions.forget(app)
            else:
                self._parts.revisions.keep(app, revision)
        return len(changes) > KEPT_AT_ONCE

    def _restore_pins(self, situation: Situation) -> None:
        """What only labels remember is written down before anything could remove them."""
        lost = pins.forgotten(situation.desired, situation.observed, situation.evidence.pins)
        if lost:
            self._parts.restore_pins(lost)

    def _remember(self, outcomes: tuple[Outcome, ...]) -> None:
        memory = self._memory
        for outcome in outcomes:
            app = outcome.change.app
            before = memory.attempts.get(app, Attempts())
            memory.attempts[app] = backoff.after(before, outcome)
            memory.last[app] = outcome
            self._parts.recorder.finished(outcome)

    def _cancel(self, busy: Mapping[str, Change], desired: Desired) -> None:
        for app, change in busy.items():
            if not still_wanted(change, desired):
                self._parts.lanes.cancel(app)

    def _tell(
        self,
        began: float,
        situation: Situation,
        made: Plan,
        comparisons: Mapping[str, Comparison],
        trials: Mapping[str, Trial],
    ) -> Status:
        memory = self._memory
        status = self._status(began, situation, made, comparisons, trials)
        memory.attempts = {
            a.id: memory.attempts[a.id] for a in status.apps if a.id in memory.attempts
        }
        memory.last = {a.id: memory.last[a.id] for a in status.apps if a.id in memory.last}
        memory.status = status
        self._parts.keep_attempts(memory.attempts)
        self._parts.recorder.passed(status)
        return status

    def _status(
        self,
        began: float,
        situation: Situation,
        made: Plan,
        comparisons: Mapping[str, Comparison],
        trials: Mapping[str, Trial],
    ) -> Status:
        parts, memory = self._parts, self._memory
        reported = Reported(
            plan=made,
            comparisons=comparisons,
            running=parts.lanes.running(),
            progress=parts.lanes.progress(),
            last=memory.last,
            trials=trials,
        )
        return Status(
            apps=app_statuses(situation, reported, memory.status),
            last_pass=self._pass_status(began),
            problems=situation.desired.problems,
            notices=(
                *self._parts.notices(),
                *policy.notices(situation.evidence.policy),
                *isolation.notices(situation),
                *confining.notices(situation),
                *proving.notices(situation.evidence, comparisons),
            ),
            lanes_busy=len(reported.running),
            source=parts.source(),
            # Behind the look: what it saw was on record before.
            anomalies=anomalies.anomalies(
                situation,
                parts.on_record(),
                memory.recurred,
                memory.status.anomalies if memory.status else (),
            ),
        )

    def _blind(self, began: float, desired: Desired, error: DriverError) -> PassResult:
        """Nobody answered, so nothing is known: tell, keep what was known, and touch nothing."""
        memory = self._memory
        status = Status(
            apps=memory.status.apps if memory.status else (),
            last_pass=self._pass_status(began, str(error)),
            problems=desired.problems,
            notices=self._parts.notices(),
            source=self._parts.source(),
            anomalies=memory.status.anomalies if memory.status else (),
        )
        memory.status = status
        self._parts.recorder.passed(status)
        again = None if isinstance(error, DriverUnavailable) else 1.0
        return PassResult(status, again, bool(self._parts.lanes.running()))

    def _pass_status(self, began: float, error: str = "") -> PassStatus:
        clock = self._parts.clock
        return PassStatus(self._memory.number, clock.monotonic() - began, clock.now(), error)

    def _look_again(self, situation: Situation, made: Plan, settle: float | None) -> float | None:
        waits = [settle] if settle is not None else []
        if made.look_again_at is not None:
            waits.append(max(0.0, (made.look_again_at - situation.now).total_seconds()))
        return min(waits, default=None)


def _ready_since(status: Status | None) -> dict[str, datetime]:
    """Return since when each app was told to serve, by the last pass or the life before."""
    told = [(a.id, a.condition(ConditionType.READY)) for a in status.apps] if status else []
    return {app: ready.last_transition for app, ready in told if ready and ready.status}


def _same(before: tuple[Snapshot, Snapshot], after: tuple[Snapshot, Snapshot]) -> bool:
    """Whether nothing was read anew; documents are compared by identity, which costs nothing."""
    return all(
        len(a.documents) == len(b.documents)
        and len(a.last_good) == len(b.last_good)
        and all(x is y for x, y in zip(a.documents, b.documents, strict=True))
        and all(x is y for x, y in zip(a.last_good, b.last_good, strict=True))
        and a.problems == b.problems
        and a.contexts == b.contexts
        and a.complete == b.complete
        for a, b in zip(before, after, strict=True)
    )
