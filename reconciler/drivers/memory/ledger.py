"""What images were taken to mean, in memory. Implements `ports.Ledger`."""

from collections.abc import Mapping

from reconciler.model.pin import Pin, PinKey


class MemoryLedger:
    """Outlives every driver, as a file does, until a test loses it."""

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
        for key, pin in pins.items():
            known = self._pins.get(key)
            if known is None or known.image != pin.image:
                self._pins[key] = pin

    def ids(self) -> Mapping[str, str]:
        """Return the ids that were recognised."""
        return dict(self._ids)

    def recognised(self, name: str, image_id: str, *, made: bool = False) -> str:
        """Return the first id that was seen under a name, or that was made."""
        if made:
            self._ids[name] = image_id
        return self._ids.setdefault(name, image_id)

    def lose(self) -> None:
        """Forget everything."""
        self._pins.clear()
        self._ids.clear()
