"""The status of this box: what a running loop wrote down, or a look of our own."""

import time
from threading import Event
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.status import Status
from reconciler.report.status_file import load_status

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.config import Settings


class Seen(Struct, frozen=True):
    """A status; `loop` says which running loop told it, and is empty after a look of our own."""

    status: Status
    loop: str = ""


FIRST_SECONDS = 3.0  # that a loop has for its first word, before others look for themselves
_STEP = 0.05


def _told(path: "Path") -> Status | None:
    """Return what the loop wrote down; one that has just begun is waited for, a little."""
    ends = time.monotonic() + FIRST_SECONDS
    while (told := load_status(path)) is None and time.monotonic() < ends:
        Event().wait(_STEP)
    return told


def look(settings: "Settings") -> Seen:
    """Return the status. With a loop at work this reads one small file and loads no engine."""
    from reconciler import wiring

    holder = wiring.lock_holder(settings)
    if holder is not None:
        told = _told(wiring.status_path(settings))
        if told is not None:
            return Seen(told, holder)
    with wiring.reader(settings) as reconciler:
        return Seen(reconciler.describe())
