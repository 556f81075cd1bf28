"""Published ports, in the short and in the long form of Compose."""

import re
from typing import Final

from msgspec import Struct

from reconciler.importing.given import Given
from reconciler.importing.tree import Leaf, Section, listed
from reconciler.importing.work import Work

MOST_OF_A_RANGE: Final = 100
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - it is what Compose means, and is told

_SHORT: Final = re.compile(
    r"(?:(?P<bind>\[[^\]]*\]|[0-9.]+|localhost):)??(?:(?P<host>[0-9-]*):)?"
    r"(?P<container>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>[a-zA-Z]+))?",
)
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_RANDOM: Final = (
    "no host port is given, and none is chosen at random here",
    "add one under `ports` if it is to be reached from outside",
)


class _Port(Struct, frozen=True):
    host: str
    container: str
    protocol: str
    bind: str


def carry_ports(given: Given, container: Section, work: Work) -> None:
    """Write what is published; Compose publishes to every network unless told otherwise."""
    del work
    for entry in given.entries():
        port = _long(entry) if entry.is_mapping else _short(entry)
        if port is not None:
            _publish(entry, port, container)


def _short(given: Given) -> _Port | None:
    text = given.closed_text()
    if text is None:
        return None
    match = _SHORT.fullmatch(text.strip())
    if match is None:
        given.not_carried("this is not a port mapping", "write it under `ports` by hand")
        return None
    bind = (match["bind"] or EVERYWHERE).strip("[]").replace("localhost", "127.0.0.1")
    return _Port(match["host"] or "", match["container"], (match["protocol"] or "tcp"), bind)


def _long(given: Given) -> _Port | None:
    target = given.get("target")
    if target is None:
        given.not_carried("a port mapping without `target` leads nowhere")
        return None
    texts = {key: _text_of(given, key) for key in ("target", "published", "protocol", "host_ip")}
    for key in ("mode", "app_protocol", "name"):
        if (found := given.get(key)) is not None:
            found.neutral()
    return _Port(
        texts["published"] or "",
        texts["target"] or "",
        texts["protocol"] or "tcp",
        texts["host_ip"] or EVERYWHERE,
    )


def _text_of(given: Given, key: str) -> str | None:
    found = given.get(key)
    return None if found is None else found.closed_text()


def _publish(given: Given, port: _Port, container: Section) -> None:
    if not port.host:
        given.not_carried(*_RANDOM)
        return
    host, inside = _numbers(port.host), _numbers(port.container)
    if not host or not inside or (len(host) != len(inside) and len(inside) != 1):
        message = f"the ports do not match, or are more than {MOST_OF_A_RANGE}"
        given.not_carried(message, "write them under `ports` by hand")
        return
    if len(inside) == 1 and len(host) > 1:
        host = host[:1]
        given.changed(f"of the range of host ports the first is taken: {host[0]}")
    for outer, inner in zip(host, inside, strict=True):
        written: Section = {"host": outer, "container": inner}
        if port.protocol.lower() != "tcp":
            written["protocol"] = port.protocol.lower()
        written["bind"] = port.bind
        if not _is_published(container, written):
            listed(container, "ports").append(Leaf(written, given.path))
    if port.bind != "127.0.0.1":
        shown = port.host if port.protocol == "tcp" else f"{port.host}/{port.protocol}"
        given.permission(f"publishes port {shown} to every network that the machine is in")


def _is_published(container: Section, written: Section) -> bool:
    return any(
        isinstance(leaf, Leaf) and leaf.value == written for leaf in listed(container, "ports")
    )


def _numbers(text: str) -> list[int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        return []
    first = int(match[1])
    last = int(match[2] or first)
    return list(range(first, last + 1)) if last - first < MOST_OF_A_RANGE else []
