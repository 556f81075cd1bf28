"""What the driver is told of images elsewhere, what they were taken to mean, what was adopted."""

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from reconciler.model.adoption import Adoptions
from reconciler.model.pin import Pin, PinKey
from reconciler.ports import Ledger


class Forgetful:
    """Implements `ports.Ledger` for as long as this process lives."""

    def __init__(self) -> None:
        self._pins: dict[PinKey, Pin] = {}
        self._ids: dict[str, str] = {}

    def pins(self) -> Mapping[PinKey, Pin]:
        """Return what is remembered."""
        return dict(self._pins)

    def pin(self, key: PinKey, pin: Pin) -> None:
        """Remember."""
        self._pins[key] = pin

    def restore(self, pins: Mapping[PinKey, Pin]) -> None:
        """Remember what is not."""
        self._pins = {**pins, **self._pins}

    def ids(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def recognised(self, name: str, image_id: str, *, made: bool = False) -> str:
        """Return the first id that was seen under a name, or that was made."""
        if made:
            self._ids[name] = image_id
        return self._ids.setdefault(name, image_id)


class NothingAdopted:
    """Implements `ports.Inventory`: all that is ours carries our label."""

    def adoptions(self) -> Adoptions:
        """Return nothing."""
        return Adoptions()

    def forget(self, ref: str) -> None:
        """Do nothing."""


def _nobody(_image: str) -> str:
    """Know no registry."""
    return ""


class Registry(Struct, frozen=True):
    """
    What is known of images elsewhere.

    `resolve` asks what a reference means, and returns nothing where that cannot be learned.
    """

    ledger: Ledger = field(default_factory=Forgetful)
    resolve: Callable[[str], str] = _nobody
