"""What the operator is asked when an app is installed: each parameter, and what it may be."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema
from typing_extensions import override

from reconciler.errors import ManifestError
from reconciler.model.manifest.complaint import Complaint, shown
from reconciler.model.manifest.names import Line, Prose, matching
from reconciler.model.manifest.part import Items, MapOf, Part, choice
from reconciler.model.manifest.scalars import Boolean, read_text

LONGEST_VALUE: Final = 4096
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_FQDN: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")


class ParameterType(StrEnum):
    """What a parameter's value may be; `random` is made at random where none is given."""

    TEXT = "text"
    RANDOM = "random"
    PASSWORD = "password"  # noqa: S105 - a kind of field
    BOOLEAN = "boolean"
    NUMBER = "number"
    EMAIL = "email"
    URL = "url"
    IP = "ip"
    FQDN = "fqdn"
    SELECT = "select"


_HIDDEN: Final = frozenset({ParameterType.PASSWORD, ParameterType.RANDOM})


class ParameterError(ManifestError):
    """A value is not what its parameter takes; `hint` says what would be right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


ParameterName = Annotated[
    str,
    BeforeValidator(
        matching(
            _NAME,
            "the name of a parameter: A-Z, 0-9 and `_`, at most 64",
            "write for example ADMIN_EMAIL",
        ),
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
ParameterValue = Annotated[
    str,
    BeforeValidator(read_text),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
ParameterValues = MapOf[ParameterName, ParameterValue]


class ParameterManifest(Part):
    """One question to the operator."""

    name: ParameterName
    type: Annotated[
        ParameterType,
        BeforeValidator(choice(ParameterType, {"string": "write text", "bool": "write boolean"})),
        WithJsonSchema({"enum": [str(word) for word in ParameterType]}),
    ] = ParameterType.TEXT
    label: Line | None = None
    description: Prose | None = None
    default: ParameterValue | None = None
    required: Boolean = False
    options: Items[Line] = ()

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell which default could never be given, and which choice there is not."""
        selects = self.type is ParameterType.SELECT
        if selects and not self.options:
            message = "a parameter of type select needs `options`"
            yield Complaint((), message, "list the words to choose from", missing="options")
        elif self.options and not selects:
            message = f"a parameter of type {self.type} has no `options`"
            yield Complaint(("options",), message, "write `type: select`", at_key=True)
        elif self.default is not None:
            try:
                self.check(self.default)
            except ParameterError as error:
                yield Complaint(("default",), str(error), error.hint)

    def check(self, value: str) -> None:
        """Raise ParameterError where this cannot be the value; a hidden one is never repeated."""
        told = "the value" if self.type in _HIDDEN else shown(value)
        if len(value) > LONGEST_VALUE:
            why = f"it has {len(value)} characters"
            raise ParameterError(f"the value is too long: {why}", f"at most {LONGEST_VALUE}")
        if "\0" in value:
            raise ParameterError(f"{told} has a NUL character", "leave it out")
        if self.type is ParameterType.SELECT:
            if value not in self.options:
                raise ParameterError(
                    f"{told} is not one of {', '.join(self.options)}", "choose one of these"
                )
            return
        fits, what, example = _CHECKS[self.type]
        if not fits(value):
            raise ParameterError(f"{told} is not {what}", f"write for example {example}")


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is none
    except ValueError:
        return False
    return bool(parts.scheme and parts.hostname) and value.isprintable() and " " not in value


_Check = tuple[Callable[[str], bool], str, str]
_CHECKS: Final[Mapping[ParameterType, _Check]] = {
    ParameterType.TEXT: (lambda v: "\n" not in v, "one line of text", "home"),
    ParameterType.RANDOM: (lambda v: "\n" not in v, "one line of text", "a long password"),
    ParameterType.PASSWORD: (lambda v: "\n" not in v, "one line of text", "a long password"),
    ParameterType.BOOLEAN: (lambda v: v in {"true", "false"}, "true or false", "true"),
    ParameterType.NUMBER: (lambda v: bool(_NUMBER.fullmatch(v)), "a number", "8"),
    ParameterType.EMAIL: (
        lambda v: bool(_EMAIL.fullmatch(v)),
        "an address of e-mail",
        "ada@example.org",
    ),
    ParameterType.URL: (_is_url, "an address of the web", "https://example.org"),
    ParameterType.IP: (_is_ip, "an IP address", "192.168.1.2"),
    ParameterType.FQDN: (
        lambda v: bool(_FQDN.fullmatch(v)),
        "a full host name",
        "cloud.example.org",
    ),
}
