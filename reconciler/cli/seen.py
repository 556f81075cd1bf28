"""The status of this box: what a running loop wrote down, or a look of our own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.status import Status
from reconciler.report.status_file import load_status

if TYPE_CHECKING:
    from reconciler.config import Settings


@dataclass(frozen=True, slots=True)
class Seen:
    """A status; `loop` says which running loop told it, and is empty after a look of our own."""

    status: Status
    loop: str = ""


def look(settings: "Settings") -> Seen:
    """Return the status. With a loop at work this reads one small file and loads no engine."""
    from reconciler import wiring

    holder = wiring.lock_holder(settings)
    if holder is not None:
        told = load_status(wiring.status_path(settings))
        if told is not None:
            return Seen(told, holder)
    with wiring.reader(settings) as reconciler:
        return Seen(reconciler.describe())
