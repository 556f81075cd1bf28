"""The parts of a loop, put together. Only `wiring` calls this."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from reconciler import __version__, git_parts, locking, parts
from reconciler.apply import Applier
from reconciler.clock import SystemClock
from reconciler.config import Settings, environment
from reconciler.controller import Controller, Rhythm
from reconciler.drivers.podman.driver import Hooks, PodmanDriver
from reconciler.drivers.podman.kernel_log import ViolationWatch
from reconciler.drivers.podman.service import private_directory, runtime_directory
from reconciler.lanes import LanePool
from reconciler.last_words import LogEnds
from reconciler.looking_back import LookBack
from reconciler.model.commit import SourceStatus
from reconciler.model.status import Status
from reconciler.ports import Wake
from reconciler.probes import ProbePool
from reconciler.reconcile import Parts, PassResult, Reconciler
from reconciler.registry.client import RegistryClient
from reconciler.registry.ledger import FileLedger
from reconciler.registry.past import PastFile
from reconciler.report import places
from reconciler.report.audit.export import CheckpointExport
from reconciler.report.audit.log import AuditLog
from reconciler.report.audit.record import Record
from reconciler.report.audit.things import here
from reconciler.report.journal import Journal
from reconciler.report.logs import LogSink, configure
from reconciler.report.metrics import Metrics
from reconciler.report.recorder import FanOut, Listeners
from reconciler.report.status_file import StatusFile, load_status
from reconciler.security.attempts import AttemptFile
from reconciler.security.secrets import SecretFiles
from reconciler.signatures import Memory, SignatureWorkers
from reconciler.sources.watch import DirectoryWatch
from reconciler.trials import TrialRunner
from reconciler.usage import UsageMeter

_Source = Callable[[], SourceStatus | None]


class Loop(Struct, frozen=True):
    """A running box: sources watched, lanes and probes ready, metrics served."""

    controller: Controller
    usage: UsageMeter
    engine: str
    metrics_address: str | None

    def run(self, until: Callable[[PassResult], bool] | None = None) -> PassResult | None:
        """Make passes until stopped, or until one says that it is enough."""
        return self.controller.run(until) if until else self.controller.run()

    def stop(self) -> None:
        """Ask the loop to end after the present pass; apps go on running."""
        self.controller.stop()

    def wake(self) -> None:
        """Ask for a pass soon, and for every volume to be measured anew."""
        self.usage.hurry()
        self.controller.wake()


def loop(
    stack: ExitStack,
    settings: Settings,
    *,
    on_status: Callable[[Status], None] | None,
    log: bool,
) -> Loop:
    """Build a loop; everything that has to be taken down again is put on the stack."""
    stack.enter_context(_alone(settings))
    logs = configure(settings.log_format)
    metrics = Metrics()
    stack.callback(metrics.close)
    address = metrics.serve(settings.metrics) if settings.metrics else None
    found = parts.engine(settings, environment(), brief=False)
    if found.service is not None:
        stack.callback(found.service.stop)
    hooks = Hooks(observe_call=metrics.api_call, warn=logs.warn)
    past = parts.past(settings, logs.warn)
    ledger = parts.ledger(settings, logs.warn, past)
    driver = parts.podman(settings, found, ledger, hooks)
    stack.callback(ViolationWatch(driver.app_of, metrics.violated).close)
    built = _Built(settings, SystemClock(), driver, ledger, past, metrics, logs)
    controller, usage = built.controller(stack, found.keeper(), on_status, log=log)
    return Loop(controller, usage, found.sentence, address)


@contextmanager
def _alone(settings: Settings) -> Generator[None]:
    """Be the only loop of this instance on this machine, whichever state folder others have."""
    directory = runtime_directory(settings.instance, environment())
    with ExitStack() as stack:
        with suppress(OSError):  # no such place: then the lock in the state folder has to do
            private_directory(directory)
            stack.enter_context(locking.hold(directory / "loop.lock", SystemClock()))
        yield


class _Built(Struct):
    """What the rest of the loop is built from."""

    settings: Settings
    clock: SystemClock
    driver: PodmanDriver
    ledger: FileLedger
    past: PastFile
    metrics: Metrics
    logs: LogSink

    def controller(
        self,
        stack: ExitStack,
        before: Callable[[], None],
        on_status: Callable[[Status], None] | None,
        *,
        log: bool,
    ) -> tuple[Controller, UsageMeter]:
        """Build the controller and what wakes it; return also who measures."""
        settings, clock = self.settings, self.clock
        status = load_status(places.status_path(settings.state_dir))
        # The loop is woken by its parts, and they are parts of its pass: the knot is tied here.
        controller = Controller(
            lambda: reconciler.run_pass(),  # noqa: PLW0108 - it does not exist yet
            clock,
            Rhythm(settings.interval),
            before,
        )
        watches = [
            DirectoryWatch(root, controller.wake, self.logs.warn)
            for root in (settings.desired_state, settings.catalogue, *_operators(settings))
        ]
        secrets = parts.secrets(settings)
        source = self._source(stack, controller.wake)
        audit = self._audit(stack, secrets, source)
        applier = Applier(self.driver, secrets, audit, clock, self.metrics.retried)
        lanes = LanePool(applier, controller.wake, self.logs.bug)
        probes = ProbePool(self.driver, clock, controller.wake)
        usage = UsageMeter(self.driver, clock, controller.wake, self.logs.bug)
        trials = TrialRunner(
            self.driver, clock, controller.wake, self.logs.bug, settings.isolation_interval
        )
        last_words = LogEnds(self.driver, secrets, controller.wake, self.logs.bug)
        signatures = self._signatures(controller.wake)
        kept = parts.revisions(settings, self.logs.warn)
        attempts = AttemptFile(places.attempts_path(settings.state_dir), self.logs.warn)
        recorder = FanOut(self._listeners(on_status, audit, log=log), self.logs.bug, status)

        def notices() -> tuple[str, ...]:
            told = tuple(watch.notice for watch in watches if watch.notice)
            self.metrics.watching(inotify=not told)
            at = source()
            told += (f"{at.place}: {at.told}",) if at and at.told else ()
            trouble = audit.trouble()
            self.metrics.on_record(entries=audit.size(), writable=not trouble)
            return (*told, trouble) if trouble else told

        made = Parts(
            desired=parts.desired(settings, clock),
            catalogue=parts.catalogue(settings, clock),
            driver=self.driver,
            evidence=parts.evidence(settings, clock, self.ledger, kept, audit.trouble, self.past),
            lanes=lanes,
            probes=probes,
            usage=usage,
            trials=trials,
            last_words=last_words,
            signatures=signatures,
            revisions=kept,
            recorder=recorder,
            clock=clock,
            notices=notices,
            restore_pins=self.ledger.restore,
            remember_signers=self.past.remember,
            source=source,
            on_record=Record(places.audit_path(settings.state_dir)),
            known_attempts=attempts.known,
            keep_attempts=attempts.keep,
        )
        reconciler = Reconciler(made, parts.pass_settings(settings), status)
        subscription = self.driver.subscribe(controller.wake)
        closers = (
            lanes.close,
            probes.close,
            usage.close,
            trials.close,
            last_words.close,
            signatures.close,
            *(w.close for w in watches),
            subscription.close,
        )
        for close in closers:
            stack.callback(close)
        return controller, usage

    def _source(self, stack: ExitStack, wake: Callable[[], None]) -> _Source:
        """Follow the git source, where there is one; return what tells of it."""
        settings = self.settings
        follower = git_parts.follower(settings, self.clock, wake, self.logs.bug)
        if follower is None:
            return self._work_tree(stack, wake)
        confirmed = places.allowed_commit_path(settings.state_dir).parent
        watch = DirectoryWatch(confirmed, follower.look, self.logs.warn)
        stack.callback(watch.close)
        stack.callback(follower.close)
        hook = git_parts.webhook(settings, follower.look)
        if hook is not None:
            stack.callback(hook.close)
        follower.start()
        return follower.status

    def _work_tree(self, stack: ExitStack, wake: Callable[[], None]) -> _Source:
        """Tell the commit that somebody else checked out, if so, and what it changed."""
        history = LookBack(partial(git_parts.look_back, self.settings), wake, self.logs.bug)
        stack.callback(history.close)

        def told() -> SourceStatus | None:
            at = git_parts.at_rest(self.settings)
            return replace(at, changes=history.of(at.commit)) if at else None

        return told

    def _audit(self, stack: ExitStack, secrets: SecretFiles, source: _Source) -> AuditLog:
        """Have what the loop does on record, from here on; closed behind all that writes to it."""
        settings = self.settings
        export = CheckpointExport(settings.audit_export, settings.instance, self.logs.warn)
        stack.callback(export.close)

        def about() -> dict[str, str]:
            at = source()
            return {"commit": at.commit.id} if at and at.commit else {}

        audit = parts.audit_log(settings, self.clock, export, about)
        stack.callback(audit.close)
        audit.starts(lambda: here(self.driver, secrets.kept()), __version__)
        return audit

    def _signatures(self, wake: Wake) -> SignatureWorkers:
        proofs = parts.proofs(self.settings, self.logs.warn)
        look = partial(parts.look_at_signatures, RegistryClient(environment()))
        memory = Memory(proofs.found, proofs.keep)
        return SignatureWorkers(look, memory, self.clock, wake, self.logs.bug)

    def _listeners(
        self,
        on_status: Callable[[Status], None] | None,
        audit: AuditLog,
        *,
        log: bool,
    ) -> Listeners:
        settings = self.settings
        file = StatusFile(places.status_path(settings.state_dir), self.clock, self.logs.warn)
        journal = Journal(places.journal_path(settings.state_dir), self.logs.warn)
        return Listeners(
            passed=(file.passed, self.metrics.passed, *((on_status,) if on_status else ())),
            finished=(self.metrics.finished,),
            told=(journal.told, audit.told, *((self.logs.told,) if log else ())),
        )


def _operators(settings: Settings) -> tuple[Path, ...]:
    """Return the folders in which verbs leave the operator's word for the loop."""
    words = (places.confirmation_path, places.failures_path)
    paths = (*words, places.ledger_path, places.inventory_path)
    files = [path(settings.state_dir) for path in paths]
    for file in files:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tuple(file.parent for file in files)
