"""Tells of a lasting trouble once, until it has passed."""

from collections.abc import Callable

Warn = Callable[[str], None]


class WarnOnce:
    """Remembers whether the trouble was told."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._told = False

    def tell(self, message: str) -> None:
        """Tell it, the first time."""
        if not self._told:
            self._told = True
            self._warn(message)

    def forget(self) -> None:
        """Begin anew: it works again."""
        self._told = False
