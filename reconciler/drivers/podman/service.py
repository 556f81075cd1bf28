"""
Podman's API service as a child of ours, for machines where nobody else runs one.

It listens on a private socket (a directory of mode 0700) and lives in a session of its own, so
that Ctrl-C does not reach it. One that we left behind is reused by the next start rather than
bound to our life by the kernel: after a kill -9 of this program a request in flight still
completes, and no second service piles up.

Containers outlive the service: each has a conmon, which Podman moves out of our control group
(to a scope of systemd's, or to `libpod_parent`). Only a rootless Podman that uses cgroupfs under
systemd cannot move it: a unit that runs this program there needs `KillMode=process`.
"""

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from reconciler.drivers.podman.endpoint import LONGEST_PATH, answers
from reconciler.drivers.podman.host import prepare_host
from reconciler.errors import ConfigurationError, DriverUnavailable

_COMMAND = "podman"
_INSTALL = "run `make setup`, or name a running service with --podman"
START_DEADLINE = 20.0
STOP_DEADLINE = 15.0  # requests in flight are allowed to finish
HUNG_DEADLINE = 10.0
LONGEST_BACKOFF = 60.0
LONGEST_LOG = 1_000_000
BRIEF_SECONDS = 30
_POLL = 0.02
_NEVER = threading.Event()


class PodmanService:
    """
    One `podman system service`; `ensure` starts it, finds it again, and starts it anew.

    `idle_seconds` is for a look without a loop (`plan`, `status`): such a service ends by itself
    once nobody has asked for that long, and `stop` leaves it to that.
    """

    def __init__(
        self,
        state_directory: Path,
        instance: str,
        environment: Mapping[str, str],
        *,
        idle_seconds: int = 0,
    ) -> None:
        self._idle = idle_seconds
        self._directory = runtime_directory(instance, environment)
        name = "brief" if idle_seconds else "podman"
        self.socket = self._directory / f"{name}.sock"
        self._pid_file = self._directory / f"{name}.pid"
        self._state = state_directory
        self._log = state_directory / f"{name}-service.log"
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._started = 0.0
        self._short_lives = 0

    @classmethod
    def temporary(
        cls, state_directory: Path, instance: str, environment: Mapping[str, str]
    ) -> Self:
        """Return the running loop's service, or one that ends by itself when it is not needed."""
        loops = cls(state_directory, instance, environment)
        if answers(loops.socket):
            return loops
        return cls(state_directory, instance, environment, idle_seconds=BRIEF_SECONDS)

    @property
    def url(self) -> str:
        """The socket as Podman's clients want it."""
        return f"unix://{self.socket}"

    def start(self) -> Path:
        """Have it answering and return its socket; the same as `ensure`."""
        return self.ensure()

    def ensure(self) -> Path:
        """
        Have it answering and return its socket, at the price of one ping when all is well.

        DriverUnavailable when it cannot be started, or died so often that it is not time yet.
        """
        with self._lock:
            self._keep_log_short()
            if answers(self.socket):
                return self.socket
            with self._alone():
                if not self._answers_late():
                    self._end(STOP_DEADLINE)
                    self._wait_our_turn()
                    self._launch()
        return self.socket

    def stop(self) -> None:
        """End it: SIGTERM, on which requests in flight finish, and SIGKILL after a deadline."""
        if self._idle:
            self._reap()
            return
        with self._lock, self._alone():
            self._end(STOP_DEADLINE)

    def pid(self) -> int | None:
        """Return the process that listens on our socket, ours or left by an earlier life."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        # The number may be somebody else's by now.
        return pid if os.fsencode(self.url) in command else None

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Keep another program of this instance from starting one at the same time."""
        private_directory(self._directory)
        with (self._directory / "lock").open("w") as file:
            ends = time.monotonic() + START_DEADLINE
            while not _locked(file.fileno()):
                if time.monotonic() > ends:
                    raise DriverUnavailable(
                        f"cannot start Podman's service: {file.name} is locked by another "
                        f"process; end that one, or wait"
                    )
                _NEVER.wait(_POLL)
            yield

    def _answers_late(self) -> bool:
        """Say whether somebody else has started it meanwhile, or it was only slow."""
        ends = time.monotonic() + HUNG_DEADLINE
        self._reap()
        while self.pid() is not None and time.monotonic() < ends:
            if answers(self.socket):
                return True
            _NEVER.wait(_POLL)
            self._reap()
        return False

    def _wait_our_turn(self) -> None:
        """Raise while a service that keeps dying is not to be started again yet."""
        if not self._started:
            return
        lived = time.monotonic() - self._started
        if lived >= LONGEST_BACKOFF:
            self._short_lives = 0
        delay = min(LONGEST_BACKOFF, 2.0 ** (self._short_lives - 1) - 1)
        if lived < delay:
            raise DriverUnavailable(
                f"cannot reach Podman: its service keeps ending; it is started again after "
                f"{delay:.0f} s, and {self._log} has what it said"
            )

    def _launch(self) -> None:
        self._started = time.monotonic()
        self._short_lives += 1
        self.socket.unlink(missing_ok=True)
        try:
            self._child = self._spawn()
            self._pid_file.write_text(f"{self._child.pid}\n", encoding="ascii")
        except OSError as error:
            self._end_child()
            name = error.filename or self._state
            cure = _INSTALL if name == _COMMAND else "make room there"
            raise DriverUnavailable(
                f"cannot start Podman's service: {error.strerror}: {name}; {cure}"
            ) from error
        self._wait_until_it_answers(self._child)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._state.mkdir(parents=True, exist_ok=True)
        environment = {**self._environment, **prepare_host(self._state, self._environment)}
        # It would make this a client of another service.
        environment.pop("CONTAINER_HOST", None)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [_COMMAND, "system", "service", f"--time={self._idle}", self.url],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_until_it_answers(self, child: "subprocess.Popen[bytes]") -> None:
        ends = time.monotonic() + START_DEADLINE
        while not answers(self.socket):
            ended = child.poll()
            if ended is None and time.monotonic() < ends:
                _NEVER.wait(_POLL)
                continue
            if ended is None:
                self._end(0)
            why = f"did not answer in {START_DEADLINE:.0f} s" if ended is None else "ended"
            raise DriverUnavailable(
                f"cannot start Podman's service: it {why}: {self._last_words()}; "
                f"`archipelago doctor` looks for the cause"
            )

    def _end(self, grace: float) -> None:
        """End the process that listens on our socket, if there is one."""
        pid = self.pid()
        if pid is not None:
            for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                if self._gone_within(patience):
                    break
        self._reap(patience=5.0)
        self._pid_file.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._reap(patience=5.0)

    def _gone_within(self, seconds: float) -> bool:
        ends = time.monotonic() + seconds
        while self.pid() is not None:
            if time.monotonic() > ends:
                return False
            _NEVER.wait(_POLL)
            self._reap()
        return True

    def _reap(self, patience: float = 0) -> None:
        """Collect our child if it has ended; a dying one loses its command line before that."""
        with suppress(subprocess.TimeoutExpired):
            if self._child is not None:
                self._child.wait(patience)
                self._child = None

    def _keep_log_short(self) -> None:
        """Move what the log holds aside; the service appends, so it goes on at the start."""
        with suppress(OSError):
            if self._log.stat().st_size > LONGEST_LOG:
                shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
                os.truncate(self._log, 0)

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines:
                return lines[-1][:400]
        return "it said nothing"


def runtime_directory(instance: str, environment: Mapping[str, str]) -> Path:
    """Return the directory of the private socket: short, since a socket's path has to be."""
    name = f"archipelago-{instance}"
    if os.geteuid() == 0:
        directory = Path("/run", name)
    elif runtime := environment.get("XDG_RUNTIME_DIR"):
        directory = Path(runtime, name)
    else:
        directory = Path(tempfile.gettempdir(), f"archipelago-{os.geteuid()}-{instance}")
    longest = directory / "podman.sock"
    if len(os.fsencode(longest)) > LONGEST_PATH:
        raise ConfigurationError(
            f'cannot use the instance name "{instance}": the socket {longest} would have more '
            f"than {LONGEST_PATH} bytes in its path; choose a shorter name"
        )
    return directory


def private_directory(directory: Path) -> None:
    """Have `directory`, ours alone: whoever can write there can command our containers."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError(
            f"cannot use {directory} for Podman's socket: it is not a directory that only this "
            f"user can enter; remove it"
        )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
