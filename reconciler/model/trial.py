"""What is tried from inside an app's network, and what became of it."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from reconciler.model.isolation import IsolationSpec

MACHINE: Final = ""  # stands for the machine itself, at the addresses that it has


class Reach(StrEnum):
    """
    What became of a connection that was tried.

    OPEN: it was made. CLOSED: who is there refused it. SILENT: nobody answered. SHUT: somebody on
    the way refused to pass it on.
    """

    OPEN = "open"
    CLOSED = "closed"
    SILENT = "silent"
    SHUT = "shut"

    @property
    def arrived(self) -> bool:
        """Whether what was sent came where it was sent; a refusal from there says so as well."""
        return self in {Reach.OPEN, Reach.CLOSED}


class Target(Struct, frozen=True):
    """An address, or MACHINE, and a port of TCP."""

    address: str
    port: int


class Wanted(StrEnum):
    """
    What has to become of it.

    ARRIVES: it has to arrive. NOT_ARRIVES: it must not. SHUT: it has to be refused, since where it
    is sent nobody may be there to answer. CONTROL: it arrives whatever the rules are; where it
    does not, the others say nothing.
    """

    ARRIVES = "arrives"
    NOT_ARRIVES = "not-arrives"
    SHUT = "shut"
    CONTROL = "control"


class Attempt(Struct, frozen=True):
    """One connection to be tried; `name` says in words to whom."""

    name: str
    target: Target
    wanted: Wanted


class Trial(Struct, frozen=True):
    """All that is tried from one container of an app, while these are its rules."""

    ref: str
    pid: int
    rules: IsolationSpec
    attempts: tuple[Attempt, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return what is tried, in that order."""
        return tuple(attempt.target for attempt in self.attempts)


class Tried(Struct, frozen=True):
    """A trial that was made, and what became of each attempt."""

    trial: Trial
    results: tuple[Reach, ...]
