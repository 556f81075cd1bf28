"""Environment variables: given in place, or to be made from facts of the machine and secrets."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Final, cast

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.model.manifest.complaint import Complaint, did_you_mean, refusal, refusals, shown
from reconciler.model.manifest.names import VolumeName, matching
from reconciler.model.manifest.part import MANY, Part, as_mapping
from reconciler.model.manifest.scalars import read_text

FACTS: Final = ("HOST_IP", "HOST_MDNS", "DISK_GB", "BITCOIN_HOST", "NODE_NOSTR_PUBKEY")

_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}")
_KEY_HINT: Final = "write for example DATABASE_URL"
_TEMPLATE: Final = re.compile(r"\{\{([^{}]*)\}\}")

read_key: Final = matching(
    _KEY,
    "the name of a variable: letters, digits, `_`, `.` and `-`, no digit in front",
    _KEY_HINT,
)


def read_environment(written: object) -> Mapping[str, str]:
    """Return variables written as a mapping or as a list of K=V."""
    match written:
        case Mapping():
            pairs = _pairs_of_mapping(as_mapping(cast("object", written)))
        case list() | tuple():
            pairs = _pairs_of_list(cast("Iterable[object]", written))
        case _:
            raise refusal("this must be a mapping, or a list of `KEY=value`")
    variables: dict[str, str] = {}
    wrong: list[Complaint] = []
    for place, key, value in pairs:
        complaint = _complaint_about(place, key, value)
        if complaint is not None:
            wrong.append(complaint)
        elif str(key) in variables:
            wrong.append(Complaint((place,), f"the variable {shown(key)} is given twice"))
        else:
            variables[str(key)] = read_text(value)
        if len(wrong) == MANY:
            break
    if wrong:
        raise refusals(wrong)
    return MappingProxyType(variables)


_Pair = tuple[str | int, str | None, object]


def _pairs_of_mapping(written: Mapping[str, object]) -> Iterator[_Pair]:
    for key, value in written.items():
        if not key.startswith("x-"):
            yield str(key), key, value


def _pairs_of_list(written: Iterable[object]) -> Iterator[_Pair]:
    for index, entry in enumerate(written):
        if isinstance(entry, str):
            key, equals, value = entry.partition("=")
            yield index, key, value if equals else None
        else:
            yield index, None, entry


def _complaint_about(place: str | int, key: str | None, value: object) -> Complaint | None:
    if key is None:
        return Complaint((place,), "this is not of the form KEY=value")
    try:
        read_key(key)
    except PydanticCustomError:
        message = f"{shown(key)} is not the name of a variable"
        return Complaint((place,), message, _KEY_HINT, at_key=True)
    if value is None:
        message = f"the variable {shown(key)} has no value"
        return Complaint((place,), message, 'write "" for an empty one', at_key=True)
    if not isinstance(value, str | int | float):
        return Complaint((place,), f"the value of {shown(key)} must be one text")
    if "{{" in str(value):
        message = "this version does not fill in templates here"
        return Complaint((place,), message, "write the value itself")
    if "\0" in str(value):
        return Complaint((place,), f"the value of {shown(key)} has a NUL character")
    return None


def read_template(value: object) -> str:
    """Return a text with `{{FACT}}` in it, each of them known."""
    text = read_text(value)
    for match in _TEMPLATE.finditer(text):
        name = match[1].strip()
        if name not in FACTS:
            raise refusal(
                f"there is no template {shown('{{' + name + '}}')}",
                did_you_mean(name, FACTS) or f"the templates are {', '.join(FACTS)}",
            )
    rest = _TEMPLATE.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise refusal(
            f"a template in {shown(text)} is not closed, or closed without being opened",
            "write for example {{HOST_IP}}",
        )
    return text


EnvironmentKey = Annotated[str, BeforeValidator(read_key), WithJsonSchema({"type": "string"})]
Template = Annotated[str, BeforeValidator(read_template), WithJsonSchema({"type": "string"})]
Environment = Annotated[
    Mapping[str, str],
    PlainValidator(read_environment),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "additionalProperties": {"type": ["string", "number", "boolean"]},
                    "patternProperties": {"^x-": {}},
                },
                {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}},
            ],
        },
    ),
]


class DerivedVariableManifest(Part):
    """A variable made from facts of the machine."""

    key: EnvironmentKey
    template: Template


class SecretVariableManifest(Part):
    """A variable that holds a secret."""

    key: EnvironmentKey
    secret: VolumeName
