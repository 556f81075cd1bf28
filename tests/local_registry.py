"""A real registry on loopback, with TLS and a password, and a Podman that may use it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import bcrypt
import pytest
import signer

USER, PASSWORD = "alice", "correct horse"  # of a registry that lives for one test
CERTIFICATES = Path("/etc/containers/certs.d")


def program(name):
    """Find a program of Debian's; where it is missing, say how to get it."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed: `apt-get install {name}`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return path


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class LocalRegistry:
    """One `docker-registry`, ended by its own process id."""

    def __init__(self, root, podman, *, tls=True, password=PASSWORD):
        self.root, self.podman, self.tls, self.password = root, podman, tls, password
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.process = None
        (root / "data").mkdir(parents=True)
        (root / "config.yml").write_text(self._config())
        if tls:
            self._make_certificate()
            self.trust()
        self.start()

    def _config(self):
        lines = [
            "version: 0.1",
            "log: {level: error, accesslog: {disabled: true}}",
            "storage:",
            f"  filesystem: {{rootdirectory: {self.root}/data}}",
            "  delete: {enabled: true}",
            "http:",
            f"  addr: 127.0.0.1:{self.port}",
        ]
        if self.tls:
            lines.append(f"  tls: {{certificate: {self.root}/c.pem, key: {self.root}/k.pem}}")
        if self.password:
            hashed = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
            (self.root / "htpasswd").write_text(f"{USER}:{hashed}\n")
            lines.append("auth:")
            lines.append(f"  htpasswd: {{realm: box, path: {self.root}/htpasswd}}")
        return "\n".join(lines) + "\n"

    def _make_certificate(self):
        subprocess.run(
            [
                *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
                *("-keyout", self.root / "k.pem", "-out", self.root / "c.pem", "-days", "2"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            ],
            check=True,
            capture_output=True,
            timeout=30,
        )

    def trust(self, port=None):
        folder = CERTIFICATES / f"localhost:{port or self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.root / "c.pem", folder / "ca.crt")

    def distrust(self):
        shutil.rmtree(CERTIFICATES / self.host)

    def start(self):
        with (self.root / "log").open("a") as log:
            self.process = subprocess.Popen(
                [program("docker-registry"), "serve", self.root / "config.yml"],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.root / "log").read_text())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(CERTIFICATES / self.host, ignore_errors=True)
        self.podman("logout", self.host, check=False)

    def login(self, password=None):
        given = self.password if password is None else password
        self.podman("login", "-u", USER, "--password-stdin", self.host, stdin=given)

    def publish(self, base, version, name="test/web", tag="1", layers=()):
        """Put an image behind a tag, leave nothing of it on the box, and return its digest."""
        image = f"{self.host}/{name}:{tag}"
        context = self.root / f"context-{version}"
        context.mkdir()
        (context / "version").write_text(f"{version}\n")
        # An image that is on the box under another registry's name would be as good: none is.
        (context / "nonce").write_bytes(os.urandom(16))
        lines = [f"FROM {base}", "COPY version nonce /"]
        for number, size in enumerate(layers):
            (context / f"layer{number}").write_bytes(os.urandom(size))
            lines.append(f"COPY layer{number} /layer{number}")
        (context / "Containerfile").write_text("\n".join(lines) + "\n")
        self.podman("build", "--quiet", "--layers=true", "--tag", image, context, timeout=120)
        digest = self.root / f"digest-{version}"
        self.podman("push", "--quiet", "--digestfile", digest, image, timeout=120)
        self.podman("rmi", "--force", image)
        return digest.read_text().strip()

    def drop(self, digest, name="test/web"):
        """Let the registry have an image no longer, as its garbage collection does."""
        manifests = self.root / "data/docker/registry/v2/repositories" / name / "_manifests"
        shutil.rmtree(manifests / "revisions/sha256" / digest.removeprefix("sha256:"))


class Kept:
    """Puts what a `signer.Shelf` holds into a real registry."""

    def __init__(self, registry, name="test/web"):
        self.registry, self.name = registry, name
        self.repository = f"{registry.host}/{name}"

    def _put(self, path, content, kind):
        request = urllib.request.Request(
            f"http://{self.registry.host}/v2/{self.name}/{path}",
            content,
            {"Content-Type": kind},
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=20).close()

    def _blob(self, digest, content):
        start = urllib.request.Request(
            f"http://{self.registry.host}/v2/{self.name}/blobs/uploads/", b"", method="POST"
        )
        with urllib.request.urlopen(start, timeout=20) as answer:
            place = answer.headers["Location"]
        goal = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        request = urllib.request.Request(
            goal, content, {"Content-Type": "application/octet-stream"}, method="PUT"
        )
        urllib.request.urlopen(request, timeout=20).close()

    def keep(self, shelf):
        for digest, content in shelf.blobs.items():
            self._blob(digest, content)
        for name, (kind, content) in shelf.manifests.items():
            self._put(f"manifests/{name}", content, kind)

    def sign(self, digest, key, repository=None):
        shelf = signer.Shelf()
        content = signer.simple(repository or self.repository, digest)
        shelf.sign_classic(digest, (content, signer.sign(key, content)))
        self.keep(shelf)

    def sign_bundle(self, digest, key, predicate=signer.SIGN):
        shelf = signer.Shelf()
        shelf.refer(digest, signer.bundle(key, signer.statement(digest, predicate)))
        self.keep(shelf)

    def sign_keyless(self, digest, sigstore, **more):
        shelf = signer.Shelf()
        shelf.refer(digest, sigstore.bundle(signer.statement(digest), **more))
        self.keep(shelf)

    def point(self, digest, tag="1"):
        """Let a tag mean a digest that is there."""
        url = f"http://{self.registry.host}/v2/{self.name}/manifests/{digest}"
        accept = f"{signer.MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Accept": accept}), timeout=20
        ) as answer:
            self._put(f"manifests/{tag}", answer.read(), answer.headers["Content-Type"])


class SlowDoor:
    """Passes connections on to a port, so many bytes a second; a process of its own."""

    def __init__(self, port, bytes_a_second):
        self.port = free_port()
        words = [sys.executable, __file__, str(self.port), str(port), str(bytes_a_second)]
        self.process = subprocess.Popen(words)
        time.sleep(0.5)

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def pump(source, goal, pace):
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            goal.sendall(piece)
            time.sleep(len(piece) / pace if pace else 0)
    for end in (source, goal):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve_slowly(own, port, pace):
    with socket.create_server(("127.0.0.1", own)) as listener:
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(near, far, 0), daemon=True).start()
            threading.Thread(target=pump, args=(far, near, pace), daemon=True).start()


if __name__ == "__main__":
    serve_slowly(*map(int, sys.argv[1:]))
