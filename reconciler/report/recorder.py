"""
Tells everybody who wants to know; implements `ports.Recorder`.

A listener that fails hurts neither the loop nor the others.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct

from reconciler.model.change import Outcome, Result
from reconciler.model.status import Status
from reconciler.report.event import Event
from reconciler.report.transitions import outcome_event, transitions, tried_once_more

_What = TypeVar("_What")


class Listeners(Struct, frozen=True):
    """Who is told of each pass, of each change that ended, and of what happened."""

    passed: tuple[Callable[[Status], None], ...] = ()
    finished: tuple[Callable[[Outcome], None], ...] = ()
    told: tuple[Callable[[tuple[Event, ...]], None], ...] = ()


class FanOut:
    """
    Works out once what happened, and hands it round.

    `previous` is the status of the life before, so that a restart is no news. `bug` takes what a
    listener raised.
    """

    def __init__(
        self,
        listeners: Listeners,
        bug: Callable[[BaseException], None],
        previous: Status | None = None,
    ) -> None:
        self._listeners = listeners
        self._bug = bug
        self._previous = previous
        self._failures: dict[str, str] = {}

    def passed(self, status: Status) -> None:
        """Record a pass and the state of all apps after it."""
        events = self._safely(lambda: tuple(transitions(self._previous, status)))
        self._previous = status
        self._each(self._listeners.passed, status)
        self._tell(events)

    def finished(self, outcome: Outcome) -> None:
        """Record a change that ended."""
        self._each(self._listeners.finished, outcome)
        if self._is_news(outcome):
            event = outcome_event(outcome)
            self._tell((event,) if event else ())

    def _is_news(self, outcome: Outcome) -> bool:
        """Say whether it is not the same failure again."""
        app = outcome.change.app
        if outcome.result in {Result.FAILED, Result.UNAVAILABLE}:
            known = self._failures.get(app)
            self._failures[app] = outcome.message
            return known != outcome.message
        if outcome.result is Result.APPLIED:
            self._failures.pop(app, None)
            before = self._previous.of(app) if self._previous else None
            return not tried_once_more(before, outcome.change.action)
        return True

    def _tell(self, events: tuple[Event, ...]) -> None:
        if events:
            self._each(self._listeners.told, events)

    def _each(self, listeners: Iterable[Callable[[_What], None]], what: _What) -> None:
        for listener in listeners:
            try:
                listener(what)
            except Exception as error:  # noqa: BLE001 - telling must never stop the loop
                self._bug(error)

    def _safely(self, work: Callable[[], tuple[Event, ...]]) -> tuple[Event, ...]:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - telling must never stop the loop
            self._bug(error)
            return ()
