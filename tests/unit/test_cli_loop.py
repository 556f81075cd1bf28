"""The verbs that hold a loop: when they end, what they say, and how signals reach them."""

import json
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

import pytest
from typer.testing import CliRunner

from reconciler import wiring
from reconciler.cli.app import build
from reconciler.cli.logs import merged
from reconciler.cli.signals import told_by_signals
from reconciler.errors import DriverConflict
from reconciler.model.change import Action
from reconciler.model.health import HealthState
from reconciler.model.status import AppStatus, Condition, ConditionType, PassStatus, Status
from reconciler.reconcile import PassResult

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def status(action, reason, *, ready=False, working=False, stalled=False):
    answers = {
        ConditionType.READY: ready,
        ConditionType.RECONCILING: working,
        ConditionType.STALLED: stalled,
    }
    conditions = tuple(Condition(kind, is_so, "x", "", NOW) for kind, is_so in answers.items())
    app = AppStatus(
        "web", "1", action, reason, "words", conditions, "1-a", HealthState.NONE, (), ()
    )
    return Status((app,), PassStatus(1, 0.01, NOW))


INSTALLING = PassResult(status(Action.INSTALL, "NotInstalled", working=True), None, busy=True)
READY = PassResult(status(Action.KEEP, "InSync", ready=True), None, busy=False)
STUCK = PassResult(status(Action.HOLD, "ManifestInvalid", stalled=True), None, busy=False)
SETTLING = PassResult(Status((), PassStatus(1, 0.01, NOW)), 0.08, busy=False)


@dataclass
class Rehearsed:
    """A loop whose passes are known beforehand; after the last it waits to be stopped."""

    results: list
    on_status: object
    engine: str = "an engine of memory"
    metrics_address: str | None = "127.0.0.1:9465"
    passes: int = 0
    stopped: Event = field(default_factory=Event)

    def run(self, until=lambda _result: False):
        result = None
        for result in self.results:
            self.passes += 1
            if self.on_status:
                self.on_status(result.status)
            if until(result):
                return result
        assert self.stopped.wait(10)
        return result

    def stop(self):
        self.stopped.set()

    def wake(self):
        pass


@pytest.fixture
def play(tmp_path, monkeypatch):
    """`play(results, "apply", …)` runs a verb on these passes."""
    (tmp_path / "none.toml").write_text("")

    def run(results, *arguments):
        @contextmanager
        def loop(_settings, *, on_status=None, log=True):
            run.loop = Rehearsed(results, on_status)
            yield run.loop

        monkeypatch.setattr(wiring, "loop", loop)
        places = ["--state-dir", str(tmp_path), "--config", str(tmp_path / "none.toml")]
        return CliRunner().invoke(build(), [*arguments, *places])

    return run


def test_apply_ends_well_when_every_app_is_ready(play):
    told = play([INSTALLING, INSTALLING, READY, READY], "apply")
    assert told.exit_code == 0
    assert play.loop.passes == 3
    assert told.stderr.splitlines() == [
        "web: install (NotInstalled) words",
        "web: keep (InSync) words",
    ]
    assert "Ready" in told.stdout


def test_apply_ends_badly_when_a_person_has_to_act(play):
    told = play([INSTALLING, STUCK], "apply")
    assert told.exit_code == 1
    assert "Not every app is ready" in told.stdout


def test_apply_does_not_take_a_folder_that_settles_for_an_empty_one(play):
    told = play([SETTLING, INSTALLING, READY], "apply")
    assert (told.exit_code, play.loop.passes) == (0, 3)


def test_apply_gives_up_in_time(play):
    told = play([INSTALLING], "apply", "--timeout", "0.2s")
    assert told.exit_code == 1
    assert "Not finished within 0.2s" in told.stdout


def test_a_timeout_that_is_none_is_refused(play):
    told = play([], "apply", "--timeout", "soon")
    assert told.exit_code == 1
    assert "cannot use --timeout" in told.stderr


def test_apply_for_machines_is_one_document(play):
    told = play([INSTALLING, READY], "apply", "--output", "json")
    assert json.loads(told.stdout)["apps"][0]["reason"] == "InSync"


def test_run_says_where_it_is_and_how_it_ends(play):
    signal_soon = signal.setitimer  # rings SIGALRM, which our handler turns into a stop
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal_soon(signal.ITIMER_REAL, 0.3)
    try:
        told = play([INSTALLING, READY], "run", "--output", "json")
    finally:
        signal_soon(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert told.exit_code == 0
    assert "an engine of memory · metrics on http://127.0.0.1:9465/metrics" in told.stderr
    assert "The apps go on running" in told.stderr
    assert json.loads(told.stdout)["apps"][0]["reason"] == "InSync"


@pytest.mark.parametrize(
    ("number", "want"),
    [(signal.SIGINT, "stop"), (signal.SIGTERM, "stop"), (signal.SIGHUP, "wake")],
)
def test_signals_are_heard_and_handlers_put_back(number, want):
    before = signal.getsignal(number)
    heard, told = [], Event()

    def hear(word):
        heard.append(word)
        told.set()

    with told_by_signals(stop=lambda: hear("stop"), wake=lambda: hear("wake")):
        os.kill(os.getpid(), number)
        assert told.wait(5)
        assert (signal.getsignal(number) is signal.SIG_DFL) == (want == "stop")
    assert heard == [want]
    assert signal.getsignal(number) is before


def test_lines_of_several_containers_are_merged_until_all_have_ended():
    sources = [("a", lambda: iter(["1", "2"])), ("b", lambda: iter(["3"])), ("c", list)]
    lines = list(merged(sources))
    assert sorted(lines) == [("a", "1"), ("a", "2"), ("b", "3")]
    assert [text for name, text in lines if name == "a"] == ["1", "2"]


def test_a_container_that_is_gone_ends_the_log_with_its_reason():
    def gone():
        raise DriverConflict("cannot read the log of x: it is gone")

    with pytest.raises(DriverConflict):
        list(merged([("a", gone)]))
