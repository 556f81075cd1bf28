"""How a container is asked whether it is well."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from typing_extensions import override

from reconciler.model.container import HealthKind
from reconciler.model.manifest.complaint import Complaint, refusal
from reconciler.model.manifest.endpoint import EndpointText, join_paths, read_url_path
from reconciler.model.manifest.part import Part, choice
from reconciler.model.manifest.ports import PortManifest
from reconciler.model.manifest.scalars import Integer
from reconciler.model.manifest.values import (
    DAY,
    WORDS_SCHEMA,
    Duration,
    PortNumber,
    between,
    read_words,
)

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared
_SHELL_WORDS: Final = frozenset({"||", "&&", "|", ";", "&", ">", ">>", "<", "2>&1", ">/dev/null"})
_SCHEMES: Final = {
    HealthKind.HTTP: ("", "http", "https"),
    HealthKind.TCP: ("", "tcp"),
    HealthKind.EXEC: ("",),
}
_HOUR: Final = 3600


def read_probe_command(value: object) -> tuple[str, ...]:
    """Return the words of a command that no shell will see, and refuse what needs one."""
    words = read_words(value)
    if words[0] in {"CMD", "CMD-SHELL"}:
        raise refusal(f"`{words[0]}` is not part of the command here", f"leave out `{words[0]}`")
    if isinstance(value, str) and not _SHELL_WORDS.isdisjoint(words):
        raise refusal(
            "the command needs a shell, and none runs it",
            'write command: [sh, -c, "…"]',
        )
    return words


def _some_patience(seconds: float) -> float:
    if seconds <= 0:
        raise refusal("without any time nothing can answer", "write for example 5s")
    return between(0, _HOUR, "s")(seconds)


def _bounded_retries(number: int) -> int:
    between(1, 100)(number)
    return number


class HealthCheckManifest(Part):
    """
    A probe and its patience; a status from 200 to 399 is a good answer to http.

    `kind scheme port path command interval timeout retries start_period` are what to do; which
    container port is meant, only `probe_port` knows.
    """

    kind: Annotated[
        HealthKind,
        Field(alias="type"),
        BeforeValidator(
            choice(HealthKind, {"cmd": "write `type: exec`", "https": "write `type: http`"}),
        ),
        WithJsonSchema({"enum": [str(kind) for kind in HealthKind]}),
    ]
    endpoint: EndpointText | None = None
    given_path: Annotated[
        str,
        Field(alias="path"),
        BeforeValidator(read_url_path),
        WithJsonSchema({"type": "string"}),
    ] = ""
    given_port: PortNumber | None = Field(default=None, alias="port")
    command: Annotated[
        tuple[str, ...],
        PlainValidator(read_probe_command),
        WithJsonSchema(WORDS_SCHEMA),
    ] = ()
    interval: Annotated[Duration, AfterValidator(between(1, DAY, "s"))] = 30.0
    timeout: Annotated[Duration, AfterValidator(_some_patience)] = 5.0
    retries: Annotated[Integer, AfterValidator(_bounded_retries)] = 3
    start_period: Annotated[Duration, AfterValidator(between(0, DAY, "s"))] = 0.0

    @property
    def scheme(self) -> str:
        """`http`, `https`, or nothing where the kind knows no scheme."""
        if self.kind is not HealthKind.HTTP:
            return ""
        return (self.endpoint.scheme if self.endpoint else "") or "http"

    @property
    def port(self) -> int:
        """The port as written; 0 where a command is asked."""
        if self.given_port is not None:
            return self.given_port
        if self.endpoint is None or self.kind is HealthKind.EXEC:
            return 0
        default = {"http": 80, "https": 443}.get(self.scheme, 0)
        return self.endpoint.port or default

    @property
    def path(self) -> str:
        """The path of the endpoint and the path beside it, as one."""
        return join_paths(self.endpoint.path if self.endpoint else "", self.given_path)

    @property
    def host(self) -> str | None:
        """The host as written, or None where it says the container itself."""
        host = self.endpoint.host if self.endpoint else "localhost"
        return None if host in _LOOPBACK else host

    def probe_port(self, ports: Iterable[PortManifest]) -> int:
        """Return the container port: the one behind it, where a published host port is written."""
        reachable = [port for port in ports if port.protocol == "tcp"]
        if any(port.container == self.port for port in reachable):
            return self.port
        behind = (port.container for port in reachable if port.host == self.port)
        return next(behind, self.port)

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell which keys the type needs and which it does not have."""
        match self.kind:
            case HealthKind.HTTP:
                if self.endpoint is None:
                    yield self._lacks("endpoint", "write for example http://localhost:8080")
                yield from self._has_no("command", "port")
            case HealthKind.TCP:
                if not self.port:
                    yield self._lacks("endpoint", "write for example localhost:5432")
                yield from self._has_no("command", "path")
            case HealthKind.EXEC:  # pragma: no branch - there is no other
                if not self.command:
                    yield self._lacks("command", "write for example [pg_isready, -U, postgres]")
                yield from self._has_no("endpoint", "path", "port")
        yield from self._complaints_about_endpoint()

    def _complaints_about_endpoint(self) -> Iterator[Complaint]:
        if self.endpoint is None or self.kind is HealthKind.EXEC:
            return
        if self.endpoint.scheme not in _SCHEMES[self.kind]:
            message = f"a check of type {self.kind} cannot ask over {self.endpoint.scheme}"
            yield Complaint(("endpoint",), message)
        if self.given_port is not None and self.endpoint.port:
            message = "the port is given twice, by `endpoint` and by `port`"
            yield Complaint(("port",), message, "remove one", at_key=True)

    def _lacks(self, key: str, hint: str) -> Complaint:
        return Complaint((), f"a check of type {self.kind} needs `{key}`", hint, missing=key)

    def _has_no(self, *keys: str) -> Iterator[Complaint]:
        names = {"path": "given_path", "port": "given_port"}
        for key in keys:
            if names.get(key, key) in self.model_fields_set:
                yield Complaint((key,), f"a check of type {self.kind} has no `{key}`", at_key=True)
