"""
Sockets inside a container's network, made without leaving our own.

A socket belongs to the namespace in which it was made, whoever uses it afterwards. It is made in
a thread that enters the namespace and then ends, so no thread that goes on is ever in there.
"""

import ctypes
import os
import socket
import sys
import threading
from pathlib import Path

from msgspec import Struct

from reconciler.drivers.podman.liveness import Liveness

_CLONE_NEWNET = 0x40000000
_PATIENCE = 10.0


class _Made(Struct):
    opened: socket.socket | None = None
    error: OSError | None = None


def socket_in(liveness: Liveness, pid: int, ref: str, family: int) -> socket.socket:
    """Make a stream socket in a container's network; ProcessLookupError: it has no process."""
    try:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ProcessLookupError from error
    try:
        # Asked once the namespace is held: then it is that container's, whatever ends meanwhile.
        if not liveness.runs(pid, ref):
            raise ProcessLookupError
        if _same(namespace):
            return socket.socket(family, socket.SOCK_STREAM)
        return _in_a_thread(namespace, family)
    finally:
        os.close(namespace)


def _same(namespace: int) -> bool:
    theirs, ours = os.fstat(namespace), Path("/proc/thread-self/ns/net").stat()
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _in_a_thread(namespace: int, family: int) -> socket.socket:
    made = _Made()

    def enter_and_make() -> None:
        try:
            _enter(namespace)
            made.opened = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            made.error = error

    thread = threading.Thread(target=enter_and_make, name="in-a-container", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if made.opened is None:
        raise made.error or TimeoutError("no socket in time")
    return made.opened


def _enter(namespace: int) -> None:
    if sys.version_info >= (3, 12):
        os.setns(namespace, _CLONE_NEWNET)
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
