"""Environment variables: given in place, or made from facts, parameters and secrets."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Final, cast

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.model.manifest.complaint import Complaint, refusal, refusals, shown
from reconciler.model.manifest.names import matching
from reconciler.model.manifest.part import MANY, Part, as_mapping
from reconciler.model.manifest.scalars import read_text
from reconciler.model.manifest.secrets import SecretName
from reconciler.model.template import TemplateError, parse_template

_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}")
_KEY_HINT: Final = "write for example DATABASE_URL"

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
    if "\0" in str(value):
        return Complaint((place,), f"the value of {shown(key)} has a NUL character")
    try:
        parse_template(str(value))
    except TemplateError as error:
        return Complaint((place,), str(error), error.hint)
    return None


def read_template(value: object) -> str:
    """Return a text in which every template is one of the closed list."""
    text = read_text(value)
    try:
        parse_template(text)
    except TemplateError as error:
        raise refusal(str(error), error.hint) from error
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
    """A variable made from a template."""

    key: EnvironmentKey
    template: Template


class SecretVariableManifest(Part):
    """A variable that holds a secret."""

    key: EnvironmentKey
    secret: SecretName
