"""A command inside a container, with a deadline that is really kept (Podman's own is not)."""

import os
import signal
import threading
import time
from contextlib import suppress

from reconciler.drivers.podman.client import Client, Json, Request, each_translated
from reconciler.drivers.podman.liveness import Liveness
from reconciler.drivers.podman.stream import Ask, Stream
from reconciler.errors import DriverUnavailable
from reconciler.model.container import HealthCheck
from reconciler.model.health import ProbeResult

LONGEST = 200
_MOST_OUTPUT = 65536
_WHAT = "run the check"


def run(client: Client, liveness: Liveness, ref: str, check: HealthCheck) -> ProbeResult:
    """Run the check's command; its exit code decides, its last line is the message."""
    ends = time.monotonic() + check.timeout
    session = _create(client, ref, check)
    try:
        output = _output(client, session, check)
        code = _exit_code(client, session, ends)
    except DriverUnavailable:
        if time.monotonic() < ends:
            raise
        code, output = None, b""
    if code is None:
        _kill(client, liveness, session, ref)
        return ProbeResult(False, f"no answer within {check.timeout:g} s")
    if code == 0:
        return ProbeResult(True)
    lines = output.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ProbeResult(False, f"exit code {code}{': ' if last else ''}{last}"[:LONGEST])


def _create(client: Client, ref: str, check: HealthCheck) -> str:
    request = Request(
        "create_exec",
        _WHAT,
        "POST",
        f"/containers/{ref}/exec",
        body={"Cmd": list(check.command), "AttachStdout": True, "AttachStderr": True},
        timeout=check.timeout,
    )
    return str(client.call(request).object()["Id"])


def _output(client: Client, session: str, check: HealthCheck) -> bytes:
    ask = Ask(
        "POST",
        f"exec/{session}/start",
        body=b'{"Detach": false, "Tty": false}',
        headers={"Content-Type": "application/json"},
        deadline=check.timeout,
    )
    stream = client.stream("start_exec", _WHAT, ask)
    try:
        return _end_of(stream)
    finally:
        stream.close()


def _end_of(stream: Stream) -> bytes:
    """Return the end of what it printed; the rest may be of any length."""
    output = b""
    for _, piece in each_translated(_WHAT, stream.frames()):
        output = (output + piece)[-_MOST_OUTPUT:]
    return output


def _exit_code(client: Client, session: str, ends: float) -> int | None:
    """Return the exit code; Podman learns of it a moment after the output ended."""
    pause = threading.Event()
    while True:
        state = _inspect(client, session)
        if not state.get("Running"):
            return int(state.get("ExitCode") or 0)
        if time.monotonic() >= ends:
            return None
        pause.wait(0.01)


def _kill(client: Client, liveness: Liveness, session: str, ref: str) -> None:
    """End a command that is over its time, or they would pile up in there."""
    pid = int(_inspect(client, session).get("Pid") or 0)
    if liveness.rootful and liveness.runs(pid, ref):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _inspect(client: Client, session: str) -> Json:
    request = Request("inspect_exec", _WHAT, "GET", f"/exec/{session}/json", timeout=5.0)
    return client.call(request).object()
