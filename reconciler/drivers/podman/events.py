"""
Podman's event stream: something happened to a container of ours, look.

What happened is not passed on: who wakes looks at everything. Own thread, own connection; when
that breaks it wakes, and is made again with back-off and jitter, and wakes again, since nobody
knows what was missed meanwhile.
"""

import json
import random
import threading
from collections.abc import Callable

from reconciler.drivers.podman.client import Client, Json, each_translated, json_object
from reconciler.drivers.podman.foreign_execs import ForeignExecs
from reconciler.drivers.podman.stream import Ask, Stream
from reconciler.errors import DriverError
from reconciler.model import labels

Wake = Callable[[], None]
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
# Our own probes make these; nothing that anybody plans by is changed by them. That somebody else
# ran a command is told all the same.
_IDLE = {"exec", "exec_died", "health_status", "attach"}
_WHAT = "read Podman's events"


class Events:
    """Reads the stream in a thread until closed."""

    def __init__(self, client: Client, instance: str, wake: Wake, execs: ForeignExecs) -> None:
        self._client = client
        self._execs = execs
        self._wake = wake
        self._filters = json.dumps(
            {"type": ["container"], "label": [f"{labels.INSTANCE}={instance}"]},
        )
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._stream: Stream | None = None
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._thread = threading.Thread(target=self._run, name="podman-events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed.is_set():
            try:
                stream = self._connect()
                # From before the first connection too, nobody knows what was missed.
                self._wake()
                pause = FIRST_PAUSE
                self._read(stream)
            except DriverError:
                pass
            self._closed.wait(pause * self._random.uniform(0.5, 1.0))
            pause = min(LONGEST_PAUSE, pause * 2)

    def _connect(self) -> Stream:
        ask = Ask("GET", "events", {"stream": "true", "filters": self._filters})
        stream = self._client.stream("open_events", _WHAT, ask)
        with self._lock:
            self._stream = stream
            if self._closed.is_set():
                stream.close()
        return stream

    def _read(self, stream: Stream) -> None:
        try:
            for line in each_translated(_WHAT, stream.lines()):
                if line.strip() and self._is_news(json_object(line)):
                    self._wake()
        finally:
            stream.close()
            if not self._closed.is_set():
                self._wake()  # who looks finds that nobody answers, and may have that mended

    def _is_news(self, event: Json) -> bool:
        status, at = str(event.get("status")), event.get("timeNano")
        if status == "exec" and isinstance(at, int):
            return self._execs.came(str(event.get("id")), at / 1e9)
        return status not in _IDLE
