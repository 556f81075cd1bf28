"""One loop per instance: a lock that dies with its holder, so that a stale one does not exist."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from reconciler.errors import ConfigurationError
from reconciler.ports import Clock


@contextmanager
def hold(file: Path, clock: Clock) -> Generator[None]:
    """Hold the lock while the body runs; ConfigurationError names who else holds it."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = file.open("a+")
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise ConfigurationError(
            f"cannot use the state directory {file.parent}: {why}; give another with --state-dir",
        ) from error
    with stream:
        if not _locked(stream):
            raise ConfigurationError(
                f"cannot start: another loop of this instance runs already ({_said(stream)}); "
                "stop it first, or give this one an --instance and --state-dir of its own",
            )
        _say(stream, f"process {os.getpid()} since {clock.now():%Y-%m-%d %H:%M:%S} UTC\n")
        yield


def holder(file: Path) -> str | None:
    """Return who holds the lock, or None when nobody does. Changes nothing."""
    try:
        stream = file.open("r")
    except OSError:
        return None
    with stream:
        if _locked(stream, fcntl.LOCK_SH):
            return None
        return _said(stream)


def _locked(stream: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(stream: IO[str], who: str) -> None:
    """Write down who holds it; on a full disk nobody can read it, and it is held all the same."""
    with suppress(OSError):
        stream.truncate(0)
        os.write(stream.fileno(), who.encode())


def _said(stream: IO[str]) -> str:
    stream.seek(0)
    return stream.read().strip() or "it did not say who it is"
