"""Who may reach whom: the isolation of one app, enforced where its packets are forwarded."""

from enum import StrEnum

from msgspec import Struct

Names = tuple[tuple[str, str], ...]  # sorted pairs of a name and the address that it stands for


# What the local network usually is. Not 169.254/16: what a cloud tells of its machine is there.
LAN_RANGES = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


class Egress(StrEnum):
    """
    Where an app's own connections may lead, besides its passages. Never to the machine itself.

    INTERNET: public addresses alone. LAN: besides, those of the local network. NONE: nowhere; even
    names are asked of nobody, since who answers them passes questions on.
    """

    INTERNET = "internet"
    LAN = "lan"
    NONE = "none"


class Passage(Struct, frozen=True):
    """One port of another app's network that may be reached; the answers flow back."""

    app: str
    interface: str
    port: int
    protocol: str = "tcp"

    @property
    def key(self) -> tuple[str, int, str]:
        """What passages are sorted by."""
        return (self.app, self.port, self.protocol)


class IsolationSpec(Struct, frozen=True):
    """
    An app whose network is shut but for its passages, sorted, and the way out.

    Networks are told apart by the names of their bridges: these are known before a bridge is
    there, and outlive every address.
    """

    app: str
    interface: str
    passages: tuple[Passage, ...] = ()
    egress: Egress = Egress.INTERNET
