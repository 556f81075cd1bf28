"""A real repository, and real servers for it on loopback: HTTP by git's own backend, and SSH."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

BACKEND = Path("/usr/lib/git-core/git-http-backend")
WHO = {
    "GIT_AUTHOR_NAME": "Alice",
    "GIT_AUTHOR_EMAIL": "alice@example.org",
    "GIT_COMMITTER_NAME": "Alice",
    "GIT_COMMITTER_EMAIL": "alice@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Forge:
    """A work tree whose commits are what a box follows; `keys` holds keys of SSH by name."""

    def __init__(self, root: Path):
        self.root = root
        self.tree = root / "tree"
        self.keys = root / "keys"
        self.keys.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", str(self.tree), at=root)

    def git(self, *arguments, at=None, check=True, **env):
        done = subprocess.run(
            ["git", "-C", str(at or self.tree), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **WHO, **env},
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, name, text):
        file = self.tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, subject="change", *options, key=None, **env):
        """Commit everything, signed with an SSH key where one is named; return the commit's id."""
        sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={self.keys / key}"] if key else []
        options = [*options, "-S"] if key else list(options)
        self.git("add", "-A")
        self.git(*sign, "commit", "-q", "--allow-empty", "-m", subject, *options, **env)
        return self.git("rev-parse", "HEAD")

    def key(self, name):
        """Make a key; return its line for `allowed_signers`."""
        file = self.keys / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file)]
        subprocess.run(command, check=True, timeout=30)
        return f'{name}@example.org namespaces="git" {file.with_suffix(".pub").read_text()}'


@contextmanager
def served(root: Path, token=""):
    """Serve every repository below `root` over HTTP; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            wanted = "Basic " + base64.b64encode(f"archipelago:{token}".encode()).decode()
            if token and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            size = int(self.headers.get("Content-Length") or 0)
            done = subprocess.run(
                [BACKEND],
                input=self.rfile.read(size),
                capture_output=True,
                check=False,
                timeout=60,
                env={
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "GIT_CONFIG_COUNT": "1",
                    "GIT_CONFIG_KEY_0": "safe.directory",
                    "GIT_CONFIG_VALUE_0": "*",
                },
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            lines = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(lines.pop("Status", "200").split()[0]))
            for name, value in lines.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - what the library calls

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def have_sshd():
    return shutil.which("sshd") or (Path("/usr/sbin/sshd").exists() and "/usr/sbin/sshd")


@contextmanager
def ssh_served(forge, sshd):
    """Serve the machine over SSH to the key `box` alone; yield the port and a known_hosts file."""
    forge.key("host")
    (forge.keys / "authorized").write_text(forge.key("box").split(" ", 2)[2])
    port = free_port()
    options = {
        "HostKey": forge.keys / "host",
        "AuthorizedKeysFile": forge.keys / "authorized",
        "ListenAddress": "127.0.0.1",
        "StrictModes": "no",
        "PidFile": "none",
        "UsePAM": "no",
    }
    written = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    Path("/run/sshd").mkdir(exist_ok=True, mode=0o755)
    command = [sshd, "-D", "-e", "-f", "/dev/null", "-p", str(port), *written]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    known = forge.keys / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {(forge.keys / 'host.pub').read_text()}")
    try:
        wait_for(port)
        yield port, known
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=10)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
