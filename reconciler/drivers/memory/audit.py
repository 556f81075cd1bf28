"""An audit log in memory, and one that is full."""

from reconciler.errors import AuditError
from reconciler.model.change import Change, Outcome


class MemoryAudit:
    """Implements `ports.Audit`. While `full` says why, nothing can be put on record."""

    def __init__(self) -> None:
        self.full = ""
        self.begun: list[Change] = []
        self.outcomes: list[Outcome] = []

    def begins(self, change: Change) -> None:
        """Remember it, unless full."""
        if self.full:
            raise AuditError(self.full)
        self.begun.append(change)

    def ended(self, outcome: Outcome) -> None:
        """Remember it."""
        self.outcomes.append(outcome)
