"""What was tried lately: the memory that back-off needs. Losing it loses only patience."""

from datetime import datetime

from msgspec import Struct


class Attempts(Struct, frozen=True):
    """
    Failures in a row for one digest of one app, and one set of images.

    `failures` counts changes that failed; `starts` counts starts since the app was last well for
    its window, of the container that was started most often (`by_container` tells of each: what
    is started one after the other was started once), `repairs` what was put right in place since
    then; `since` is when the last of any happened.
    """

    digest: str = ""
    failures: int = 0
    starts: int = 0
    repairs: int = 0
    since: datetime | None = None
    message: str = ""
    by_container: tuple[tuple[str, int], ...] = ()
