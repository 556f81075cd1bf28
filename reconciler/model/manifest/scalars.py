"""
Single values: text, numbers, true and false, as a user means them.

YAML 1.1 reads `no` as false, `1.10` as 1.1, `0777` as 511 and `1:30` as 90. A plain (unquoted)
scalar therefore arrives here as the raw text, and what it means is decided by the field it is for.
"""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.manifest.complaint import refusal, shown


class PlainScalar(str):
    """The raw text of an unquoted scalar."""

    __slots__ = ()


_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_OCTAL: Final = re.compile(r"0o?([0-7]{1,17})")
_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
_YES_AND_NO: Final = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "1": "true",
    "no": "false",
    "off": "false",
    "n": "false",
    "0": "false",
}


def read_text(value: object) -> str:
    """Return the text as it was written."""
    match value:
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise refusal(f"this is {_described(value)}, where one text is wanted")


def read_integer(value: object) -> int:
    """Return a whole number, written in decimal."""
    match value:
        case int() if not isinstance(value, bool):
            return value
        case PlainScalar() if _INTEGER.fullmatch(value):
            return int(value)
        case PlainScalar() if octal := _OCTAL.fullmatch(value):
            number = int(octal[1], 8)
            raise refusal(
                f"{shown(value)} can be read as octal, and numbers are decimal here",
                f"write {octal[1].lstrip('0') or '0'}, or {number} if octal was meant",
            )
        case str() if not isinstance(value, PlainScalar) and _INTEGER.fullmatch(value):
            raise refusal(
                f'"{value}" is text because of its quotes, where a number is wanted',
                f"drop the quotes: {value}",
            )
        case _:
            raise refusal(f"{_described(value)} is not a whole number", "write decimal digits")


def read_number(value: object) -> float:
    """Return a number, written in decimal."""
    match value:
        case int() | float() if not isinstance(value, bool):
            return float(value)
        case PlainScalar() if _NUMBER.fullmatch(value):
            return float(value)
        case str() if not isinstance(value, PlainScalar) and _NUMBER.fullmatch(value):
            raise refusal(
                f'"{value}" is text because of its quotes, where a number is wanted',
                f"drop the quotes: {value}",
            )
        case _:
            raise refusal(f"{_described(value)} is not a number", "write for example 2 or 0.5")


def read_boolean(value: object) -> bool:
    """Return true or false, written so."""
    match value:
        case bool():
            return value
        case PlainScalar() if value in {"true", "false"}:
            return value == "true"
        case str() if value in {"true", "false"}:
            raise refusal(f'"{value}" is text because of its quotes', f"drop the quotes: {value}")
        case str() | int() if meant := _YES_AND_NO.get(str(value).lower()):
            raise refusal(f"{shown(value)} is not clear: write true or false", f"write {meant}")
        case str() if value.lower() in {"true", "false"}:
            raise refusal(f"{shown(value)} is not written so", f"write {value.lower()}")
        case _:
            raise refusal(f"{_described(value)} is neither true nor false", "write true or false")


def _described(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return shown(value)


Text = Annotated[
    str,
    BeforeValidator(read_text),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Integer = Annotated[int, BeforeValidator(read_integer), WithJsonSchema({"type": "integer"})]
Number = Annotated[float, BeforeValidator(read_number), WithJsonSchema({"type": "number"})]
Boolean = Annotated[bool, BeforeValidator(read_boolean), WithJsonSchema({"type": "boolean"})]
