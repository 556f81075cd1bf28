"""When apps are tried, and when a result counts."""

import threading
import time

import pytest
from msgspec.structs import replace

from reconciler import trials
from reconciler.errors import DriverConflict, DriverUnavailable
from reconciler.model.isolation import IsolationSpec
from reconciler.model.trial import Attempt, Reach, Target, Trial, Wanted
from reconciler.trials import TrialRunner

RULES = IsolationSpec("web", "ar-web")
TRIAL = Trial("id", 7, RULES, (Attempt("db", Target("10.0.0.1", 9), Wanted.NOT_ARRIVES),))

SHUT = replace(TRIAL.attempts[0], wanted=Wanted.SHUT)


class Clock:
    def monotonic(self):
        return time.monotonic()


class Engine:
    """Answers with what is next, and with the last for ever."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), 0
        self.asked = threading.Condition()

    def reach(self, ref, targets):
        assert (ref, targets) == (TRIAL.ref, TRIAL.targets)
        with self.asked:
            self.calls += 1
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.asked.notify_all()
        if isinstance(answer, Exception):
            raise answer
        return (answer,)

    def asked_often(self, times):
        with self.asked:
            return self.asked.wait_for(lambda: self.calls >= times, 5)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for name in ("FIRST_SECONDS", "AGAIN_SECONDS", "FAILED_SECONDS"):
        monkeypatch.setattr(trials, name, 0.01)


@pytest.fixture
def rig():
    made = []

    def make(*answers, interval=3600.0):
        engine, woken, bugs = Engine(*answers), threading.Event(), []
        runner = TrialRunner(engine, Clock(), woken.set, bugs.append, interval)
        made.append(runner)
        return runner, engine, woken, bugs

    yield make
    for runner in made:
        runner.close()


def results(runner):
    return [tried.results for tried in runner.records().values()]


def test_a_result_counts_when_it_came_twice(rig):
    runner, engine, woken, _ = rig(Reach.OPEN, Reach.SHUT, Reach.SHUT)
    runner.watch({"web": TRIAL})
    assert woken.wait(5)
    assert results(runner) == [(Reach.SHUT,)]
    assert runner.records()["web"].trial is TRIAL
    assert engine.calls == 3


def test_who_refused_once_did_so(rig):
    for answers in ([Reach.SHUT, Reach.SILENT], [Reach.SILENT, Reach.SILENT, Reach.SHUT]):
        runner, engine, woken, _ = rig(*answers)
        runner.watch({"web": replace(TRIAL, attempts=(SHUT,))})
        assert woken.wait(5)
        assert engine.calls == len(answers)
        assert results(runner) == [(Reach.SHUT,)]


@pytest.mark.parametrize(("wanted", "runs"), [(Wanted.NOT_ARRIVES, 2), (Wanted.SHUT, trials.MOST)])
def test_silence_is_an_answer_after_some_runs(rig, wanted, runs):
    runner, engine, woken, _ = rig(Reach.SILENT)
    asked = replace(TRIAL, attempts=(replace(TRIAL.attempts[0], wanted=wanted),))
    runner.watch({"web": asked})
    assert woken.wait(5)
    assert (engine.calls, results(runner)) == (runs, [(Reach.SILENT,)])


def test_the_same_again_after_the_interval_wakes_nobody(rig):
    runner, engine, woken, _ = rig(Reach.SHUT, interval=0.01)
    runner.watch({"web": TRIAL})
    assert woken.wait(5)
    woken.clear()
    assert engine.asked_often(6)
    assert not woken.is_set()


def test_what_changed_wakes(rig):
    runner, _, woken, _ = rig(Reach.SHUT, Reach.SHUT, Reach.OPEN, interval=0.01)
    runner.watch({"web": TRIAL})
    assert woken.wait(5)
    ends = time.monotonic() + 5
    while results(runner) != [(Reach.OPEN,)] and time.monotonic() < ends:
        time.sleep(0.01)
    assert results(runner) == [(Reach.OPEN,)]


def test_the_same_trial_is_not_begun_anew_and_another_is(rig):
    runner, engine, woken, _ = rig(Reach.SHUT)
    for _ in range(3):
        runner.watch({"web": TRIAL})
    assert woken.wait(5)
    runner.watch({"web": TRIAL})
    time.sleep(0.1)
    assert engine.calls == 2
    woken.clear()
    runner.watch({"web": Trial("id", 8, RULES, TRIAL.attempts)})
    assert woken.wait(5)
    assert runner.records()["web"].trial.pid == 8


def test_what_is_not_there_any_more_is_forgotten(rig):
    runner, _, woken, _ = rig(Reach.SHUT)
    runner.watch({"web": TRIAL})
    assert woken.wait(5)
    runner.watch({})
    assert runner.records() == {}


@pytest.mark.parametrize("error", [DriverConflict("gone"), DriverUnavailable("nobody")])
def test_what_cannot_be_tried_is_tried_again_and_says_nothing(rig, error):
    runner, engine, woken, bugs = rig(Reach.OPEN, error, Reach.SHUT, Reach.SHUT)
    runner.watch({"web": TRIAL})
    assert woken.wait(5)
    assert (results(runner), engine.calls, bugs) == ([(Reach.SHUT,)], 4, [])


def test_a_bug_is_told_and_the_others_are_tried(rig):
    runner, _, woken, bugs = rig(ZeroDivisionError("oh"), Reach.SHUT)
    runner.watch({"web": TRIAL})
    assert woken.wait(5)
    assert [str(b) for b in bugs] == ["oh"]


def test_nothing_is_taken_after_it_was_closed(rig):
    runner, _, woken, _ = rig(Reach.SHUT)
    runner.close()
    runner.watch({"web": TRIAL})
    time.sleep(0.1)
    assert not woken.is_set()
    assert runner.records() == {}
