"""
Sizes, durations and shares of CPU, read from text. Nothing unreadable ever becomes a number.

An existing system once read `128Mi` as nothing and gave every app a memory limit of 0.
"""

import re
from fractions import Fraction
from typing import Final

from reconciler.errors import ManifestError

SIZE_HINT: Final = "write for example 512Mi, 2Gi or 500M, or a number of bytes"
DURATION_HINT: Final = "write for example 30s, 5m or 1h30m, or a number of seconds"
CPU_HINT: Final = "write a number of cores, for example 2, 0.5 or 500m"

_UNITS: Final = {
    "": 1,
    "k": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "T": 1000**4,
    "P": 1000**5,
    "Ki": 1024,
    "Mi": 1024**2,
    "Gi": 1024**3,
    "Ti": 1024**4,
    "Pi": 1024**5,
}
_LETTERS: Final = {"k": "k", "m": "M", "g": "G", "t": "T", "p": "P"}
_SIZE: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-z]{0,10})")
_LARGEST: Final = 2**63 - 1
_STEP: Final = 1024

_DURATION: Final = re.compile(
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9})ms)?",
)
_SECONDS: Final = (Fraction(86400), Fraction(3600), Fraction(60), Fraction(1), Fraction(1, 1000))
_PLAIN: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_MILLICORES: Final = re.compile(r"([0-9]{1,9})m")
_MOST_CORES: Final = 4096
_SHOWN: Final = 60


class QuantityError(ManifestError):
    """A text is not the quantity it should be; `hint` says what would be right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def parse_size(text: str) -> int:
    """Return bytes."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise _unreadable(text, "a size", SIZE_HINT)
    number, unit = match.groups()
    if unit not in _UNITS:
        raise QuantityError(f"{_quoted(text)} is not a size", _size_hint(number, unit))
    if "." in number and not unit:
        raise QuantityError(f"{_quoted(text)} is not a whole number of bytes", SIZE_HINT)
    size = int(Fraction(number) * _UNITS[unit])
    if size == 0:
        raise QuantityError(f"a size of {_quoted(text)} leaves nothing", SIZE_HINT)
    if size > _LARGEST:
        raise QuantityError(f"{_quoted(text)} is larger than any machine", SIZE_HINT)
    return size


def size_text(size: int) -> str:
    """Return a number of bytes for people, in steps of 1024: `1.5 GiB`, `10 GiB` or `512 B`."""
    shown, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if round(shown, 1) < _STEP:
            break
        shown, unit = shown / _STEP, larger
    return f"{shown:.1f}".removesuffix(".0") + f" {unit}"


def _size_hint(number: str, unit: str) -> str:
    letter = _LETTERS.get(unit[:1].lower())
    if letter is None:
        return SIZE_HINT
    binary = letter.upper() + "i"
    return f"did you mean {number}{binary} (in steps of 1024) or {number}{letter} (of 1000)?"


def parse_duration(text: str) -> float:
    """Return seconds; zero is a duration too."""
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise _unreadable(text, "a duration", DURATION_HINT)
    parts = zip(match.groups(), _SECONDS, strict=True)
    return float(sum(Fraction(number) * seconds for number, seconds in parts if number))


def parse_cpu(text: str) -> float:
    """Return a number of cores."""
    millicores = _MILLICORES.fullmatch(text)
    if millicores is not None:
        cores = int(millicores[1]) / 1000
    elif _PLAIN.fullmatch(text):
        cores = float(text)
    else:
        raise _unreadable(text, "a number of cores", CPU_HINT)
    if cores == 0:
        raise QuantityError(f"{_quoted(text)} cores would never run anything", CPU_HINT)
    if cores > _MOST_CORES:
        raise QuantityError(f"{_quoted(text)} is more cores than any machine has", CPU_HINT)
    return cores


def _unreadable(text: str, what: str, hint: str) -> QuantityError:
    if not text:
        return QuantityError(f"an empty text is not {what}", hint)
    if text.startswith("-"):
        return QuantityError(f"{_quoted(text)} is negative, which is not {what}", hint)
    return QuantityError(f"{_quoted(text)} is not {what}", hint)


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"`{shown}`"
