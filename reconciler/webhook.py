"""
Wakes who follows a repository, when its forge says that something was pushed.

It says "look", and no more: what is in the message counts for nothing but its signature, which
shows that it comes from who knows the secret. GitHub, Gitea and Forgejo sign (HMAC-SHA-256),
GitLab sends the secret itself.
"""

import hmac
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import SHUT_RDWR, socket
from threading import Thread, Timer

from typing_extensions import override

from reconciler.errors import ConfigurationError

BYTES = 2**20
SECONDS = 5.0
_SIGNATURES = ("X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature")


class Webhook:
    """Listens on `host:port` until closed; one message at a time."""

    def __init__(self, address: str, secret: bytes, look: Callable[[], None]) -> None:
        host, _, port = address.rpartition(":")
        try:
            self._server = _Server((host.strip("[]"), int(port)), _handler(secret, look))
        except (OSError, ValueError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "that is no host:port"
            raise ConfigurationError(
                f"cannot listen for webhooks on {address}: {why.lower()}; change `git.webhook`"
            ) from error
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="webhook", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(SECONDS)


class _Server(HTTPServer):
    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Who goes away in the middle of a message is no mistake of ours."""


def _handler(secret: bytes, look: Callable[[], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS  # of a connection that says nothing more
        server_version, sys_version = "archipelago", ""

        @override
        def handle(self) -> None:
            """One who says a letter now and then would keep all others out."""
            ends = Timer(SECONDS, _shut, [self.connection])
            ends.daemon = True
            ends.start()
            try:
                super().handle()
            finally:
                ends.cancel()

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size) > BYTES:
                return self._answer(413)
            body = self.rfile.read(int(size))
            if not self._is_signed(body):
                return self._answer(403)
            look()
            return self._answer(202)

        def _is_signed(self, body: bytes) -> bool:
            wanted = hmac.new(secret, body, "sha256").hexdigest()
            told = [self.headers.get(name, "").removeprefix("sha256=") for name in _SIGNATURES]
            token = self.headers.get("X-Gitlab-Token", "").encode()
            signed = any(hmac.compare_digest(one.encode(), wanted.encode()) for one in told)
            return signed or hmac.compare_digest(token, secret)

        def _answer(self, code: int) -> None:
            self.close_connection = True
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Nothing that a stranger sends belongs into the log."""

    return Handler


def _shut(connection: socket) -> None:
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)
