"""A whole reconciler in one thread, on the memory engine, with a clock that only tests move."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

from msgspec.structs import replace

from reconciler.apply import Applier
from reconciler.core.specs import Platform
from reconciler.drivers.memory import MemoryDriver, World
from reconciler.errors import DriverError
from reconciler.last_words import read, words
from reconciler.model.evidence import Evidence
from reconciler.model.health import ProbeRecord
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import SuspendManifest
from reconciler.model.on_record import OnRecord
from reconciler.model.origin import Origin, Problem
from reconciler.model.permission import parse_permission, permission_hash
from reconciler.model.pin import Past
from reconciler.model.snapshot import Snapshot
from reconciler.model.trial import Tried
from reconciler.model.trust import SignatureRecords
from reconciler.probes import counted
from reconciler.reconcile import Parts, PassSettings, Reconciler

IMAGE = "localhost/test:1"


class ManualClock:
    def __init__(self):
        self.at = datetime(2026, 1, 1, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self):
        return self.at

    def monotonic(self):
        return self.seconds

    def advance(self, seconds):
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


@dataclass
class Folder:
    """A source that holds documents by app: what a directory is to the loop."""

    apps: dict[str, dict] = field(default_factory=dict)
    broken: dict[str, dict] = field(default_factory=dict)  # the last good version of each
    suspended: set[str] = field(default_factory=set)
    words: list[dict] = field(default_factory=list)  # other `suspend:` documents
    approved: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what each app may do
    complete: bool = True
    _made: dict = field(default_factory=dict)

    def read(self):
        if not self.complete:
            known = {**self.apps, **self.broken}
            kept = tuple(self._document(a, d) for a, d in known.items() if d)
            return Snapshot(
                last_good=kept + self._suspensions(),
                problems=(Problem(Origin("/folder"), "cannot read /folder"),),
                complete=False,
                incomplete_because="cannot read /folder",
            )
        return Snapshot(
            documents=tuple(self._document(a, d) for a, d in self.apps.items())
            + self._suspensions(),
            last_good=tuple(self._document(a, d) for a, d in self.broken.items() if d),
            problems=tuple(
                Problem(Origin(f"{a}.yml", 3, 1), "cannot be read", "", None) for a in self.broken
            ),
        )

    def _suspensions(self):
        said = [{"app": a} for a in sorted(self.suspended)]
        approvals = [self._approval(app, texts) for app, texts in self.approved.items()]
        return (*(self._word(word) for word in [*said, *self.words]), *approvals)

    def _approval(self, app, texts):
        key = ("approve", app, texts)
        if key not in self._made:
            granted = permission_hash(parse_permission(text) for text in texts)
            word = {"app": app, "by": "ada", "at": "2026-01-01T00:00:00Z", "hash": granted}
            made = ApproveManifest.model_validate({**word, "permissions": list(texts)})
            self._made[key] = Document(made, Origin(f"{app}.approve.yml", 1, 1))
        return self._made[key]

    def _word(self, word):
        key = ("suspend", repr(word))
        if key not in self._made:
            made = SuspendManifest.model_validate(word)
            self._made[key] = Document(made, Origin("words.yml", 1, 1))
        return self._made[key]

    def _document(self, app, data):
        key = (app, repr(data))
        if key not in self._made:
            manifest = AppManifest.model_validate({"id": app, "name": app, **data})
            self._made[key] = Document(manifest, Origin(f"{app}.yml", 1, 1))
        return self._made[key]

    def write(self, app, *, image=IMAGE, requires=(), **more):
        self.broken.pop(app, None)
        data = {"container": {"image": image}, "dependencies": list(requires), **more}
        if "containers" in more:
            del data["container"]
        self.apps[app] = data

    def corrupt(self, app):
        self.broken[app] = self.apps.pop(app, None) or self.broken.get(app) or {}

    def delete(self, app):
        self.apps.pop(app, None)
        self.broken.pop(app, None)


class InlineLanes:
    """Lanes that end before `dispatch` returns."""

    def __init__(self, applier):
        self.applier = applier
        self.outcomes = []

    def dispatch(self, change):
        self.outcomes.append(self.applier.apply(change, Event(), lambda _: None))
        return True

    def running(self):
        return {}

    def progress(self):
        return {}

    def cancel(self, app):
        raise AssertionError(f"nothing of {app} can be under way")

    def finished(self):
        done, self.outcomes = tuple(self.outcomes), []
        return done


class DirectProbes:
    """Asks every target once in each pass, and counts as the real ones do."""

    def __init__(self, driver, clock):
        self.driver, self.clock, self.counts = driver, clock, {}

    def watch(self, targets):
        self.counts = {
            ref: counted(
                self._known(ref, seen),
                self.driver.probe(seen, check),
                self.clock.now(),
                counts=True,
            )
            for ref, (seen, check) in targets.items()
        }

    def _known(self, ref, seen):
        known = self.counts.get(ref)
        if known is None or (known.pid, known.started_at) != (seen.pid, seen.started_at):
            return ProbeRecord(ref, seen.started_at, seen.pid)
        return known

    def records(self):
        return self.counts


class GivenUsage:
    """What volumes hold, as a test says."""

    def __init__(self):
        self.targets, self.bytes = {}, {}

    def watch(self, targets):
        self.targets = targets

    def records(self):
        return self.bytes


class DirectLastWords:
    """Reads at once what the engine has, as the real one does in the background."""

    def __init__(self, driver, secrets):
        self.driver, self.secrets, self.told = driver, secrets, {}

    def watch(self, targets):
        kept = {r: t for r, t in self.told.items() if r in targets}
        for ref, target in targets.items():
            if target.exit_code is not None and kept.get(ref, (None,))[0] != target.exit_code:
                hidden = [self.secrets.read(s) for s in target.secrets]
                told = words(read(self.driver, ref), (*hidden, *target.hidden))
                kept[ref] = (target.exit_code, told)
        self.told = kept

    def records(self):
        return {ref: told for ref, (_, told) in self.told.items()}


class KeptRevisions:
    """What is remembered of revisions: outlives every reconciler, until a test loses it."""

    def __init__(self):
        self.good, self.failed, self.retried = {}, {}, {}

    def keep(self, app, revision):
        self.good[app] = revision

    def fail(self, app, failed):
        self.failed[app] = (*self.failed.get(app, ()), failed)

    def forget(self, app):
        self.good.pop(app, None)
        self.failed.pop(app, None)

    def retry(self, app, now):
        """What `archipelago retry` does."""
        self.failed.pop(app, None)
        self.retried[app] = now


class Diary:
    def __init__(self):
        self.statuses, self.outcomes = [], []

    def passed(self, status):
        self.statuses.append(status)

    def finished(self, outcome):
        self.outcomes.append(outcome)


class GivenSignatures:
    """What is known of signatures, as a test has it; remembers what was to be looked at."""

    def __init__(self):
        self.told, self.checks = SignatureRecords(), ()

    def watch(self, checks):
        self.checks = checks

    def records(self):
        return self.told


class Facts:
    def __init__(self, world, revisions):
        self.evidence = Evidence(free_bytes=2**40)
        self.world, self.revisions, self.past = world, revisions, {}

    def remember(self, signers):
        for key, those in signers.items():
            self.past[key] = replace(self.past.get(key, Past()), signers=those)

    def gather(self):
        kept = self.revisions
        return replace(
            self.evidence,
            secrets=frozenset(self.world.secrets.values),
            pins=self.world.ledger.pins(),
            past=dict(self.past),
            image_ids=self.world.ledger.ids(),
            good=dict(kept.good),
            failed=dict(kept.failed),
            retried=dict(kept.retried),
        )


class DirectTrials:
    """Makes every trial on the spot."""

    def __init__(self, driver):
        self.driver, self.found = driver, {}

    def watch(self, trials):
        self.found = {}
        for app, trial in trials.items():
            with suppress(DriverError):
                self.found[app] = Tried(trial, self.driver.reach(trial.ref, trial.targets))

    def records(self):
        return self.found


class Simulation:
    """A box: a folder, a world, and a reconciler that can be killed and started again."""

    on_record = OnRecord

    def __init__(self, prune_limit=3):
        self.clock = ManualClock()
        self.world = World(self.clock)
        self.world.publish(IMAGE, "localhost/test:2", "localhost/test:3")
        self.folder, self.catalogue = Folder(), Folder()
        self.revisions = KeptRevisions()
        self.facts = Facts(self.world, self.revisions)
        self.usage = GivenUsage()
        self.signatures = GivenSignatures()
        self.prune_limit = prune_limit
        self.attempts = {}
        self.restart()

    def restart(self):
        """Begin anew with nothing but what the world and the folder hold."""
        driver = MemoryDriver("archipelago", self.clock, self.world)
        self.diary = Diary()
        self.reconciler = Reconciler(
            Parts(
                desired=self.folder,
                catalogue=self.catalogue,
                driver=driver,
                evidence=self.facts,
                lanes=InlineLanes(self._applier(driver)),
                probes=DirectProbes(driver, self.clock),
                usage=self.usage,
                trials=DirectTrials(driver),
                last_words=DirectLastWords(driver, self.world.secrets),
                signatures=self.signatures,
                revisions=self.revisions,
                recorder=self.diary,
                clock=self.clock,
                restore_pins=self.world.ledger.restore,
                remember_signers=self.facts.remember,
                on_record=self.on_record,
                known_attempts=lambda _: self.attempts,
                keep_attempts=self._keep,
            ),
            PassSettings(Platform(), prune_limit=self.prune_limit),
        )

    def _keep(self, attempts):
        self.attempts = dict(attempts)

    def _applier(self, driver):
        return Applier(
            driver,
            self.world.secrets,
            self.world.audit,
            self.clock,
            first_wait_seconds=0,
        )

    def run(self, passes=1, seconds=1.0):
        """Make passes, with time between them; return the last status."""
        result = None
        for _ in range(passes):
            result = self.reconciler.run_pass()
            self.clock.advance(seconds)
        return result.status

    def settle(self, limit=60):
        """Make passes, longer apart than any back-off, until two in a row begin nothing."""
        quiet = 0
        for _ in range(limit):
            before = len(self.world.calls)
            status = self.run(seconds=400)
            acted = len(self.world.calls) > before or status.last_pass.error
            acted = acted or any(a.action not in {"keep", "hold"} for a in status.apps)
            acted = acted or any(a.reason == "PreviousKept" for a in status.apps)
            quiet = 0 if acted else quiet + 1
            if quiet == 2:
                return status
        told = [(a.id, a.action, a.reason, a.message) for a in status.apps]
        raise AssertionError(f"did not settle: {told}")

    def running(self):
        """The apps of which something runs, by the image it runs."""
        return {
            box.spec.app: box.spec.image
            for box in self.world.boxes.values()
            if box.spec and box.state == "running"
        }
