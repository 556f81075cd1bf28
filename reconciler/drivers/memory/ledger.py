"""What images were taken to mean, in memory. Implements `ports.Ledger`."""

from collections.abc import Mapping

from reconciler.model.pin import Pin, PinKey


class MemoryLedger:
    """Outlives every driver, as a file does, until a test loses it."""

    def __init__(self) -> None:
        self._pins: dict[PinKey, Pin] = {}

    def pins(self) -> Mapping[PinKey, Pin]:
        """Return what is remembered."""
        return dict(self._pins)

    def pin(self, key: PinKey, pin: Pin) -> None:
        """Remember."""
        self._pins[key] = pin

    def restore(self, pins: Mapping[PinKey, Pin]) -> None:
        """Remember what is not."""
        for key, pin in pins.items():
            known = self._pins.get(key)
            if known is None or known.image != pin.image:
                self._pins[key] = pin

    def lose(self) -> None:
        """Forget everything."""
        self._pins.clear()
