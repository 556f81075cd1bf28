"""What is not as on an ordinary day: nothing is decided by it, a person is to look."""

from enum import StrEnum

from msgspec import Struct


class AnomalyKind(StrEnum):
    """What is odd. For readers: docs/anomalies.md."""

    UNEXPLAINED = "Unexplained"
    IMAGE_DIFFERS = "ImageDiffers"
    FOREIGN_EXEC = "ForeignExec"
    RESTARTS_OFTEN = "RestartsOften"
    MEMORY_LIMIT_HIT = "MemoryLimitHit"
    PIDS_LIMIT_HIT = "PidsLimitHit"
    PERMISSIONS_GROWN = "PermissionsGrown"
    SIGNER_CHANGED = "SignerChanged"
    VERIFICATION_FAILS = "VerificationFails"


class Anomaly(Struct, frozen=True):
    """
    One thing that is odd, and what to do about it.

    `what` says of which thing of the app it is told: a container, or what it is called. The same
    kind, app and `what` are the same anomaly, whatever its message says by now.
    """

    kind: AnomalyKind
    app: str
    what: str
    message: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.kind, self.app, self.what
