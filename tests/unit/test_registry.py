"""The registry's client before a registry that answers badly, slowly, endlessly, or elsewhere."""

import base64
import hashlib
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from reconciler.errors import RegistryError
from reconciler.model.pin import Told
from reconciler.registry import accounts, trust
from reconciler.registry.asking import ask_all
from reconciler.registry.client import RegistryClient

DIGEST = "sha256:" + "a" * 64
NAME, SECRET = "alice", "correct horse"
BASIC = "Basic " + base64.b64encode(f"{NAME}:{SECRET}".encode()).decode()


class Server:
    """Speaks to each connection as `answer(request text)` says: bytes, or an iterable of them."""

    def __init__(self, answer, context=None):
        self.answer, self.context = answer, context
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"localhost:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with plain:
                plain.settimeout(5)
                try:
                    self._speak(plain)
                except (OSError, ssl.SSLError):
                    continue

    def _speak(self, plain):
        stream = self.context.wrap_socket(plain, server_side=True) if self.context else plain
        with stream:
            asked = b""
            while b"\r\n\r\n" not in asked:
                piece = stream.recv(4096)
                if not piece:
                    return
                asked += piece
                if asked[0] == 0x16:  # a greeting in TLS, to one who does not speak it
                    stream.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                    return
            text = asked.decode()
            self.requests.append(text)
            answer = self.answer(text)
            for piece in [answer] if isinstance(answer, bytes) else answer:
                stream.sendall(piece)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def reply(status="200 OK", body=b"", **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def good(_text):
    return reply(Docker_Content_Digest=DIGEST)


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def serve(home):
    """`serve(answer)` starts a server that the operator calls insecure: plain HTTP is spoken."""
    made = []

    def start(answer, context=None):
        made.append(Server(answer, context))
        entries = [f'[[registry]]\nlocation = "{s.host}"\ninsecure = true\n' for s in made]
        (home / "registries.conf").write_text("\n".join(entries))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture
def client(home):
    def make(seconds=5.0, **variables):
        given = {
            "HOME": str(home),
            "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),
        }
        return RegistryClient(given | variables, seconds)

    return make


def write_account(home, *registries, auth=None):
    text = auth or base64.b64encode(f"{NAME}:{SECRET}".encode()).decode()
    entries = {registry: {"auth": text} for registry in registries}
    (home / "auth.json").write_text(json.dumps({"auths": entries}))


def refused(client, server, image="team/web:1"):
    with pytest.raises(RegistryError) as caught:
        client.digest(f"{server.host}/{image}")
    message = str(caught.value)
    assert message.startswith(f"cannot ask {server.host} about ")
    assert SECRET not in message
    assert BASIC not in message
    return message.partition(": ")[2]


def test_the_digest_is_what_the_registry_says(serve, client):
    server = serve(good)
    assert client().digest(f"{server.host}/team/web:1") == DIGEST
    asked = server.requests[-1]
    assert asked.startswith("HEAD /v2/team/web/manifests/1 HTTP/1.1")
    assert "application/vnd.oci.image.index.v1+json" in asked
    assert "application/vnd.docker.distribution.manifest.list.v2+json" in asked


def test_a_name_without_a_tag_means_latest(serve, client):
    server = serve(good)
    client().digest(f"{server.host}/web")
    assert "/v2/web/manifests/latest" in server.requests[-1]


def test_one_that_says_no_digest_is_asked_for_the_whole(serve, client):
    body = b'{"schemaVersion": 2}'
    server = serve(lambda text: reply(body=b"" if text.startswith("HEAD") else body))
    wanted = f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert client().digest(f"{server.host}/web:1") == wanted


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("404 Not Found", "it has no such image"),
        ("403 Forbidden", "does not let us in"),
        ("429 Too Many Requests", "asked too often"),
        ("500 Oops", "it answered 500"),
    ],
)
def test_a_refusal_is_said(serve, client, status, why):
    assert why in refused(client(), serve(lambda _: reply(status)))


@pytest.mark.parametrize("bad", ["sha256:short", "md5:" + "a" * 32, "sha256:" + "Z" * 64, "x\ty"])
def test_what_is_no_digest_is_not_believed(serve, client, bad):
    server = serve(lambda _: reply(Docker_Content_Digest=bad))
    assert refused(client(), server) == "it answered with something that is no digest"


def test_a_body_without_end_is_not_read_to_it(serve, client):
    def endless(text):
        if text.startswith("HEAD"):
            yield reply()
            return
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        while True:
            yield b"x" * 65536

    assert refused(client(), serve(endless)) == "its answer does not end"


def test_headers_without_end_are_not_read_to_theirs(serve, client):
    def endless(_text):
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-More: " + b"x" * 1000 + b"\r\n"

    assert refused(client(), serve(endless)) == "its answer makes no sense"


@pytest.mark.parametrize("pause", [0.05, 30.0], ids=["a byte now and then", "nothing"])
def test_a_slow_answer_has_a_deadline_for_all_of_it(serve, client, pause):
    stop = threading.Event()

    def slow(_text):
        for byte in reply() * 20:
            if stop.wait(pause):
                return
            yield bytes([byte])

    began = time.monotonic()
    assert refused(client(0.6), serve(slow)) == "it did not answer in time"
    assert time.monotonic() - began < 3
    stop.set()


def test_nobody_there_is_said(client, home):
    (home / "registries.conf").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RegistryError, match="nobody listens there"):
        client().digest(f"localhost:{port}/web:1")


def test_what_is_no_http_makes_no_sense(serve, client):
    assert refused(client(), serve(lambda _: b"SSH-2.0-OpenSSH\r\n\r\n")) == (
        "its answer makes no sense"
    )


# Who asks


def wants_basic(text):
    if f"Authorization: {BASIC}" in text:
        return good(text)
    return reply("401 Unauthorized", WWW_Authenticate='Basic realm="box"')


def test_a_password_is_shown_when_it_is_asked_for(serve, client, home):
    server = serve(wants_basic)
    write_account(home, server.host)
    assert client().digest(f"{server.host}/web:1") == DIGEST
    assert not any("Authorization" in r for r in server.requests if "/manifests/" not in r)


def test_without_a_password_it_is_said_what_to_do(serve, client):
    assert refused(client(), serve(wants_basic)) == "it wants a password: `podman login` first"


def test_a_wrong_password_is_tried_once(serve, client, home):
    server = serve(lambda _: reply("401 Unauthorized", WWW_Authenticate='Basic realm="box"'))
    write_account(home, server.host)
    assert "does not let us in" in refused(client(), server)
    assert sum("/manifests/" in r for r in server.requests) == 2


@pytest.mark.parametrize("challenge", ["", "Digest realm=x", "Negotiate"])
def test_a_way_of_asking_that_nobody_knows(serve, client, challenge):
    server = serve(lambda _: reply("401 Unauthorized", WWW_Authenticate=challenge))
    assert "in a way that is not known" in refused(client(), server)


def bearer(realm="http://{host}/token", token=b'{"token": "t0ken"}'):
    """A registry that sends for a token to a place; `{host}` is the one that it was asked as."""

    def answer(text):
        host = re.search(r"Host: (\S+)", text)[1]
        if text.startswith("GET /token"):
            return reply(body=token)
        if "Authorization: Bearer t0ken" in text:
            return good(text)
        asks = (
            f'Bearer realm="{realm.format(host=host)}",service="box",scope="repository:web:pull"'
        )
        return reply("401 Unauthorized", WWW_Authenticate=asks)

    return answer


def test_a_token_is_fetched_where_the_registry_says(serve, client, home):
    server = serve(bearer("http://{host}/token?x=1"))
    write_account(home, server.host)
    assert client().digest(f"{server.host}/web:1") == DIGEST
    asked = next(r for r in server.requests if r.startswith("GET /token"))
    assert asked.startswith("GET /token?x=1&service=box&scope=repository%3Aweb%3Apull ")
    assert f"Authorization: {BASIC}" in asked


def test_a_token_is_to_be_had_without_a_name(serve, client):
    told = b'{"access_token": "t0ken"}'
    server = serve(bearer(token=told))
    assert client().digest(f"{server.host}/web:1") == DIGEST
    assert not any("Basic" in r for r in server.requests)


@pytest.mark.parametrize(
    "realm", ["http://elsewhere.example/token", "ftp://x/token", "", "/token"]
)
def test_no_password_goes_to_a_place_that_is_not_safe(serve, client, home, realm):
    server = serve(bearer(realm))
    write_account(home, server.host)
    assert "a place that is not safe" in refused(client(), server)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (b"{}", "it gave no token"),
        (b"[]", "it gave no token"),
        (b'{"token": 7}', "it gave no token"),
        (b'{"token": "a\\r\\nX-Evil: 1"}', "it gave no token"),
        (b"{", "its answer makes no sense"),
        (b'"' + b"x" * 2**19, "its answer does not end"),
    ],
)
def test_a_token_that_is_none(serve, client, token, why):
    server = serve(bearer(token=token))
    assert refused(client(), server) == why


def test_a_redirect_is_followed_without_our_name(serve, client, home):
    other = serve(good)

    def elsewhere(text):
        if "/manifests/" in text and f"Authorization: {BASIC}" in text:
            return reply("307 Temporary Redirect", Location=f"http://{other.host}/there?q=1")
        return wants_basic(text)

    server = serve(elsewhere)
    write_account(home, server.host, other.host)
    assert client().digest(f"{server.host}/web:1") == DIGEST
    assert other.requests[-1].startswith("HEAD /there?q=1 ")
    assert not any("Authorization" in r for r in other.requests)


def test_a_redirect_within_the_registry_keeps_our_name(serve, client, home):
    def moved(text):
        if "HEAD /moved" in text:
            return wants_basic(text)
        if "Authorization" in text:
            return reply("302 Found", Location="/moved")
        return wants_basic(text)

    server = serve(moved)
    write_account(home, server.host)
    assert client().digest(f"{server.host}/web:1") == DIGEST


@pytest.mark.parametrize("goal", ["ftp://x/y", "file:///etc/passwd", "https:///nowhere"])
def test_a_redirect_to_an_odd_place_is_not_followed(serve, client, goal):
    server = serve(lambda _: reply("302 Found", Location=goal))
    assert "a place that is not safe" in refused(client(), server)


def test_a_ring_of_redirects_ends(serve, client):
    server = serve(lambda _: reply("302 Found", Location="/again"))
    assert refused(client(), server) == "it sends us from one place to the next"
    assert len(server.requests) < 8


# TLS


@pytest.fixture
def tls(home):
    key, certificate = home / "k.pem", home / "c.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", key, "-out", certificate, "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def believe(home, server, file="ca.crt"):
    folder = home / ".config/containers/certs.d" / server.host
    folder.mkdir(parents=True)
    (folder / file).write_bytes((home / "c.pem").read_bytes())
    return folder


def test_a_certificate_is_believed_when_its_authority_is(serve, client, home, tls):
    server = serve(good, tls)
    (home / "registries.conf").write_text("")
    assert "its certificate is not trusted (self-signed certificate)" in refused(client(), server)
    believe(home, server)
    assert client().digest(f"{server.host}/web:1") == DIGEST


def test_a_certificate_of_ours_that_is_none_is_said(serve, client, home, tls):
    server = serve(good, tls)
    (home / "registries.conf").write_text("")
    believe(home, server, "client.cert")
    with pytest.raises(RegistryError, match="cannot be used; mend them"):
        client().digest(f"{server.host}/web:1")


def test_an_insecure_registry_may_speak_tls_that_proves_nothing(serve, client, tls):
    server = serve(good, tls)
    assert client().digest(f"{server.host}/web:1") == DIGEST


def test_a_secure_registry_is_never_spoken_to_in_the_clear(serve, client, home):
    server = serve(good)
    (home / "registries.conf").write_text("")
    write_account(home, server.host)
    assert refused(client(), server) == "it does not speak TLS as it should"
    assert server.requests == []


# Files of others


def test_accounts_are_looked_for_where_podman_looks(home):
    assert [str(p) for p in accounts.files({"HOME": "/h"}, 0)] == [
        "/run/containers/0/auth.json",
        "/h/.config/containers/auth.json",
        "/h/.docker/config.json",
    ]
    told = accounts.files({"XDG_RUNTIME_DIR": "/run/user/7", "XDG_CONFIG_HOME": "/c"}, 7)
    assert [str(p) for p in told] == [
        "/run/user/7/containers/auth.json",
        "/run/containers/7/auth.json",
        "/c/containers/auth.json",
        "/root/.docker/config.json",
    ]
    assert [str(p) for p in accounts.files({"REGISTRY_AUTH_FILE": "/a"}, 0)] == ["/a"]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("box.example", True),
        ("https://box.example", True),
        ("box.example/team", True),
        ("box.example/team/web", True),
        ("box.example/other", False),
        ("other.example", False),
    ],
)
def test_the_account_is_that_of_the_repository(home, key, found):
    write_account(home, key)
    told = accounts.account((home / "none", home / "auth.json"), "box.example", "team/web")
    assert (told is not None) is found


def test_the_closest_entry_wins(home):
    def auth(name):
        return {"auth": base64.b64encode(f"{name}:x".encode()).decode()}

    entries = {"box.example": auth("wide"), "box.example/team": auth("close")}
    (home / "auth.json").write_text(json.dumps({"auths": entries}))
    assert accounts.account((home / "auth.json",), "box.example", "team/web").name == "close"
    write_account(home, "https://index.docker.io/v1/")
    assert accounts.account((home / "auth.json",), "docker.io", "library/web").name == NAME


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"auths": []}',
        '{"auths": {"box.example": 1}}',
        "[" * 100_000,
        '{"auths": {"box.example": {}}}',
        '{"auths": {"box.example": {"auth": "%%"}}}',
        '{"auths": {"box.example": {"auth": "/w=="}}}',
        '{"auths": {"box.example": {"auth": "YQ=="}}}',
    ],
)
def test_what_is_no_account(home, text):
    (home / "auth.json").write_text(text)
    assert accounts.account((home / "auth.json",), "box.example", "web") is None


def test_a_password_is_in_no_words(home):
    write_account(home, "box.example")
    told = accounts.account((home / "auth.json",), "box.example", "web")
    assert SECRET not in repr(told)


@pytest.mark.parametrize(
    ("text", "insecure"),
    [
        ('[[registry]]\nlocation = "box.example"\ninsecure = true', True),
        ('[[registry]]\nprefix = "box.example"\nlocation = "x"\ninsecure = true', True),
        ('[[registry]]\nlocation = "box.example"\ninsecure = "yes"', False),
        ('[[registry]]\nlocation = "other.example"\ninsecure = true', False),
        ("registry = 1", False),
        ("registry = [1]", False),
        ("[[", False),
        ("", False),
    ],
)
def test_what_the_operator_calls_insecure(home, text, insecure):
    file = home / "registries.conf"
    file.write_text(text)
    found = trust.places({"CONTAINERS_REGISTRIES_CONF": str(file)})
    assert trust.is_insecure(found, "box.example") is insecure


def test_drop_ins_are_added_to_the_users_own_settings(home):
    own = home / ".config/containers"
    (own / "registries.conf.d").mkdir(parents=True)
    entry = '[[registry]]\nlocation = "box.example"\ninsecure = true'
    (own / "registries.conf.d/a.conf").write_text(entry)
    assert trust.is_insecure(trust.places({"HOME": str(home)}), "box.example")
    (own / "registries.conf").write_text("")
    assert trust.places({"HOME": str(home)}).settings[0] == own / "registries.conf"


def test_many_are_asked_once_each_and_who_fails_is_in_the_answer():
    asked = []

    def digest(image):
        asked.append(image)
        if image == "b":
            raise RegistryError("cannot ask b")
        return DIGEST

    assert ask_all(digest, ["a", "b", "a"]) == {"a": Told(DIGEST), "b": Told(error="cannot ask b")}
    assert sorted(asked) == ["a", "b"]
    assert ask_all(digest, []) == {}
