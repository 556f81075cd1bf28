"""
The one importer of podman-py: its session, raw requests, and the translation of its errors.

Podman's own library hides errors that matter (a pull that failed is an empty image to it), so we
ask for replies and read them ourselves. Each request has a timeout; each is measured.
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
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlparse

import podman
from podman.api.uds import UDSConnection, UDSConnectionPool
from podman.errors import APIError, NotFound, PodmanError
from typing_extensions import override

from reconciler.drivers.podman.refusal import refusal, tidy
from reconciler.drivers.podman.stream import Ask, Stream, connected
from reconciler.errors import DriverUnavailable

Json = dict[str, Any]
ObserveCall = Callable[[str, float, bool], None]  # call kind, seconds, whether it went well
_FIRST_BAD = 400
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request. `kind` is its bounded name in metrics, `what` completes "cannot …".

    `expected` lists statuses of 400 and above that the caller wants to judge itself.
    """

    kind: str
    what: str
    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: Mapping[str, object] | None = None
    timeout: float = 10.0
    expected: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Reply:
    """What Podman answered."""

    status: int
    text: str

    def object(self) -> Json:
        """Return the JSON object in it."""
        return cast("Json", _parsed(self.text, dict))

    def objects(self) -> list[Json]:
        """Return the list of JSON objects in it; Podman writes an empty one as null."""
        return cast("list[Json]", _parsed(self.text or "null", list, type(None)) or [])


class _Answer(Protocol):
    status_code: int
    text: str
    content: bytes


class _Session(Protocol):
    """What we use of podman-py's APIClient, typed."""

    path_prefix: str

    def get(self, path: str, **options: object) -> _Answer: ...
    def post(self, path: str, **options: object) -> _Answer: ...
    def delete(self, path: str, **options: object) -> _Answer: ...
    def close(self) -> None: ...


class _Connection(UDSConnection):
    """podman-py's connection, but for the socket that it leaves open where nobody listens."""

    @override
    def connect(self) -> None:
        path = unquote(urlparse(str(cast("Any", self).uds)).netloc)
        self.sock = connected(Path(path), cast("float", self.timeout))


class _Pool(UDSConnectionPool):
    ConnectionCls = _Connection


@dataclass(eq=False)
class _Held:
    session: _Session


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
            # `.text` would guess the encoding, slowly; Podman always writes UTF-8.
            reply = Reply(answer.status_code, answer.content.decode(errors="replace"))
            measured.ok = reply.status < _FIRST_BAD
        if reply.status >= _FIRST_BAD and reply.status not in request.expected:
            raise refusal(request.what, reply.status, reply.text)
        return reply

    def stream(self, kind: str, what: str, ask: Ask) -> Stream:
        """Ask for a reply that is read as it comes. Read it within `translated(what)`."""
        with self._measured(kind) as measured, translated(what):
            stream = Stream(self._socket_path, self._session().path_prefix, ask)
            measured.ok = stream.status < _FIRST_BAD
        if measured.ok:
            return stream
        with translated(what):
            text = stream.text()
        raise refusal(what, stream.status, text)

    def _ask(self, request: Request) -> _Answer:
        session = self._session()
        options: dict[str, object] = {"params": request.params, "timeout": request.timeout}
        match request.method:
            case "GET":
                return session.get(request.path, **options)
            case "DELETE":
                return session.delete(request.path, **options)
            case _:
                options["headers"] = {"Content-Type": "application/json"}
                body = None if request.body is None else json.dumps(request.body)
                return session.post(request.path, data=body, **options)

    def _session(self) -> _Session:
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            opened = podman.PodmanClient(base_url=f"unix://{self._socket_path}")
            adapter = cast("Any", opened.api.get_adapter("http://"))
            adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool}
            held = _Held(cast("_Session", opened.api))
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


@dataclass(slots=True)
class _Measured:
    ok: bool = False


@contextmanager
def translated(what: str) -> Generator[None]:
    """
    Translate the errors of podman-py, of sockets and of HTTP to ours, once, with their cause.

    NotFound is not a PodmanError; an APIError without a reply means that nobody answered.
    """
    try:
        yield
    except (APIError, NotFound) as error:
        answer = cast("_Answer | None", getattr(error, "response", None))
        if answer is not None:
            raise refusal(what, answer.status_code, answer.text) from error
        raise _unavailable(what, error.__cause__ or error) from error
    except (PodmanError, OSError, http.client.HTTPException, ValueError) as error:
        raise _unavailable(what, error) from error


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
    elif isinstance(error, (OSError, http.client.HTTPException, PodmanError)):
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
