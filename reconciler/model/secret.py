"""Secrets by name: what is kept of them in specs, plans and labels. Their values are not here."""

from enum import StrEnum

from msgspec import Struct


class SecretKind(StrEnum):
    """What a generated secret looks like."""

    HEX16 = "hex16"  # 16 random bytes, 32 hex digits
    HEX32 = "hex32"  # 32 random bytes, 64 hex digits
    BASE64 = "base64"  # 32 random bytes, 44 characters
    BCRYPT = "bcrypt"  # a password of 32 hex digits, and its bcrypt hash beside it


class SecretSpec(Struct, frozen=True):
    """A secret of an app: made once, kept, never shown in passing."""

    app: str
    name: str
    kind: SecretKind


class SecretRef(Struct, frozen=True):
    """The place of a secret's value in a text; `hashed` asks for its hash instead."""

    app: str
    name: str
    hashed: bool = False


SecretText = tuple[str | SecretRef, ...]
"""A text in pieces, with the secrets still to be filled in."""


def is_plain(text: SecretText) -> bool:
    """Whether nothing in it is secret."""
    return all(isinstance(piece, str) for piece in text)


def plain(text: SecretText) -> str:
    """Return the text where nothing is secret; what is secret shows as its name in braces."""
    return "".join(p if isinstance(p, str) else f"{{{{ secrets.{p.name} }}}}" for p in text)


def joined(pieces: SecretText) -> SecretText:
    """Return the text with plain neighbours in one piece, so that equal texts are equal."""
    found: list[str | SecretRef] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found)
