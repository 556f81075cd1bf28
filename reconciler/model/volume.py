"""Data volumes as they are found, and what the state folder keeps of an app beside them."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class ObservedVolume(Struct, frozen=True):
    """
    One volume. `app` is empty where it is named as ours are and nobody labelled it: not ours.

    `secrets` are the names of those that its data may hang on; None: it was made before that was
    written down.
    """

    name: str
    app: str
    created_at: datetime | None = None
    secrets: tuple[str, ...] | None = None


class Presence(StrEnum):
    """
    What there is of an app beside its data.

    RUNNING: a container runs. DESIRED: it should be, and nothing of it runs. STOPPED: nobody
    wants it, and a container is there still. REMOVED: nobody wants it, and nothing is left but its
    data. UNKNOWN: what is wanted cannot be read. FOREIGN: the data is not ours.
    """

    RUNNING = "running"
    DESIRED = "desired"
    STOPPED = "stopped"
    REMOVED = "removed"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"


class Kept(Struct, frozen=True):
    """
    What the state folder keeps of an app.

    `copies` of files that others share, `pins` of its images, `documents` that were last good.
    """

    secrets: tuple[str, ...] = ()
    copies: int = 0
    pins: int = 0
    documents: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.secrets or self.copies or self.pins or self.documents)
