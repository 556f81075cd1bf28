"""
Who signs without a key of their own: by a certificate of some minutes that names who they are.

Patterns are matched with what strangers wrote, in each pass: so they are short, and cannot take
long. Who needs more writes two identities.
"""

import re
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

KEYLESS: Final = "cosign://keyless"
LONGEST: Final = 512  # characters of who somebody is; the longest that forges write have 330
LONGEST_PATTERN: Final = 256
MOST_REPEATS: Final = 3
MOST_CHOICES: Final = 8
_ASKED: Final = {"issuer", "identity"}
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.", re.DOTALL)


class Identity(Struct, frozen=True):
    """
    An identity that is trusted: who it is, and whose word that is.

    `holder` is exactly what the certificate says, or, if `is_pattern`, a regular expression for
    all of it. `id` is of nobody else.
    """

    name: str
    id: str
    issuer: str
    holder: str
    is_pattern: bool = False


class Root(Struct, frozen=True):
    """What certificates and logs are checked with; `id` is the SHA-256 of the text (hex)."""

    id: str
    text: str


class Asked(Struct, frozen=True):
    """What a manifest wants of a keyless signature; what is empty is left to the trust file."""

    issuer: str = ""
    holder: str = ""


def asked(wanted: str) -> Asked | None:
    """Return what an `image_signature` wants of a keyless one; None where it wants no such."""
    scheme, _, query = wanted.partition("?")
    if scheme != KEYLESS:
        return None
    told = dict(parse_qsl(query, keep_blank_values=True))
    return Asked(told.get("issuer", ""), told.get("identity", ""))


def unclear(wanted: str) -> str:
    """Say what is wrong with the wish for a keyless signature, if it is one, and anything is."""
    if not wanted.startswith(KEYLESS):
        return ""
    scheme, _, query = wanted.partition("?")
    told = parse_qsl(query, keep_blank_values=True)
    names = [name for name, value in told if value]
    right = scheme == KEYLESS and {*names} <= _ASKED and len({*names}) == len(told)
    if right and bool(query) == bool(told):
        return ""
    return f"a keyless signature is asked for as {KEYLESS}?issuer=…&identity=…"


def useless(pattern: str) -> str:
    """Say why a regular expression cannot be used for who somebody is, if it cannot."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN} characters"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"it is no regular expression: {error}"
    if re.search(r"\\[0-9]", pattern):
        return "it refers back to a group"
    plain = _CLASS.sub("x", pattern)
    if re.search(r"\(\?(?!:)", plain):
        return "it looks around, names a group or sets a flag"
    plain = plain.replace("(?:", "(")
    if re.search(r"\)[*+{]", plain):
        return "it repeats a group"
    if len(re.findall(r"[*+?{]", plain)) > MOST_REPEATS or plain.count("|") > MOST_CHOICES:
        return f"it has more than {MOST_REPEATS} repeats, or {MOST_CHOICES} choices"
    return ""
