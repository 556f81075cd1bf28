"""
Requests to Podman's service, and the one translation of what goes wrong with them.

What only looks is asked with the standard library, so that `archipelago plan` need not load more;
what changes something goes through podman-py's session. Each request has a deadline; each is
measured.
"""

import http.client
import json
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct

from reconciler.drivers.podman.refusal import refusal, tidy
from reconciler.drivers.podman.stream import Ask, Stream
from reconciler.errors import DriverUnavailable

if TYPE_CHECKING:
    from reconciler.drivers.podman.session import Session

Json = dict[str, Any]
ObserveCall = Callable[[str, float, bool], None]  # call kind, seconds, whether it went well
_FIRST_BAD = 400
_PREFIX = "/v4.0.0/libpod/"  # of the oldest API that we ask; newer services keep answering it
_Item = TypeVar("_Item")


class Request(Struct, frozen=True):
    """
    One request. `kind` is its bounded name in metrics, `what` completes "cannot …".

    `raw` is a body that is an archive. `expected` lists statuses of 400 and above that the caller
    wants to judge itself.
    """

    kind: str
    what: str
    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: Mapping[str, object] | None = None
    raw: bytes | None = None
    timeout: float = 10.0
    expected: frozenset[int] = frozenset()


class Reply(Struct, frozen=True):
    """What Podman answered."""

    status: int
    text: str

    def object(self) -> Json:
        """Return the JSON object in it."""
        return cast("Json", _parsed(self.text, dict))

    def objects(self) -> list[Json]:
        """Return the list of JSON objects in it; Podman writes an empty one as null."""
        return cast("list[Json]", _parsed(self.text or "null", list, type(None)) or [])


class _Answer(Struct, frozen=True):
    status: int
    content: bytes


@dataclass(eq=False)
class _Held:
    session: "Session"


class Client:
    """Podman's service at a path. May be used from any thread: each has a session of its own."""

    def __init__(self, socket_path: Path, observe_call: ObserveCall) -> None:
        self._socket_path = socket_path
        self._observe_call = observe_call
        self._local = threading.local()

    def call(self, request: Request) -> Reply:
        """Ask, and return the reply; raises what the reply means where it is a refusal."""
        with self._measured(request.kind) as measured, translated(request.what):
            answer = self._ask(request)
            # Podman always writes UTF-8, and the session would guess, slowly.
            reply = Reply(answer.status, answer.content.decode(errors="replace"))
            measured.ok = reply.status < _FIRST_BAD
        if reply.status >= _FIRST_BAD and reply.status not in request.expected:
            raise refusal(request.what, reply.status, reply.text)
        return reply

    def stream(self, kind: str, what: str, ask: Ask) -> Stream:
        """Ask for a reply that is read as it comes. Read it within `translated(what)`."""
        with self._measured(kind) as measured, translated(what):
            stream = Stream(self._socket_path, _PREFIX, ask)
            measured.ok = stream.status < _FIRST_BAD
        if measured.ok:
            return stream
        with translated(what):
            text = stream.text()
        raise refusal(what, stream.status, text)

    def _ask(self, request: Request) -> _Answer:
        if request.method in {"GET", "HEAD", "PUT"}:
            return self._plainly(request)
        session = self._session()
        options: dict[str, object] = {"params": request.params, "timeout": request.timeout}
        if request.method == "DELETE":
            done = session.delete(request.path, **options)
        else:
            options["headers"] = {"Content-Type": "application/json"}
            body = None if request.body is None else json.dumps(request.body)
            done = session.post(request.path, data=body, **options)
        return _Answer(done.status_code, done.content)

    def _plainly(self, request: Request) -> _Answer:
        """Ask with the standard library alone: what looks, and what brings an archive."""
        ask = Ask(
            request.method,
            request.path.removeprefix("/"),
            dict(request.params or {}),
            request.raw,
            {} if request.raw is None else {"Content-Type": "application/x-tar"},
            deadline=request.timeout,
            patience=request.timeout,
        )
        stream = Stream(self._socket_path, _PREFIX, ask)
        return _Answer(stream.status, b"".join(stream.pieces()))

    def _session(self) -> "Session":
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            from reconciler.drivers.podman.session import open_session

            held = _Held(open_session(self._socket_path))
            # When its thread ends, so does its connection.
            weakref.finalize(held, held.session.close)
            self._local.held = held
        return held.session

    @contextmanager
    def _measured(self, kind: str) -> Generator["_Measured"]:
        measured, began = _Measured(), time.perf_counter()
        try:
            yield measured
        finally:
            self._observe_call(kind, time.perf_counter() - began, measured.ok)


class _Measured(Struct):
    ok: bool = False


@contextmanager
def translated(what: str) -> Generator[None]:
    """
    Translate the errors of sockets, of HTTP and of podman-py (which are OSErrors) to ours, once.

    One that carries a reply is a refusal; without a reply nobody answered.
    """
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        answer = cast("Any", getattr(error, "response", None))
        if answer is not None:
            raise refusal(what, answer.status_code, answer.text) from error
        raise _unavailable(what, error.__cause__ or error) from error


def each_translated(what: str, items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield what a stream yields, with its errors translated."""
    with translated(what):
        yield from items


def json_object(line: bytes) -> Json:
    """Return the JSON object in a line of a stream; an empty one where it is none."""
    try:
        value: object = json.loads(line)
    except ValueError:
        return {}
    return cast("Json", value) if isinstance(value, dict) else {}


def _unavailable(what: str, error: BaseException) -> DriverUnavailable:
    text = f"{type(error).__name__} {error}".lower()
    if "timeout" in text or "timed out" in text:
        why = "Podman did not answer in time"
    elif "no such file" in text or "refused" in text or "unable to make connection" in text:
        why = "Podman's service is not running"
    elif isinstance(error, OSError | http.client.HTTPException):
        why = "the connection to Podman's service broke"
    else:
        why = f"Podman answered what nobody understands ({tidy(str(error))[:80]})"
    return DriverUnavailable(f"cannot {what}: {why}; it is tried again")


def _parsed(text: str, *kinds: type) -> object:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise _unavailable("read Podman's reply", error) from error
    if not isinstance(value, kinds):
        raise _unavailable("read Podman's reply", ValueError(f"a {type(value).__name__}"))
    return value
