"""
The one tree of errors. An error's type tells the loop what to do next.

    ReconcilerError
    ├── ConfigurationError        the operator's settings: exit and say so
    ├── ManifestError             hold the app until an edit              Stalled
    │   └── DependencyCycle
    ├── DriverError
    │   ├── DriverUnavailable     nobody answered: end the pass, try again, remove nothing
    │   ├── DriverConflict        the world moved: plan again at once
    │   └── DriverRejected        it said no: back off                    Reconciling
    ├── SecretError               a secret cannot be kept or read: back off   Reconciling
    ├── AuditError                it cannot be written down: do not do it
    ├── SourceError               a git source did not say: what is in force stays
    ├── RegistryError             it did not say: nothing is known of what is newer
    ├── TrustError                not verified, not approved: hold        Stalled
    └── HealthTimeout             never well: back off

Messages begin with "cannot", name the thing, say why, and what to do next.
"""


class ReconcilerError(Exception):
    """Anything this program raises on purpose; its text is fit for the operator."""


class ConfigurationError(ReconcilerError):
    """The settings, or the machine, do not allow what was asked."""


class ManifestError(ReconcilerError):
    """A document cannot be used as it stands."""


class DependencyCycle(ManifestError):
    """Apps require each other in a ring."""


class DriverError(ReconcilerError):
    """The container engine did not do what was asked."""


class DriverUnavailable(DriverError):
    """Nobody answered, or not in time: nothing is known about the world."""


class DriverConflict(DriverError):
    """The world moved between looking and acting."""


class DriverRejected(DriverError):
    """The engine understood and refused."""


class SecretError(ReconcilerError):
    """A secret cannot be made, kept or read. Its value is never in the message."""


class AuditError(ReconcilerError):
    """What was to be done cannot be written down, so it must not be done."""


class SourceError(ReconcilerError):
    """A source did not say what is desired now; what it said before stays in force."""


class RegistryError(ReconcilerError):
    """A registry did not say what a name means; nothing is touched for that."""


class TrustError(ReconcilerError):
    """Not verified or not approved."""


class HealthTimeout(ReconcilerError):
    """Started, and never became well within its deadline."""
