"""Signals for a loop: SIGINT and SIGTERM stop it, SIGHUP wakes it."""

import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Thread
from types import FrameType

_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def told_by_signals(stop: Callable[[], None], wake: Callable[[], None]) -> Generator[None]:
    """
    Call `stop` and `wake` when signals come, from a thread of their own.

    A handler itself must not: it may interrupt the very code that holds the lock it needs. The
    second signal to stop ends the process at once, which loses nothing.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    thread = Thread(target=_listen, args=(reading, stop, wake), name="signals", daemon=True)
    thread.start()
    descriptor = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, _heard) for number in _HEARD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        writing.close()
        thread.join()
        reading.close()


def _heard(number: int, _frame: FrameType | None) -> None:
    """Have the next signal to stop end the process."""
    if number != signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)


def _listen(reading: socket.socket, stop: Callable[[], None], wake: Callable[[], None]) -> None:
    while numbers := reading.recv(64):
        for number in numbers:
            (wake if number == signal.SIGHUP else stop)()
