"""Which Podman is talked to."""

import os
import socket
import threading
from pathlib import Path

import pytest

from reconciler.drivers.podman.endpoint import answers, candidates, find
from reconciler.errors import ConfigurationError, DriverUnavailable

SYSTEM = "/run/podman/podman.sock" if os.geteuid() == 0 else "/run/user/7/podman/podman.sock"
RUNTIME = {"XDG_RUNTIME_DIR": "/run/user/7"}


@pytest.mark.parametrize(
    ("explicit", "environment", "expected"),
    [
        (None, {}, SYSTEM),
        (None, {"CONTAINER_HOST": ""}, SYSTEM),
        (None, {"CONTAINER_HOST": "unix:///a/b.sock"}, "/a/b.sock"),
        ("unix:///x/y.sock", {"CONTAINER_HOST": "unix:///a/b.sock"}, "/x/y.sock"),
        ("/x/y.sock", {}, "/x/y.sock"),
        ("/x/y.sock", {"CONTAINER_HOST": "ssh://elsewhere"}, "/x/y.sock"),
    ],
)
def test_the_most_wanted_comes_first(explicit, environment, expected):
    found = candidates(explicit, environment | RUNTIME)
    assert [str(candidate.path) for candidate in found] == [expected]


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("ssh://core@elsewhere/run/podman.sock", "behind ssh:// is another machine's"),
        ("tcp://127.0.0.1:8080", "behind tcp:// is another machine's"),
        ("podman.sock", "the path is not absolute"),
        ("unix://podman.sock", "the path is not absolute"),
        ("/" + "x" * 107, "at most 107 bytes"),
    ],
)
@pytest.mark.parametrize("origin", ["--podman", "CONTAINER_HOST"])
def test_what_is_no_local_socket_is_refused_with_the_reason(address, complaint, origin):
    explicit, environment = (address, {}) if origin == "--podman" else (None, {origin: address})
    with pytest.raises(ConfigurationError) as caught:
        candidates(explicit, environment)
    assert str(caught.value).startswith("cannot use")
    assert complaint in str(caught.value)
    assert origin in str(caught.value)


def test_one_that_was_named_is_never_replaced_by_another(tmp_path):
    with pytest.raises(DriverUnavailable, match=r"cannot reach Podman at .*--podman.*start it"):
        find(str(tmp_path / "none.sock"), {})


@pytest.fixture
def listener(tmp_path):
    """Start a socket that gives one reply to the first who asks; None: never any."""
    open_ones = []

    def listen(reply):
        path = Path(tmp_path, "p.sock")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(path))
        server.listen()
        open_ones.append(server)

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(reply)

        if reply is not None:
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
        return path

    yield listen
    for server in open_ones:
        server.close()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", True),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nOK", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nNope", False),
        (b"SSH-2.0-hello\r\n", False),
        (b"", False),
        (None, False),  # it listens, and hangs
    ],
)
def test_only_podmans_own_reply_counts(listener, reply, expected):
    assert answers(listener(reply), deadline=0.3) is expected


def test_nothing_there_is_no_answer(tmp_path):
    assert not answers(tmp_path / "none.sock")
