"""
How many bytes a directory takes on its disk, found out by `du` with the least claim to anything.

A process of its own can be ended at any moment, and does not hold up the threads of the loop. What
containers of a user keep belongs to ids that only Podman's user namespace may act for.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

_DEADLINE = 600.0
_LOOK_UP_SECONDS = 0.1
# What is allocated, on one file system, hard links once; only the place itself may be a link.
_MEASURE = ("du", "--summarize", "--one-file-system", "--dereference-args", "--block-size=1", "--")
# CONTAINER_HOST would make it a client of another machine's, which has no namespace here.
_AS_ROOT_OF_CONTAINERS = ("env", "-u", "CONTAINER_HOST", "podman", "unshare")
# Files that came and went meanwhile are no reason to know nothing.
_ENDED = frozenset({0, 1})  # 1: it complained
_VANISHED = "No such file or directory"


def allocated(
    place: str,
    stop: Event,
    deadline: float = _DEADLINE,
    *,
    rootful: bool = True,
) -> int | None:
    """Return the bytes; None where not all could be read, or it was stopped or took too long."""
    if not Path(place).is_dir():
        return None
    as_whom = () if rootful else _AS_ROOT_OF_CONTAINERS
    try:
        child = subprocess.Popen(
            [*as_whom, "env", "LC_ALL=C", *_politely(), *_MEASURE, place],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError:
        return None
    with child:
        answer = _answer(child, stop, time.monotonic() + deadline)
    return _total(*answer) if answer and child.returncode in _ENDED else None


def _politely() -> Sequence[str]:
    nice = ("nice", "-n", "19") if shutil.which("nice") else ()
    idle = ("ionice", "-c", "3") if shutil.which("ionice") else ()
    return (*nice, *idle)


def _answer(
    child: "subprocess.Popen[str]",
    stop: Event,
    ends: float,
) -> tuple[str, str] | None:
    """Return what it printed and complained of; end it where nobody waits for that any more."""
    while not stop.is_set() and time.monotonic() < ends:
        try:
            return child.communicate(timeout=_LOOK_UP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    return None


def _total(printed: str, complaints: str) -> int | None:
    if any(not line.endswith(_VANISHED) for line in complaints.splitlines()):
        return None
    number = printed.partition("\t")[0]
    return int(number) if number.isdecimal() else None
