"""Who may reach whom: the isolation of one app, enforced where its packets are forwarded."""

from dataclasses import dataclass

Names = tuple[tuple[str, str], ...]  # sorted pairs of a name and the address that it stands for


@dataclass(frozen=True, slots=True)
class Passage:
    """One port of another app's network that may be reached; the answers flow back."""

    app: str
    interface: str
    port: int
    protocol: str = "tcp"

    @property
    def key(self) -> tuple[str, int, str]:
        """What passages are sorted by."""
        return (self.app, self.port, self.protocol)


@dataclass(frozen=True, slots=True)
class IsolationSpec:
    """
    An app whose network is shut but for its passages, sorted.

    Networks are told apart by the names of their bridges: these are known before a bridge is
    there, and outlive every address.
    """

    app: str
    interface: str
    passages: tuple[Passage, ...] = ()
