"""
Templates: a closed list of what may stand between `{{` and `}}`.

    {{ HOST_IP }}                    a fact of this box
    {{ parameters.NAME }}            what the operator gave
    {{ secrets.NAME }}               a generated secret
    {{ secrets.NAME.hash }}          the hash of one of the kind bcrypt
    {{ app.id }}, {{ app.host }}     the app itself, and the name by which others reach it
    {{ dependencies.APP.host }}      the name by which a dependency is reached
    {{ dependencies.APP.NAME }}      a value that it exports
"""

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from msgspec import Struct

from reconciler.errors import ManifestError

FACTS: Final = ("HOST_IP", "HOST_MDNS", "DISK_GB", "BITCOIN_HOST", "NODE_NOSTR_PUBKEY")
OF_THE_APP: Final = ("host", "id")

_BRACES: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_WORD: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_INSIDE: Final = re.compile(
    rf"(?P<fact>[A-Z][A-Z0-9_]*)"
    rf"|parameters\.(?P<parameter>{_WORD})"
    rf"|secrets\.(?P<secret>[A-Za-z0-9][A-Za-z0-9_-]*)(?P<hashed>\.hash)?"
    rf"|app\.(?P<app>{_WORD})"
    rf"|dependencies\.(?P<of>[a-z0-9-]+)\.(?P<export>{_WORD})",
)
_KNOWN: Final = (
    f"known are {', '.join(FACTS)}, parameters.NAME, secrets.NAME, app.host, dependencies.APP.host"
)
_SHOWN: Final = 60


class TemplateKind(StrEnum):
    """Where a value comes from."""

    FACT = "fact"
    PARAMETER = "parameter"
    SECRET = "secret"  # noqa: S105 - a kind of template
    APP = "app"
    DEPENDENCY = "dependency"


class Placeholder(Struct, frozen=True):
    """What stands between braces. `of` is the dependency; `hashed` is for secrets."""

    kind: TemplateKind
    name: str
    of: str = ""
    hashed: bool = False


Template = tuple[str | Placeholder, ...]


class TemplateError(ManifestError):
    """A text is no template of ours; `hint` says what would be right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def parse_template(text: str) -> Template:
    """Return the text in pieces. Raises TemplateError."""
    pieces: list[str | Placeholder] = []
    at = 0
    for match in _BRACES.finditer(text):
        pieces += [_literal(text, text[at : match.start()]), _placeholder(match[1].strip())]
        at = match.end()
    pieces.append(_literal(text, text[at:]))
    return tuple(piece for piece in pieces if piece != "")


def _literal(whole: str, text: str) -> str:
    if "{{" in text or "}}" in text:
        raise TemplateError(
            f"a template in {_quoted(whole)} is not closed, or closed without being opened",
            "write for example {{ HOST_IP }}",
        )
    return text


def _placeholder(inside: str) -> Placeholder:
    match = _INSIDE.fullmatch(inside)
    found = match.groupdict() if match else {}
    if found.get("fact") in FACTS:
        return Placeholder(TemplateKind.FACT, found["fact"])
    if found.get("parameter"):
        return Placeholder(TemplateKind.PARAMETER, found["parameter"])
    if found.get("secret"):
        return Placeholder(TemplateKind.SECRET, found["secret"], hashed=bool(found["hashed"]))
    if found.get("app") in OF_THE_APP:
        return Placeholder(TemplateKind.APP, found["app"])
    if found.get("of"):
        return Placeholder(TemplateKind.DEPENDENCY, found["export"], found["of"])
    near = get_close_matches(inside.upper(), FACTS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else _KNOWN
    raise TemplateError(f"there is no template {_quoted('{{' + inside + '}}')}", hint)


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"`{shown}`" if shown.isprintable() else ascii(shown)
