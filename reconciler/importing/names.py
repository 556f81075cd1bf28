"""Names of a manifest, made from the names that others use."""

import re
from collections.abc import Container
from typing import Final

_LONGEST: Final = 63
_SHORTER: Final = 50  # leaves room for a number that tells two apart


def app_id(text: str) -> str:
    """Return an app's id, or nothing where no letter can be used."""
    return _dashed(text.lower())[:_LONGEST].strip("-")


def container_name(text: str) -> str:
    """Return the name of a container."""
    name = re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:_LONGEST]
    return name.strip("-_") or "service"


def volume_name(text: str) -> str:
    """Return the name of a volume, made from a path or a name."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:_SHORTER]
    return name.strip("-_.") or "data"


def secret_name(text: str) -> str:
    """Return the name of a secret, made from the name of a variable."""
    return _dashed(text.lower())[:_SHORTER].strip("-") or "secret"


def parameter_name(text: str) -> str:
    """Return the name of a parameter, made from the name of a variable."""
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper())[:_SHORTER].strip("_")
    return name if name[:1].isalpha() else f"P_{name}".rstrip("_")


def unlike(name: str, taken: Container[str], divider: str = "-") -> str:
    """Return the name, or the same with a number where it is taken."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}{divider}{number}", number + 1
    return free


def title(text: str) -> str:
    """Return a name for people."""
    return re.sub(r"[-_.\s]+", " ", text).strip().title()


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")
