"""Quantities, ports, commands and images as fields of a document: each reader with its type."""

import ipaddress
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, cast

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from reconciler.model.image_reference import (
    ImageReference,
    ImageReferenceError,
    parse_image_reference,
)
from reconciler.model.manifest.complaint import Complaint, refusal, refusals, shown
from reconciler.model.manifest.scalars import read_integer, read_text
from reconciler.model.quantities import QuantityError, parse_cpu, parse_duration, parse_size

_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_LAST_PORT: Final = 65535
_SMALLEST_MEMORY: Final = 1024**2
DAY: Final = 86400.0


def read_size(value: object) -> int:
    """Return bytes."""
    try:
        return parse_size(read_text(value))
    except QuantityError as error:
        raise refusal(str(error), error.hint) from error


def read_memory(value: object) -> int:
    """Return bytes, enough of them for a process."""
    size = read_size(value)
    if size < _SMALLEST_MEMORY:
        text = read_text(value)
        hint = f"did you mean {text}Mi?" if text.isdecimal() else "write for example 512Mi"
        raise refusal(f"{size} bytes are too few for any process", hint)
    return size


def read_moment(value: object) -> datetime:
    """Return a moment, in UTC."""
    text = read_text(value)
    hint = "write it in UTC, for example 2026-12-01T10:00:00Z"
    try:
        moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise refusal(f"{shown(text)} is not a date and a time", hint)
    if moment.tzinfo is None:
        raise refusal(f"{shown(text)} does not say in which time zone", hint)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise refusal(f"{shown(text)} is not a date and a time", hint) from error


def read_duration(value: object) -> float:
    """Return seconds."""
    try:
        return parse_duration(read_text(value))
    except QuantityError as error:
        raise refusal(str(error), error.hint) from error


def read_cpu(value: object) -> float:
    """Return a number of cores."""
    try:
        return parse_cpu(read_text(value))
    except QuantityError as error:
        raise refusal(str(error), error.hint) from error


def read_image(value: object) -> ImageReference:
    """Return an image's name in its parts."""
    if isinstance(value, ImageReference):
        return value
    try:
        return parse_image_reference(read_text(value))
    except ImageReferenceError as error:
        raise refusal(str(error), error.hint) from error


def read_port(value: object) -> int:
    """Return the number of a port."""
    port = read_integer(value)
    if not 1 <= port <= _LAST_PORT:
        raise refusal(f"{port} is not a port", f"ports go from 1 to {_LAST_PORT}")
    return port


def read_address(value: object) -> str:
    """Return an IP address in its usual spelling."""
    text = read_text(value)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or "%" in text:
        raise refusal(
            f"{shown(text)} is not an IP address",
            "write 127.0.0.1 for this machine only, or 0.0.0.0 for every network",
        )
    return str(address)


def read_words(value: object) -> tuple[str, ...]:
    """Return the words of a command; a text is split as a shell would, but no shell runs it."""
    if isinstance(value, list | tuple):
        words = _each(cast("list[object]", value))
    else:
        words = _split(read_text(value))
    if not words:
        raise refusal("the command is empty", "give one, or remove the key")
    if any("\0" in word for word in words):
        raise refusal("the command has a NUL character")
    return words


def _each(values: list[object] | tuple[object, ...]) -> tuple[str, ...]:
    wrong = [
        Complaint((index,), "each word of a command is one text", "put it in quotes")
        for index, value in enumerate(values)
        if value is None or isinstance(value, dict | list | tuple)
    ]
    if wrong:
        raise refusals(wrong)
    return tuple(read_text(value) for value in values)


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise refusal(
            f"a quote or a backslash in {shown(text)} has no counterpart",
            "close it, or write the command as a list of words",
        ) from error


def between(least: float, most: float, unit: str = "") -> Callable[[float], float]:
    """Return a check that a number lies within limits."""

    def check(value: float) -> float:
        if not least <= value <= most:
            hint = f"from {least:g}{unit} to {most:g}{unit}"
            raise refusal(f"{value:g}{unit} is out of bounds", hint)
        return value

    return check


_QUANTITY: Final[JsonDict] = {"type": ["string", "number"]}

Size = Annotated[int, BeforeValidator(read_size), WithJsonSchema(_QUANTITY)]
Memory = Annotated[int, BeforeValidator(read_memory), WithJsonSchema(_QUANTITY)]
Cpu = Annotated[
    float,
    BeforeValidator(read_cpu),
    AfterValidator(between(0.01, 4096)),
    WithJsonSchema(_QUANTITY),
]
Moment = Annotated[
    datetime,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_MOMENT.pattern}$"}),
]
Duration = Annotated[float, BeforeValidator(read_duration), WithJsonSchema(_QUANTITY)]
PortNumber = Annotated[
    int,
    BeforeValidator(read_port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _LAST_PORT}),
]
Address = Annotated[str, BeforeValidator(read_address), WithJsonSchema({"type": "string"})]
WORDS_SCHEMA: Final[JsonDict] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
    ],
}
Words = Annotated[tuple[str, ...], PlainValidator(read_words), WithJsonSchema(WORDS_SCHEMA)]
Image = Annotated[
    ImageReference,
    PlainValidator(read_image),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9._:/@+\[\]-]+$"}),
]
