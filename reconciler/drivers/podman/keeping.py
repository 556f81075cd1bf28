"""Keeps a service answering, without holding up the loop for longer than a moment."""

from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from reconciler.errors import ReconcilerError

MOMENT_SECONDS = 3.0  # a service that died is back by then; one that hangs takes much longer


class Keeper:
    """
    Calls `ensure`, which may take as long as it takes to end a process that hangs.

    What takes long goes on beside the passes: they tell that nobody answers. For one thread.
    """

    def __init__(self, ensure: Callable[[], object], moment: float = MOMENT_SECONDS) -> None:
        self._ensure = ensure
        self._moment = moment
        self._thread: Thread | None = None

    def __call__(self) -> None:
        """Have it answering, or have that begun; what cannot be helped shows in the pass."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._try, name="service", daemon=True)
            self._thread.start()
        self._thread.join(self._moment)

    def _try(self) -> None:
        with suppress(ReconcilerError):
            self._ensure()
