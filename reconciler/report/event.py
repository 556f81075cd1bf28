"""One thing that happened, as it is told: to the journal, the log, and whoever watches."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class EventKind(StrEnum):
    """What an event is about."""

    ACTION = "action"  # what the reconciler will do to an app, or why it will not
    CHANGE = "change"  # a change ended
    READY = "ready"  # an app serves, or no longer does
    STALLED = "stalled"  # a person has to act, or no longer has to
    HEALTH = "health"
    DISK = "disk"  # the volumes of an app hold more than they may, or no longer
    ISOLATION = "isolation"  # an app reaches what it must not, or not what it may, or no longer
    CONFINEMENT = "confinement"  # the kernel lets an app do more than written, or no longer
    APPROVAL = "approval"  # an app runs with what is not approved, or no longer does
    ANOMALY = "anomaly"  # something is not as on an ordinary day, or is again
    PURGE = "purge"  # the data of an app was deleted, because an operator said so
    GONE = "gone"  # nothing of an app is left
    PROBLEM = "problem"  # something in a file has to be mended, or was
    ENGINE = "engine"  # the container engine answers, or does not
    NOTICE = "notice"  # something the operator should know


class Level(StrEnum):
    """How much an event matters to somebody who is not looking."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Event(Struct, frozen=True):
    """
    One thing that happened. `app` is empty where it concerns no single app.

    `reason` is one word for machines, `message` is for people.
    """

    app: str
    kind: EventKind
    reason: str
    message: str
    at: datetime
    level: Level = Level.INFO
