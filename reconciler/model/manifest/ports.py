"""Published ports."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema
from typing_extensions import override

from reconciler.model.manifest.complaint import Complaint, Path, refusal, shown
from reconciler.model.manifest.names import Line, Prose, VolumeName
from reconciler.model.manifest.part import Part, choice
from reconciler.model.manifest.scalars import read_text
from reconciler.model.manifest.values import Address, PortNumber

_SHORT: Final = re.compile(
    r"(?:(?P<bind>[0-9]+(?:\.[0-9]+)+|\[[0-9a-fA-F:]+\]):)?(?:(?P<host>[0-9]+):)?(?P<container>[0-9]+)"
    r"(?:/(?P<protocol>[a-z]+))?",
)
_ALL_ADDRESSES: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on
Protocol = Literal["tcp", "udp", "sctp"]
_PROTOCOLS: Final[tuple[Protocol, ...]] = ("tcp", "udp", "sctp")


class PortManifest(Part):
    """One published port: `host` on the machine leads to `container`."""

    name: VolumeName | None = None
    host: PortNumber
    container: PortNumber
    protocol: Annotated[
        Protocol,
        BeforeValidator(choice(_PROTOCOLS)),
        WithJsonSchema({"enum": list(_PROTOCOLS)}),
    ] = "tcp"
    bind: Address = "127.0.0.1"
    auth: Line | None = None
    auth_rationale: Prose | None = None

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Refuse the short form, which hides the address that is bound, and show the long one."""
        if isinstance(written, str | int | float):
            text = read_text(written)
            raise refusal(f"the short form {shown(text)} is not available", _long_form(text))
        return written

    def overlaps(self, other: "PortManifest") -> bool:
        """Tell whether both want the same port of the machine."""
        return (self.host, self.protocol) == (other.host, other.protocol) and (
            self.bind == other.bind or not _ALL_ADDRESSES.isdisjoint({self.bind, other.bind})
        )

    @override
    def __str__(self) -> str:
        return f"{self.bind}:{self.host}/{self.protocol}"


def _long_form(text: str) -> str:
    match = _SHORT.fullmatch(text)
    if match is None:
        return "write {host: 8080, container: 80}"
    container = match["container"]
    parts = [f"host: {match['host'] or container}", f"container: {container}"]
    if match["protocol"]:
        parts.append(f"protocol: {match['protocol']}")
    if match["bind"]:
        parts.append(f"bind: {match['bind'].strip('[]')}")
    return f"write {{{', '.join(parts)}}}"


def complaints_about_ports(ports: Sequence[tuple[Path, PortManifest]]) -> Iterator[Complaint]:
    """Tell which ports of an app are in each other's way."""
    taken: dict[tuple[int, str], list[PortManifest]] = {}
    names: set[str] = set()
    for path, port in ports:
        earlier = taken.setdefault((port.host, port.protocol), [])
        rival = next((other for other in earlier if port.overlaps(other)), None)
        if rival is not None:
            message = f"port {port} of this machine is published twice"
            also = "" if str(rival) == str(port) else f", the other time as {rival}"
            yield Complaint((*path, "host"), message + also, "choose another host port")
        if port.name in names:
            yield Complaint((*path, "name"), f"two ports have the name {shown(port.name)}")
        earlier.append(port)
        names |= {port.name} if port.name else set()
