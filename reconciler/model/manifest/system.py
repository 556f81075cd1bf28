"""What a container gets of the machine: devices, limits, kernel settings, names of hosts."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, cast

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError
from typing_extensions import override

from reconciler.model.manifest.complaint import (
    Complaint,
    complaint_of,
    did_you_mean,
    refusal,
    refusals,
    shown,
)
from reconciler.model.manifest.names import ContainerPath, read_host, read_path
from reconciler.model.manifest.part import MANY, Part, as_mapping
from reconciler.model.manifest.scalars import Boolean, read_integer, read_text

_RESOURCES: Final = (
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending "
    "stack"
)
ULIMITS: Final = tuple(_RESOURCES.split())
UNLIMITED: Final = -1
_LARGEST_ULIMIT: Final = 2**63 - 1
# What a container has for itself; everything else would change the whole machine.
_SYSCTL: Final = re.compile(
    r"kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)"
    r"|fs\.mqueue\.[a-z0-9_]+"
    r"|net(?:\.[A-Za-z0-9_-]+)+"
)
_SYSCTL_VALUE: Final = re.compile(r"[ -~]{1,256}")
_DEVICE: Final = re.compile(r"/dev(?:/[A-Za-z0-9._:@+-]+)+")
_PERMISSIONS: Final = re.compile(r"r?w?m?")


def read_device(value: object) -> str:
    """Return the path of a device."""
    path = read_path(value)
    if _DEVICE.fullmatch(path) is None:
        raise refusal(f"{shown(path)} is not a device", "write for example /dev/ttyUSB0")
    return path


def read_permissions(value: object) -> str:
    """Return what may be done with a device: some of r, w and m."""
    text = read_text(value)
    if not text or _PERMISSIONS.fullmatch(text) is None:
        raise refusal(f"{shown(text)} is not some of r, w and m", "write for example rw")
    return text


class DeviceManifest(Part):
    """A device of the machine; one that is `optional` is left out where it is not there."""

    SHORT_FORM: ClassVar[Mapping[str, object] | None] = {"type": "string", "pattern": "^/dev/"}

    path: Annotated[
        str,
        BeforeValidator(read_device),
        WithJsonSchema({"type": "string", "pattern": "^/dev/"}),
    ]
    target: ContainerPath | None = None
    permissions: Annotated[
        str,
        BeforeValidator(read_permissions),
        WithJsonSchema({"type": "string", "pattern": "^r?w?m?$"}),
    ] = "rwm"
    optional: Boolean = False

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Return the long form of `/dev/a`, `/dev/a:/dev/b` or `/dev/a:/dev/b:rw`."""
        if not isinstance(written, str):
            return written
        path, _, rest = written.partition(":")
        target, _, permissions = rest.partition(":")
        if target and not permissions and _PERMISSIONS.fullmatch(target):
            target, permissions = "", target
        given = {"path": path, "target": target, "permissions": permissions}
        return {key: value for key, value in given.items() if value}


def read_ulimit(value: object) -> int:
    """Return a limit, -1 for none."""
    if value == "unlimited":
        return UNLIMITED
    number = read_integer(value)
    if not UNLIMITED <= number <= _LARGEST_ULIMIT:
        raise refusal(f"{number} is not a limit", "write a number, or unlimited")
    return number


_ULIMIT_SCHEMA: Final[JsonDict] = {"anyOf": [{"type": "integer"}, {"const": "unlimited"}]}
Ulimit = Annotated[int, BeforeValidator(read_ulimit), WithJsonSchema(_ULIMIT_SCHEMA)]


class UlimitManifest(Part):
    """How much of one thing a process may have; -1 is without limit."""

    SHORT_FORM: ClassVar[Mapping[str, object] | None] = _ULIMIT_SCHEMA

    soft: Ulimit
    hard: Ulimit

    @classmethod
    @override
    def from_short(cls, written: object) -> object:
        """Return the long form of one number for both."""
        if not isinstance(written, str | int):
            return written
        limit = read_ulimit(written)
        return {"soft": limit, "hard": limit}

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when the softer one is the larger."""
        soft, hard = (_largest(n) for n in (self.soft, self.hard))
        if soft > hard:
            yield Complaint(("soft",), "the soft limit is larger than the hard one")


def _largest(limit: int) -> int:
    return _LARGEST_ULIMIT if limit == UNLIMITED else limit


def read_ulimit_name(value: object) -> str:
    """Return what is limited, as `ulimit` and setrlimit(2) call it."""
    text = read_text(value)
    name = text.lower().removeprefix("rlimit_")
    if name not in ULIMITS:
        hint = did_you_mean(name, ULIMITS) or f"known are {', '.join(ULIMITS)}"
        raise refusal(f"{shown(text)} cannot be limited", hint)
    return name


def _pairs(written: object, form: str, divider: str) -> Iterator[tuple[str | int, str, object]]:
    """Yield place, key and value of a mapping, or of a list of texts of the given form."""
    match written:
        case Mapping():
            for key, value in as_mapping(cast("object", written)).items():
                if not key.startswith("x-"):
                    yield str(key), str(key), value
        case list() | tuple():
            for index, entry in enumerate(cast("Iterable[object]", written)):
                key, found, value = read_text(entry).partition(divider)
                if not found:
                    complaint = Complaint((index,), f"this is not of the form {form}")
                    raise refusals([complaint])
                yield index, key.strip(), value.strip()
        case _:
            raise refusal(f"this must be a mapping, or a list of `{form}`")


def read_sysctls(written: object) -> Mapping[str, str]:
    """Return kernel settings that belong to the container alone."""
    found: dict[str, str] = {}
    wrong: list[Complaint] = []
    for place, key, value in _pairs(written, "key=value", "="):
        complaint = _complaint_about_sysctl(place, key, value)
        if complaint is None:
            found[key] = read_text(value)
        else:
            wrong.append(complaint)
        if len(wrong) == MANY:
            break
    if wrong:
        raise refusals(wrong)
    return MappingProxyType(found)


def _complaint_about_sysctl(place: str | int, key: str, value: object) -> Complaint | None:
    if _SYSCTL.fullmatch(key) is None:
        message = f"{shown(key)} would change the whole machine, or is no kernel setting"
        hint = "a container has its own net.*, fs.mqueue.* and kernel.sem, .msg*, .shm* only"
        return Complaint((place,), message, hint, at_key=True)
    try:
        text = read_text(value)
    except PydanticCustomError as error:
        return complaint_of(error, (place,))
    if _SYSCTL_VALUE.fullmatch(text) is None:
        return Complaint((place,), f"{shown(text)} cannot be a kernel setting's value")
    return None


def read_extra_hosts(written: object) -> Mapping[str, str]:
    """Return names that the container's hosts file has, with their addresses."""
    found: dict[str, str] = {}
    wrong: list[Complaint] = []
    for place, name, address in _pairs(written, "name:address", ":"):
        try:
            found[read_host(name)] = _address(address)
        except PydanticCustomError as error:
            wrong.append(complaint_of(error, (place,)))
        if len(wrong) == MANY:
            break
    if wrong:
        raise refusals(wrong)
    return MappingProxyType(found)


def _address(value: object) -> str:
    text = read_text(value).strip("[]")
    if text == "host-gateway":
        raise refusal(
            "`host-gateway` is not available: an app does not reach the machine it runs on",
            "write the address itself",
        )
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise refusal(
            f"{shown(text)} is not an IP address", "write for example 10.0.0.1"
        ) from None


Sysctls = Annotated[
    Mapping[str, str],
    PlainValidator(read_sysctls),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
                {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}},
            ],
        },
    ),
]
ExtraHosts = Annotated[
    Mapping[str, str],
    PlainValidator(read_extra_hosts),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": "string"}},
                {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:"}},
            ],
        },
    ),
]
UlimitName = Annotated[str, BeforeValidator(read_ulimit_name)]
