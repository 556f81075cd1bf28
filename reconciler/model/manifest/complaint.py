"""
What is wrong in a document, in words for a person, and how it travels through the validation.

Every error that leaves a model is one of ours: pydantic's own words never reach a user.
"""

import difflib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from msgspec import Struct
from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

Path = tuple[str | int, ...]

KIND: Final = "manifest"
_SHOWN: Final = 60
_LONGEST_GUESS: Final = 64


class Complaint(Struct, frozen=True):
    """Something wrong at a place; `at_key` means the key itself is wrong, not its value."""

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False
    missing: str = ""  # the key that is not there

    def beneath(self, prefix: Path) -> "Complaint":
        """Return the same, seen from further up."""
        return Complaint((*prefix, *self.path), self.message, self.hint, self.at_key, self.missing)


def refusal(
    message: str,
    hint: str = "",
    *,
    at_key: bool = False,
    missing: str = "",
) -> PydanticCustomError:
    """Return what a validator raises."""
    facts = {"message": message, "hint": hint, "at_key": at_key, "missing": missing}
    return PydanticCustomError(KIND, "{message}", facts)


def refusals(complaints: Iterable[Complaint]) -> ValidationError:
    """Return several refusals as one error; raised inside a validator, each keeps its place."""
    details = [
        InitErrorDetails(
            type=refusal(c.message, c.hint, at_key=c.at_key, missing=c.missing),
            loc=c.path,
            input=None,
        )
        for c in complaints
    ]
    return ValidationError.from_exception_data(KIND, details)


def complaint_of(error: PydanticCustomError, path: Path) -> Complaint:
    """Return what a refusal says, at a place."""
    facts = error.context or {}
    return Complaint(path, facts["message"], facts["hint"])


def complaints_of(error: ValidationError) -> list[Complaint]:
    """Return what an error says, in plain words."""
    return [
        _in_plain_words(detail) for detail in error.errors(include_url=False, include_input=False)
    ]


def _in_plain_words(detail: ErrorDetails) -> Complaint:
    path = detail["loc"]
    at_key = bool(path) and path[-1] == "[key]"
    if at_key:
        path = path[:-1]
    facts = detail.get("ctx", {})
    match detail["type"]:
        case "manifest":
            return Complaint(
                path,
                facts["message"],
                facts["hint"],
                at_key or facts["at_key"],
                facts["missing"],
            )
        case "missing":
            return Complaint(path[:-1], f"the key `{path[-1]}` is missing", missing=str(path[-1]))
        case _:  # our own readers come first, so this is for a field that has none
            return Complaint(path, "this cannot stand here", at_key=at_key)


def shown(value: object) -> str:
    """Return a value as a message shows it: short, and without control characters."""
    text = str(value)
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"`{text}`" if text.isprintable() else ascii(text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    return _nearest(word, tuple(known)) if len(word) <= _LONGEST_GUESS else None


@lru_cache(maxsize=256)
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    spellings = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), spellings, n=1, cutoff=0.6)
    return spellings[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint, or nothing where no known word is near."""
    guess = nearest(word, known)
    return f"did you mean `{guess}`?" if guess else ""
