"""Parts of Podman's driver that need no Podman: lists, refusals, processes, conversations."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from contract.machines import Wakes, until

from reconciler.drivers.podman import asking, build_context, host_paths, shares
from reconciler.drivers.podman.client import Client, Request
from reconciler.drivers.podman.elsewhere import NothingAdopted
from reconciler.drivers.podman.listing import after_inspect, is_ours, moment, parse_item, state_of
from reconciler.drivers.podman.liveness import Liveness
from reconciler.drivers.podman.lookup import Lookup
from reconciler.drivers.podman.process_watch import ProcessWatch
from reconciler.drivers.podman.pulling import readable_pull_error
from reconciler.drivers.podman.refusal import refusal, tidy, without
from reconciler.drivers.podman.stream import Ask, Stream
from reconciler.errors import DriverConflict, DriverRejected, DriverUnavailable
from reconciler.model import labels
from reconciler.model.container import (
    ContainerSpec,
    HealthCheck,
    HealthKind,
    MountKind,
    MountSpec,
    ShareSpec,
)
from reconciler.model.observed import ContainerState

ID = "c23568839801120108162a2c84918f6d5faf0f962ac90e8484f73ea1b488e568"
# As Podman 4.3.1 listed it, with our labels instead of those of the trial.
ITEM = {
    "AutoRemove": False,
    "Command": ["httpd", "-f", "-p", "8080"],
    "Created": "2026-11-22T15:04:52.862422983Z",
    "Exited": False,
    "ExitedAt": -62135596800,
    "ExitCode": 0,
    "Id": ID,
    "Image": "localhost/probe-bb:1",
    "ImageID": "9c01c4cc012b7d5e00d860229ab648acc521b469b751d903a387a67494c8868b",
    "IsInfra": False,
    "Labels": {
        labels.INSTANCE: "box",
        labels.APP: "notes",
        labels.CONTAINER: "web",
        labels.DIGEST: "abc",
        labels.REQUIRES: "db,mail",
        labels.SOURCE: "notes.yaml",
        labels.STOP_GRACE_PERIOD: "2.5",
        "io.buildah.version": "1.28.2",
    },
    "Mounts": ["/tmp", "/data"],
    "Names": ["smp"],
    "Namespaces": {},
    "Networks": ["smp-eg", "smp-app"],
    "Pid": 16183,
    "Ports": None,
    "StartedAt": 1795359893,
    "State": "running",
    "Status": "healthy",
}


# --- lists -----------------------------------------------------------------------------------


def test_an_item_is_read():
    seen = parse_item(ITEM).container
    assert (seen.ref, seen.container_name, seen.pid) == (ID, "smp", 16183)
    assert (seen.app, seen.container, seen.digest) == ("notes", "web", "abc")
    assert (seen.requires, seen.source) == (("db", "mail"), "notes.yaml")
    assert (seen.stop_grace_period, seen.networks) == (2.5, ("smp-app", "smp-eg"))
    assert seen.state is ContainerState.RUNNING
    assert (seen.exit_code, seen.finished_at) == (None, None)
    assert seen.created_at == datetime(2026, 11, 22, 15, 4, 52, 862422, tzinfo=UTC)
    assert seen.started_at == datetime.fromtimestamp(1795359893, UTC)


def test_an_item_that_exited_has_its_code_and_end():
    changes = {"State": "exited", "Exited": True, "ExitCode": 3, "ExitedAt": 1795359900, "Pid": 0}
    seen = parse_item(ITEM | changes).container
    assert (seen.state, seen.exit_code) == (ContainerState.EXITED, 3)
    assert seen.finished_at == datetime.fromtimestamp(1795359900, UTC)


def test_an_item_that_never_ran_has_no_times():
    seen = parse_item(ITEM | {"State": "created", "StartedAt": -62135596800, "Pid": 0}).container
    assert (seen.state, seen.started_at, seen.exit_code) == (ContainerState.CREATED, None, None)


def test_an_item_without_anything_is_no_crash():
    bare = {"Id": ID, "Labels": None, "Names": None, "Networks": None, "State": "odd"}
    assert parse_item(bare).container.state is ContainerState.BROKEN
    assert not is_ours(bare, "box")


@pytest.mark.parametrize("missing", [labels.APP, labels.CONTAINER, labels.DIGEST, labels.INSTANCE])
def test_one_label_less_and_it_is_not_ours(missing):
    marks = {k: v for k, v in ITEM["Labels"].items() if k != missing}
    assert is_ours(ITEM, "box")
    assert not is_ours(ITEM | {"Labels": marks}, "box")
    assert not is_ours(ITEM, "bo")


STATES = [
    # word, process, watched, state
    ("created", False, False, ContainerState.CREATED),
    ("configured", False, False, ContainerState.CREATED),
    ("initialized", True, True, ContainerState.CREATED),
    ("initialized", False, False, ContainerState.BROKEN),
    ("running", True, True, ContainerState.RUNNING),
    ("running", True, False, ContainerState.RUNNING),
    ("running", False, True, ContainerState.ENDING),
    ("running", False, False, ContainerState.LOST),
    ("paused", True, True, ContainerState.PAUSED),
    ("paused", False, False, ContainerState.LOST),
    ("stopping", True, False, ContainerState.ENDING),
    ("stopping", False, True, ContainerState.ENDING),
    ("stopping", False, False, ContainerState.LOST),
    ("stopped", False, False, ContainerState.EXITED),
    ("exited", False, False, ContainerState.EXITED),
    ("removing", False, False, ContainerState.BROKEN),
    ("unknown", False, False, ContainerState.BROKEN),
    ("", False, False, ContainerState.BROKEN),
]


@pytest.mark.parametrize(("word", "process", "watched", "state"), STATES)
def test_what_a_word_means(word, process, watched, state):
    assert state_of(word, process=process, watched=watched) is state


def test_an_inspection_has_the_last_word():
    state = {"Status": "exited", "ExitCode": 9, "FinishedAt": "2026-11-22T15:05:00.123456789Z"}
    seen = after_inspect(parse_item(ITEM), {"State": state}, process=False, watched=False)
    assert (seen.container.state, seen.container.exit_code) == (ContainerState.EXITED, 9)
    assert seen.container.finished_at == datetime(2026, 11, 22, 15, 5, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "", "soon", None, 7])
def test_what_is_no_moment(text):
    assert moment(text) is None


# --- refusals --------------------------------------------------------------------------------

REFUSALS = [
    (404, '{"message": "no such container"}', DriverConflict, "no such container"),
    (409, '{"message": "exists"}', DriverConflict, "exists"),
    (500, '{"cause": "c", "message": "m"}', DriverRejected, "m"),
    (500, "not JSON", DriverRejected, "not JSON"),
    (500, "[1]", DriverRejected, "[1]"),
    (503, "{}", DriverUnavailable, "{}"),
]


@pytest.mark.parametrize(("status", "text", "kind", "words"), REFUSALS)
def test_a_refusal_is_translated(status, text, kind, words):
    error = refusal("start web", status, text)
    assert type(error) is kind
    assert str(error) == f"cannot start web: {words}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"container {ID} is odd", "container c23568839801 is odd"),
        ("a: a: b: b", "a: b"),
        ('Get "x": dial tcp 10.1.2.3:443: connect: refused', 'Get "x": connect: refused'),
        ("lookup a.b on 10.0.0.2:53: no such host", "lookup a.b: no such host"),
        ("read udp 10.0.0.1:5->8.8.8.8:53: i/o timeout", "i/o timeout"),
        ("two\nlines.", "two lines"),
    ],
)
def test_messages_do_not_flap(said, told):
    assert tidy(said) == told


def test_messages_are_bounded():
    assert len(tidy("x" * 10_000)) <= 400


def test_secrets_are_covered_the_longest_first():
    assert without("a secret-key and secret, yes", ["secret", "secret-key", "yes"]) == (
        "a *** and ***, yes"
    )


def test_a_pull_error_is_readable():
    error = (
        "initializing source docker://reg.test/x:1: pinging container registry reg.test:"
        ' Get "https://reg.test/v2/": dial tcp 10.0.0.9:443: connect: connection refused'
    )
    assert readable_pull_error(error) == (
        'Get "https://reg.test/v2/": connect: connection refused'
    )


# --- processes -------------------------------------------------------------------------------


def test_a_process_runs_until_it_is_a_zombie():
    liveness = Liveness(rootful=False)
    process = subprocess.Popen(["sleep", "100"])
    assert liveness.runs(process.pid, ID)
    assert not Liveness(rootful=True).runs(process.pid, ID)  # in nobody's control group
    process.kill()
    assert until(lambda: not liveness.runs(process.pid, ID))  # not yet waited for
    process.wait()
    assert not liveness.runs(process.pid, ID)
    assert not liveness.runs(0, ID)


def test_a_conmon_is_known_by_its_container():
    process = subprocess.Popen([sys.executable, "-c", "input()", ID], stdin=subprocess.PIPE)
    liveness = Liveness()
    assert until(lambda: liveness.watched(process.pid, ID))
    assert not liveness.watched(process.pid, "f" * 64)
    process.communicate(b"\n")
    assert not liveness.watched(process.pid, ID)


@pytest.fixture
def watch():
    wakes = Wakes()
    made = ProcessWatch(Liveness(rootful=False), wakes)
    yield made, wakes
    made.close()


def test_an_end_wakes_at_once_and_a_few_times_more(watch):
    watched, wakes = watch
    process = subprocess.Popen(["sleep", "100"])
    watched.watch({ID: process.pid})
    assert not wakes.came(0.1)
    began = time.monotonic()
    process.kill()
    assert wakes.came()
    assert wakes.moments[0] - began < 0.1
    until(lambda: False, 0.4)
    assert len(wakes.moments) == 4
    process.wait()
    watched.watch({ID: process.pid})  # as an observation would that still lists it
    wakes.quiet(0.1)
    watched.watch({ID: process.pid})
    assert not wakes.came(0.1)


def test_an_end_before_we_watched_is_told(watch):
    watched, wakes = watch
    process = subprocess.Popen(["true"])
    process.wait()
    watched.watch({ID: process.pid})
    assert wakes.came()


def test_what_is_watched_no_more_does_not_wake(watch):
    watched, wakes = watch
    process = subprocess.Popen(["sleep", "100"])
    watched.watch({ID: process.pid})
    watched.watch({})
    process.kill()
    process.wait()
    assert not wakes.came(0.1)


def test_a_watch_that_is_closed_leaves_nothing_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    processes = [subprocess.Popen(["sleep", "100"]) for _ in range(3)]
    watched = ProcessWatch(Liveness(rootful=False), lambda: None)
    watched.watch({str(p.pid): p.pid for p in processes})
    watched.close()
    watched.close()
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- conversations ---------------------------------------------------------------------------


def plain_socket(family):
    return socket.socket(family, socket.SOCK_STREAM)


class Server:
    """Answers every connection with the pieces given, so many seconds apart."""

    def __init__(self, *pieces, apart=0.0, family=socket.AF_INET):
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.socket = socket.create_server((host, 0), family=family)
        self.port = self.socket.getsockname()[1]
        self.pieces, self.apart = pieces, apart
        self.asked = b""
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(2)
                    self.asked = connection.recv(4096)
                    for piece in self.pieces:
                        connection.sendall(piece)
                        self.stopping.wait(self.apart)
                except OSError:
                    continue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def ask(server, **check):
    wanted = {"kind": HealthKind.HTTP, "port": server.port, "timeout": 1.0} | check
    return asking.ask(HealthCheck(**wanted), plain_socket)


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\n\r\n", True, ""),
    (b"HTTP/1.0 204\r\n\r\n", True, ""),
    (b"HTTP/1.1 302 Found\r\n\r\n", True, ""),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n", False, "answers 503"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", False, "answers 404"),
    (b"HTTP/1.1 199 Odd\r\n\r\n", False, "does not answer in HTTP"),
    (b"SSH-2.0-x\r\n", False, "does not answer in HTTP"),
    (b"", False, "does not answer in HTTP"),
]


@pytest.mark.parametrize(("answer", "ok", "message"), ANSWERS)
def test_an_answer_is_judged(answer, ok, message):
    with Server(answer) as server:
        result = ask(server, path="/health?x=1")
        assert (result.ok, result.message) == (ok, message)
        assert server.asked.startswith(b"GET /health?x=1 HTTP/1.1\r\nHost: localhost:")


def test_an_answer_in_drips_is_cut_off_in_time():
    drips = [b"H", b"T", b"T", b"P"] * 20
    with Server(*drips, apart=0.1) as server:
        began = time.monotonic()
        result = ask(server, timeout=0.5)
        assert time.monotonic() - began < 1.0
        assert (result.ok, result.message) == (False, "no answer within 0.5 s")


def test_the_other_loopback_is_tried_too():
    try:
        server = Server(b"HTTP/1.1 200 OK\r\n\r\n", family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        assert ask(server).ok


def test_no_tls_where_tls_is_asked_for():
    with Server(b"HTTP/1.1 400 Bad\r\n\r\n") as server:
        result = ask(server, scheme="https")
        assert not result.ok
        assert result.message.startswith("no TLS: ")


def test_nobody_there_is_refused():
    with Server() as server:
        port = server.port
    check = HealthCheck(HealthKind.TCP, port, timeout=1.0)
    assert asking.ask(check, plain_socket).message == "connection refused"


def test_the_conversation_is_a_program_as_well():
    with Server(b"HTTP/1.1 503 No\r\n\r\n") as server:
        question = f'{{"kind": "http", "port": {server.port}, "timeout": 2, "command": []}}'
        done = subprocess.run(
            [sys.executable, "-m", "reconciler.drivers.podman.asking", question],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
    assert done.stdout == '{"ok": false, "message": "answers 503"}'


# --- streams ---------------------------------------------------------------------------------


class Engine:
    """A socket that answers one request with bytes and then waits."""

    def __init__(self, path, answer):
        self.path = path
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(answer,))
        self.thread.start()

    def run(self, answer):
        while True:
            connection, _ = self.server.accept()
            with connection:
                if not connection.recv(4096):
                    continue  # somebody only knocked
                connection.sendall(answer)
                self.done.wait(10)
                return

    def close(self):
        self.done.set()
        self.thread.join()
        self.server.close()


@pytest.fixture
def engine(tmp_path):
    made = []

    def make(answer):
        made.append(Engine(tmp_path / "socket", b"HTTP/1.1 200 OK\r\n\r\n" + answer))
        return made[0].path

    yield make
    for each in made:
        each.close()


def test_a_stream_is_ended_by_another_thread(engine):
    stream = Stream(engine(b"one\ntw"), "/", Ask("GET", "x"))
    lines = stream.lines()
    assert next(lines) == b"one"
    threading.Timer(0.2, stream.close).start()
    assert list(lines) == [b"tw"]


def test_a_stream_has_a_deadline_for_all_of_it(engine):
    stream = Stream(engine(b"one\n"), "/", Ask("GET", "x", deadline=0.3))
    with pytest.raises(TimeoutError):
        list(stream.lines())


def test_silence_is_not_waited_for_for_ever(tmp_path, engine):
    calls = []
    client = Client(tmp_path / "socket", lambda *call: calls.append(call))
    engine(b"never the end")  # no length and no close: the body never ends
    with pytest.raises(DriverUnavailable, match=r"^cannot look: Podman did not answer in time"):
        client.call(Request("look", "look", "GET", "/x", timeout=0.3))
    assert [(kind, ok) for kind, _, ok in calls] == [("look", False)]
    assert 0.2 < calls[0][1] < 2


def test_a_shared_file_that_does_not_come_in_time_is_no_mistake_of_ours(tmp_path, engine):
    client = Client(tmp_path / "socket", lambda *_: None)
    engine(b"the beginning of an archive")
    with pytest.raises(DriverUnavailable, match=r"^cannot read it: Podman did not answer in time"):
        shares.fetched(client, Ask("GET", "x", deadline=0.3), "read it")


def test_where_no_copy_can_be_kept_that_is_said(tmp_path):
    (tmp_path / "shares").write_text("a file, where the folder should be")
    spec = ContainerSpec("lnd", "main", "c", "d", "i", shares=(ShareSpec("b", "m", "/a", "/t"),))
    kept = shares.Shares(
        Client(tmp_path / "absent", lambda *_: None),
        Lookup(Client(tmp_path / "absent", lambda *_: None), "box", Liveness(), NothingAdopted()),
        tmp_path / "shares",
        lambda _: None,
    )
    with pytest.raises(DriverRejected, match="cannot keep /t for lnd: not a directory; check"):
        kept.mounts(spec)


def test_nobody_there_is_unavailable(tmp_path):
    client = Client(tmp_path / "absent", lambda *_: None)
    with pytest.raises(DriverUnavailable, match="not running"):
        client.call(Request("look", "look", "GET", "/x"))
    with pytest.raises(DriverUnavailable, match="not running"):
        client.stream("look", "look", Ask("GET", "x"))


def test_frames_are_put_together(engine):
    def frame(kind, payload):
        return bytes([kind, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload

    stream = Stream(
        engine(frame(1, b"out") + frame(2, b"") + frame(2, b"err")), "/", Ask("GET", "x")
    )
    frames = stream.frames()
    assert [next(frames), next(frames), next(frames)] == [(1, b"out"), (2, b""), (2, b"err")]
    frames.close()


# --- host paths and contexts -----------------------------------------------------------------


def test_a_path_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "there").mkdir(mode=0o700)
    mount = MountSpec(MountKind.BIND, str(tmp_path / "there"), "/x")
    spec = ContainerSpec("notes", "web", "notes-web", "d", "i", mounts=(mount,))
    host_paths.prepare(spec, tmp_path / "data")
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o700


def test_the_same_context_is_the_same_bytes(tmp_path):
    packed = []
    for name in ("one", "two"):
        directory = tmp_path / name / "sub"
        directory.mkdir(parents=True)
        (directory / "file").write_text("ü")
        (directory / "link").symlink_to("file")
        os.mkfifo(directory / "pipe")
        os.utime(directory / "file", (len(packed), len(packed)))
        with build_context.packed(str(tmp_path / name), "build x") as file:
            packed.append(file.read())
    assert packed[0] == packed[1]
    assert b"pipe" not in packed[0]


def test_a_context_that_is_not_there_is_refused(tmp_path):
    with (
        pytest.raises(DriverRejected, match=r"^cannot build x: .* is not a directory"),
        build_context.packed(str(tmp_path / "absent"), "build x"),
    ):
        pass
