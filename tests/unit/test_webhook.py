"""A webhook says "look" when it is signed, and nothing otherwise."""

import hmac
import http.client
import socket
import threading

import pytest

from reconciler.errors import ConfigurationError
from reconciler.webhook import BYTES, Webhook

SECRET = b"known to two"
BODY = b'{"ref": "refs/heads/main"}'


@pytest.fixture
def hook():
    looks = []
    made = Webhook("127.0.0.1:0", SECRET, lambda: looks.append(1))
    made.looks = looks
    yield made
    made.close()


def post(hook, headers, body=BODY, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", hook.port, timeout=10)
    connection.request(method, "/anything", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def signed(body, secret=SECRET):
    return hmac.new(secret, body, "sha256").hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": f"sha256={signed(BODY)}"},
        {"X-Gitea-Signature": signed(BODY)},
        {"X-Gitlab-Token": SECRET.decode()},
    ],
)
def test_who_knows_the_secret_is_heard(hook, headers):
    assert post(hook, headers) == 202
    assert hook.looks == [1]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": f"sha256={signed(BODY, b'guessed')}"},
        {"X-Hub-Signature-256": f"sha256={signed(b'another message')}"},
        {"X-Gitlab-Token": ""},
        {"X-Gitlab-Token": "known to one"},
    ],
)
def test_who_does_not_is_not(hook, headers):
    assert post(hook, headers) == 403
    assert hook.looks == []


def test_nothing_is_read_without_end(hook):
    headers = {"X-Gitlab-Token": SECRET.decode(), "Content-Length": str(BYTES + 1)}
    assert post(hook, headers) == 413
    assert hook.looks == []


def test_only_messages_are_taken(hook):
    assert post(hook, {"X-Gitlab-Token": SECRET.decode()}, None, "GET") == 501
    assert hook.looks == []


def test_one_who_says_nothing_does_not_keep_others_out(hook, monkeypatch):
    monkeypatch.setattr("reconciler.webhook.SECONDS", 0.2)
    quick = Webhook("127.0.0.1:0", SECRET, lambda: hook.looks.append(1))
    try:
        with socket.create_connection(("127.0.0.1", quick.port)):
            assert post(quick, {"X-Gitlab-Token": SECRET.decode()}) == 202
    finally:
        quick.close()


def test_one_who_says_a_letter_now_and_then_does_not_either(hook, monkeypatch, capfd):
    monkeypatch.setattr("reconciler.webhook.SECONDS", 0.3)
    quick = Webhook("127.0.0.1:0", SECRET, lambda: hook.looks.append(1))
    over = threading.Event()
    try:
        with socket.create_connection(("127.0.0.1", quick.port)) as slow:
            slow.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
            drip = threading.Thread(target=_drip, args=(slow, over))
            drip.start()
            assert post(quick, {"X-Gitlab-Token": SECRET.decode()}) == 202
            over.set()
            drip.join()
    finally:
        quick.close()
    assert "Traceback" not in capfd.readouterr().err


def _drip(connection, over):
    while not over.wait(0.05):
        try:
            connection.sendall(b"x")
        except OSError:
            return


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "203.0.113.9:80", "x:y"])
def test_where_nobody_can_listen(address):
    with pytest.raises(ConfigurationError, match=f"cannot listen for webhooks on {address}"):
        Webhook(address, SECRET, lambda: None)
