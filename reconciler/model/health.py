"""What probes found: counted facts, and the word that `core.health` makes of them."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class HealthState(StrEnum):
    """How a running container is. NONE: it has no check, so running is all that is known."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class ProbeResult(Struct, frozen=True):
    """One probe: did it answer well, and if not, what was wrong (no addresses, no times)."""

    ok: bool
    message: str = ""


class ProbeRecord(Struct, frozen=True):
    """
    All probes of one run of a container, counted.

    A run is one start: `ref`, `pid` and `started_at` together (engines tell whole seconds).
    `failures` is the present streak.
    """

    ref: str
    started_at: datetime | None
    pid: int = 0
    succeeded: bool = False
    failures: int = 0
    message: str = ""
    last_at: datetime | None = None
    healthy_since: datetime | None = None


class Health(Struct, frozen=True):
    """The health of one container, or of an app as the worst of its containers."""

    state: HealthState
    message: str = ""
