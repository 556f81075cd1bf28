"""
Who we are to a registry: the files in which Podman and Docker keep passwords.

A password is only ever returned, never written, logged or told.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

_LARGEST = 2**20
_DOCKER = ("docker.io", "index.docker.io", "https://index.docker.io/v1/")


@dataclass(frozen=True, slots=True)
class Account:
    """A name and a password."""

    name: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """Return the value of a header that shows both."""
        told = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return f"Basic {told}"


def files(variables: Mapping[str, str], user: int) -> tuple[Path, ...]:
    """Return where accounts may be, the first first, as containers-auth.json(5) has it."""
    home = Path(variables.get("HOME") or "/root")
    named = variables.get("REGISTRY_AUTH_FILE")
    if named:
        return (Path(named),)
    runtime = variables.get("XDG_RUNTIME_DIR") or f"/run/containers/{user}"
    config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    beneath = "containers/auth.json" if "XDG_RUNTIME_DIR" in variables else "auth.json"
    found = [
        Path(runtime) / beneath,
        Path(f"/run/containers/{user}/auth.json"),
        config / "containers/auth.json",
        home / ".docker/config.json",
    ]
    return tuple(dict.fromkeys(found))


def account(places: tuple[Path, ...], registry: str, repository: str) -> Account | None:
    """Return the account for a repository: the closest entry of the first file that has one."""
    for place in places:
        known = _entries(place)
        for key in _keys(registry, repository):
            found = _account(known.get(key))
            if found is not None:
                return found
    return None


def _keys(registry: str, repository: str) -> Iterator[str]:
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join((registry, *parts[:length]))
    yield registry
    yield f"https://{registry}"
    if registry == "docker.io":
        yield from _DOCKER


def _entries(place: Path) -> dict[str, Any]:
    try:
        with place.open() as stream:
            told: Any = json.loads(stream.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    entries: Any = cast("Any", told).get("auths") if isinstance(told, dict) else None
    return cast("dict[str, Any]", entries) if isinstance(entries, dict) else {}


def _account(entry: Any) -> Account | None:  # noqa: ANN401 - JSON of any shape
    if not isinstance(entry, dict):
        return None
    told = cast("dict[str, Any]", entry)
    try:
        text = base64.b64decode(str(told.get("auth") or ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    if not colon:
        return None
    return Account(name, password.rstrip("\0"))
