"""The parts of a loop, put together. Only `wiring` calls this."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.apply import Applier
from reconciler.clock import SystemClock
from reconciler.config import Settings, environment
from reconciler.controller import Controller, Rhythm
from reconciler.core.specs import Platform
from reconciler.drivers.podman import endpoint
from reconciler.drivers.podman.driver import Hooks, PodmanDriver
from reconciler.drivers.podman.driver import Settings as DriverSettings
from reconciler.drivers.podman.service import PodmanService
from reconciler.errors import DriverError
from reconciler.lanes import LanePool
from reconciler.looking import NoLanes, NoRecorder, RememberedProbes
from reconciler.model.desired import Resources
from reconciler.model.status import Status
from reconciler.ports import Driver
from reconciler.probes import ProbePool
from reconciler.reconcile import Parts, PassResult, PassSettings, Reconciler
from reconciler.report import places
from reconciler.report.journal import Journal
from reconciler.report.logs import LogSink, configure
from reconciler.report.metrics import Metrics
from reconciler.report.recorder import FanOut, Listeners
from reconciler.report.status_file import StatusFile, load_status
from reconciler.security.evidence import BoxEvidence
from reconciler.sources.directory import DirectorySource
from reconciler.sources.last_good import LastGood
from reconciler.sources.tree import is_catalogue_manifest
from reconciler.sources.watch import DirectoryWatch


@dataclass(frozen=True, slots=True)
class Engine:
    """Where Podman's API is. `service` is set when it is ours to keep alive."""

    socket: Path
    sentence: str
    service: PodmanService | None = None

    def ensure(self) -> None:
        """Have our own service answering; what cannot be helped shows in the pass."""
        if self.service is not None:
            with suppress(DriverError):
                self.service.ensure()


@dataclass(frozen=True, slots=True)
class Loop:
    """A running box: sources watched, lanes and probes ready, metrics served."""

    controller: Controller
    engine: str
    metrics_address: str | None

    def run(self, until: Callable[[PassResult], bool] | None = None) -> PassResult | None:
        """Make passes until stopped, or until one says that it is enough."""
        return self.controller.run(until) if until else self.controller.run()

    def stop(self) -> None:
        """Ask the loop to end after the present pass; apps go on running."""
        self.controller.stop()

    def wake(self) -> None:
        """Ask for a pass soon."""
        self.controller.wake()


def engine(settings: Settings, variables: Mapping[str, str], *, brief: bool) -> Engine:
    """Find Podman's API, or start a service of our own; `brief` is for one look."""
    found = endpoint.find(settings.podman, variables)
    if found is not None:
        return Engine(found.path, f"Podman at {found.path} ({found.origin})")
    place = (settings.state_dir, settings.instance, variables)
    service = PodmanService.temporary(*place) if brief else PodmanService(*place)
    socket = service.ensure()
    return Engine(socket, f"Podman at {socket} (a service of our own)", service)


def podman(settings: Settings, found: Engine, hooks: Hooks | None = None) -> PodmanDriver:
    """Return the driver for that engine."""
    places = DriverSettings(data_dir=settings.data_dir)
    return PodmanDriver(settings.instance, found.socket, settings=places, hooks=hooks)


def reader(settings: Settings, driver: Driver) -> Reconciler:
    """Return a reconciler without hands; what was probed last is taken from the status file."""
    status = load_status(places.status_path(settings.state_dir))
    clock = SystemClock()
    parts = Parts(
        desired=_desired(settings, clock, settle=0),
        catalogue=_catalogue(settings, clock, settle=0),
        driver=driver,
        evidence=_evidence(settings, clock),
        lanes=NoLanes(),
        probes=RememberedProbes(status),
        recorder=NoRecorder(),
        clock=clock,
    )
    return Reconciler(parts, _pass_settings(settings), status)


def loop(
    stack: ExitStack,
    settings: Settings,
    *,
    on_status: Callable[[Status], None] | None,
    log: bool,
) -> Loop:
    """Build a loop; everything that has to be taken down again is put on the stack."""
    logs = configure(settings.log_format)
    metrics = Metrics()
    stack.callback(metrics.close)
    address = metrics.serve(settings.metrics) if settings.metrics else None
    found = engine(settings, environment(), brief=False)
    if found.service is not None:
        stack.callback(found.service.stop)
    driver = podman(settings, found, Hooks(observe_call=metrics.api_call, warn=logs.warn))
    built = _Built(settings, SystemClock(), driver, metrics, logs)
    controller = built.controller(stack, found.ensure, on_status, log=log)
    return Loop(controller, found.sentence, address)


@dataclass(slots=True)
class _Built:
    """What the rest of the loop is built from."""

    settings: Settings
    clock: SystemClock
    driver: PodmanDriver
    metrics: Metrics
    logs: LogSink

    def controller(
        self,
        stack: ExitStack,
        before: Callable[[], None],
        on_status: Callable[[Status], None] | None,
        *,
        log: bool,
    ) -> Controller:
        """Build the controller, and what wakes it."""
        settings, clock = self.settings, self.clock
        status = load_status(places.status_path(settings.state_dir))
        # The loop is woken by its parts, and they are parts of its pass: the knot is tied here.
        controller = Controller(
            lambda: reconciler.run_pass(),  # noqa: PLW0108 - it does not exist yet
            clock,
            Rhythm(settings.interval),
            before,
        )
        confirmed = places.confirmation_path(settings.state_dir).parent
        confirmed.mkdir(mode=0o700, parents=True, exist_ok=True)
        watches = [
            DirectoryWatch(root, controller.wake, self.logs.warn)
            for root in (settings.desired_state, settings.catalogue, confirmed)
        ]
        applier = Applier(self.driver, clock, self.metrics.retried)
        lanes = LanePool(applier, controller.wake, self.logs.bug)
        probes = ProbePool(self.driver, clock, controller.wake)
        recorder = FanOut(self._listeners(on_status, log=log), self.logs.bug, status)

        def notices() -> tuple[str, ...]:
            told = tuple(watch.notice for watch in watches if watch.notice)
            self.metrics.watching(inotify=not told)
            return told

        parts = Parts(
            desired=_desired(settings, clock),
            catalogue=_catalogue(settings, clock),
            driver=self.driver,
            evidence=_evidence(settings, clock),
            lanes=lanes,
            probes=probes,
            recorder=recorder,
            clock=clock,
            notices=notices,
        )
        reconciler = Reconciler(parts, _pass_settings(settings), status)
        subscription = self.driver.subscribe(controller.wake)
        closers = (lanes.close, probes.close, *(w.close for w in watches), subscription.close)
        for close in closers:
            stack.callback(close)
        return controller

    def _listeners(
        self,
        on_status: Callable[[Status], None] | None,
        *,
        log: bool,
    ) -> Listeners:
        settings = self.settings
        file = StatusFile(places.status_path(settings.state_dir), self.clock, self.logs.warn)
        journal = Journal(places.journal_path(settings.state_dir), self.logs.warn)
        return Listeners(
            passed=(file.passed, self.metrics.passed, *((on_status,) if on_status else ())),
            finished=(self.metrics.finished,),
            told=(journal.told, *((self.logs.told,) if log else ())),
        )


def _desired(
    settings: Settings,
    clock: SystemClock,
    settle: float | None = None,
) -> DirectorySource:
    # A look without a loop reads what was last good, and leaves the writing to the loop.
    kept = LastGood(settings.state_dir / "last-good", writes=settle is None)
    return DirectorySource(settings.desired_state, clock, last_good=kept, settle=settle)


def _catalogue(
    settings: Settings,
    clock: SystemClock,
    settle: float | None = None,
) -> DirectorySource:
    return DirectorySource(
        settings.catalogue,
        clock,
        wanted=is_catalogue_manifest,
        settle=settle,
    )


def _evidence(settings: Settings, clock: SystemClock) -> BoxEvidence:
    return BoxEvidence(places.confirmation_path(settings.state_dir), settings.data_dir, clock)


def _pass_settings(settings: Settings) -> PassSettings:
    limits = settings.defaults
    defaults = Resources(cpu=limits.cpu, memory=limits.memory, pids=limits.pids)
    return PassSettings(Platform(settings.instance, defaults), prune_limit=settings.prune_limit)
