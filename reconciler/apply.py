"""
Carries out one change, step by step. The only importer of tenacity.

It decides nothing: the steps are the plan's. It knows how often a step may be repeated, and it
looks, between two steps, whether it is still wanted.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import assert_never

from msgspec import Struct
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential_jitter,
)
from tenacity.nap import sleep_using_event

from reconciler.errors import (
    AuditError,
    DriverConflict,
    DriverRejected,
    DriverUnavailable,
    ReconcilerError,
)
from reconciler.model.change import (
    AttachNetwork,
    Change,
    CreateContainer,
    DetachNetwork,
    DrainContainer,
    EnsureNetwork,
    EnsureSecret,
    EnsureVolume,
    ForgetIsolation,
    Isolate,
    Outcome,
    PrepareImage,
    RemoveContainer,
    RemoveNetwork,
    Repair,
    Result,
    SetLimits,
    StartContainer,
    Step,
    StopContainer,
    WriteFiles,
    WriteNames,
)
from reconciler.model.step_words import describe
from reconciler.ports import Audit, Clock, Driver, Secrets

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 2.0

Progress = Callable[[str], None]
Retried = Callable[[str], None]
Made = dict[str, str]  # the ids of containers, by name


class Applier(Struct, frozen=True):
    """
    Applies changes with one driver and one keeper of secrets, and has `audit` know of each.

    `retried` is told the kind of each step that is repeated. Within a change only an engine that
    does not answer is asked again: it says nothing about the app. A refusal ends the change; the
    plan decides when to try anew.
    """

    driver: Driver
    secrets: Secrets
    audit: Audit
    clock: Clock
    retried: Retried = lambda _kind: None
    first_wait_seconds: float = FIRST_WAIT_SECONDS

    def apply(self, change: Change, stop: Event, progress: Progress) -> Outcome:
        """
        Take the steps until done, failed, or `stop` is set; our errors are outcomes.

        What cannot be put on record is not begun.
        """
        began = self.clock.now()
        try:
            self.audit.begins(change)
        except AuditError as error:
            return Outcome(change, Result.UNAVAILABLE, str(error), began, self.clock.now(), 0)
        outcome = self._carry_out(change, began, stop, progress)
        self.audit.ended(outcome)
        return outcome

    def _carry_out(
        self, change: Change, began: datetime, stop: Event, progress: Progress
    ) -> Outcome:
        done, made = 0, Made()
        result, message = Result.APPLIED, ""
        try:
            for step in change.steps:
                if stop.is_set():
                    result, message = Result.CANCELLED, "no longer wanted"
                    break
                progress(describe(step))
                made |= self._take(step, stop, progress)
                done += 1
        except ReconcilerError as error:
            result, message = _result(error), str(error)
        ended = self.clock.now()
        return Outcome(change, result, message, began, ended, done, tuple(made.items()))

    def _take(self, step: Step, stop: Event, progress: Progress) -> Made:
        retrying = Retrying(
            retry=retry_if_exception_type(DriverUnavailable),
            wait=wait_exponential_jitter(
                multiplier=self.first_wait_seconds,
                max=LONGEST_WAIT_SECONDS,
                jitter=self.first_wait_seconds,
            ),
            stop=stop_after_attempt(ATTEMPTS) | stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            before_sleep=lambda state: self._tell(step, state),
            reraise=True,
        )
        return retrying(self._once, step, stop, progress)

    def _tell(self, step: Step, _state: RetryCallState) -> None:
        self.retried(type(step).__name__)

    def _once(self, step: Step, stop: Event, progress: Progress) -> Made:  # noqa: C901, PLR0912 - every step
        match step:
            case PrepareImage(container):
                self.driver.prepare_image(container, progress)
            case EnsureNetwork(network):
                self.driver.ensure_network(network)
            case EnsureVolume(volume):
                self.driver.ensure_volume(volume)
            case EnsureSecret(secret):
                self.secrets.ensure(secret)
            case CreateContainer(container):
                return {container.container_name: self.driver.create(container)}
            case WriteFiles(ref, container):
                self.driver.write_files(ref, container)
            case StartContainer(ref, _, names):
                self.driver.start(ref, names)
            case DrainContainer(ref, grace):
                self.driver.drain(ref, grace, stop)
            case StopContainer(ref, grace):
                self.driver.stop(ref, grace)
            case RemoveContainer(ref):
                self.driver.remove(ref)
            case RemoveNetwork(name):
                self.driver.remove_network(name)
            case Isolate() | WriteNames() | ForgetIsolation():
                self._put_right(step)
            case AttachNetwork() | DetachNetwork() | SetLimits():
                self._put_right(step)
            case _:
                assert_never(step)
        return {}

    def _put_right(self, step: Repair) -> None:
        match step:
            case Isolate(isolation):
                self.driver.isolate(isolation)
            case WriteNames(ref, names):
                self.driver.write_names(ref, names)
            case AttachNetwork(ref, container):
                self.driver.attach(ref, container)
            case DetachNetwork(ref, network):
                self.driver.detach(ref, network)
            case SetLimits(ref, container):
                self.driver.set_limits(ref, container)
            case ForgetIsolation(app):
                self.driver.forget_isolation(app)
            case _:
                assert_never(step)


def _result(error: ReconcilerError) -> Result:
    match error:
        case DriverUnavailable():
            return Result.UNAVAILABLE
        case DriverConflict():
            return Result.CONFLICT
        case DriverRejected():
            return Result.FAILED
        case _:
            return Result.FAILED
