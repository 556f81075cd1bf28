"""The address that a health check asks, as people write it: with and without scheme or port."""

import re
from typing import Annotated, Final

from msgspec import Struct
from pydantic import PlainValidator, WithJsonSchema

from reconciler.model.manifest.complaint import refusal, shown
from reconciler.model.manifest.scalars import read_text

HINT: Final = "write for example http://localhost:8080 or localhost:5432"
_LONGEST: Final = 2048
_LAST_PORT: Final = 65535
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://+")
_AUTHORITY: Final = re.compile(
    r"(?P<only>[0-9]{1,6})"
    r"|(?P<host>[A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9a-fA-F:.]+\]|::1)(?::(?P<port>[0-9]{1,6}))?",
)
_PATH: Final = re.compile(r"[!-~]*")


class Endpoint(Struct, frozen=True):
    """An endpoint in its parts; scheme and path are empty, and the port 0, where not written."""

    scheme: str
    host: str
    port: int
    path: str


def read_endpoint(value: object) -> Endpoint:
    """Return the parts of an endpoint; a scheme written twice counts once."""
    if isinstance(value, Endpoint):
        return value
    text = read_text(value)
    if len(text) > _LONGEST:
        raise refusal(f"the endpoint has {len(text)} characters, {_LONGEST} are the most")
    scheme, rest = "", text
    while match := _SCHEME.match(rest):
        scheme, rest = match[1].lower(), rest[match.end() :]
    end = re.search(r"[/?#]", rest)
    cut = end.start() if end else len(rest)
    authority = _AUTHORITY.fullmatch(rest[:cut])
    if authority is None:
        raise refusal(f"{shown(text)} is not an endpoint", HINT)
    port = authority["only"] or authority["port"]
    if port and not 1 <= int(port) <= _LAST_PORT:
        raise refusal(f"{port} is not a port", f"ports go from 1 to {_LAST_PORT}")
    host = (authority["host"] or "localhost").strip("[]").lower()
    return Endpoint(scheme, host, int(port or 0), read_url_path(rest[cut:]))


def read_url_path(value: object) -> str:
    """Return a path of a URL; may be empty."""
    text = read_text(value)
    if len(text) > _LONGEST or _PATH.fullmatch(text) is None:
        raise refusal(
            f"{shown(text)} is not the path of a URL",
            "spaces and letters beyond ASCII are written with %",
        )
    return text


def join_paths(first: str, second: str) -> str:
    """Return both paths as one that begins with a slash and doubles none; equal ones once."""
    base, question, query = first.partition("?")
    if second.strip("/") and second.rstrip("/") != first.rstrip("/"):
        more, question, query = second.partition("?")
        base = f"{base}/{more}"
    return re.sub(r"/{2,}", "/", f"/{base}") + question + query


EndpointText = Annotated[
    Endpoint,
    PlainValidator(read_endpoint),
    WithJsonSchema({"type": ["string", "integer"]}),
]
