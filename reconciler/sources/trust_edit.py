"""
Adds a key and a scope to a trust file, and loses nothing that somebody wrote into it.

What would come out is read before it is written: unless it is exactly what was there and the new
entry, the file stays, and a person is told to write it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from reconciler import durable
from reconciler.errors import ConfigurationError
from reconciler.model.manifest.complaint import complaints_of
from reconciler.model.trust import Mode, Trust
from reconciler.model.trust_document import ScopeDocument, TrustDocument
from reconciler.sources.trust_file import LARGEST, TrustFile, Unusable, document

_KEYS: Final = re.compile(r"^keys:[ \t]*(#.*)?$", re.MULTILINE)
_SCOPES: Final = re.compile(r"^scopes:[ \t]*(#.*)?$", re.MULTILINE)
_NEXT: Final = re.compile(r"\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)(?=\S)")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.IGNORECASE)


def add(
    reader: TrustFile,
    file: Path,
    entry: tuple[str, str, Path],
    mode: Mode,
    key_id: Callable[[str], str],
) -> Trust:
    """Write a scope, a key's name and its file into a trust file; return what it says then."""
    scope, name, key = entry
    try:
        wanted = ScopeDocument(scope=scope, any_of=(name,))
    except ValidationError as error:
        told = "; ".join(c.message for c in complaints_of(error))
        raise ConfigurationError(f"cannot trust images of {scope}: {told}") from error
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"cannot call a key `{name}`: use letters, digits, `.`, `-`, `_`")
    pem = _public_key(key, key_id)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with durable.locked(file.parent):
            before = reader.read() if file.exists() else None
            if before is not None and before.problem:
                raise ConfigurationError(f"cannot add to the trust file: {before.problem}")
            old = file.read_text() if file.exists() else ""
            new = added(old, scope, name, pem, mode)
            _check(str(file), old, new, wanted)
            durable.replace(file, new)
            file.chmod(0o644)  # there is no secret in it
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot write the trust file {file}: {why}") from error
    after = reader.read() or Trust()
    if after.problem:
        raise ConfigurationError(f"cannot use the trust file: {after.problem}")
    return after


def _public_key(key: Path, key_id: Callable[[str], str]) -> str:
    try:
        with key.open(errors="replace") as stream:
            pem = stream.read(LARGEST)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot read the key {key}: {why}") from error
    if not key_id(pem):
        raise ConfigurationError(
            f"cannot use {key}: it is not a public key in PEM form, like a cosign.pub"
        )
    return pem


def added(text: str, scope: str, name: str, pem: str, mode: str) -> str:
    """Return the text with a key, and a scope for it; `mode` is for a text that is empty."""
    text = text or f"mode: {mode}\n"
    text = text if text.endswith("\n") else text + "\n"
    lines = "".join(f"    {line}\n" for line in pem.strip().splitlines())
    text = _within(text, _KEYS, "keys:", f"  {name}: |\n{lines}", least="  ")
    item = f"  - scope: {scope}\n    any_of: [{name}]\n"
    return _within(text, _SCOPES, "scopes:", item, least="")


def _within(text: str, heading: re.Pattern[str], written: str, entry: str, *, least: str) -> str:
    """Put an entry first below its heading, as far in as what is there; or begin it at the end."""
    found = heading.search(text)
    if found is None:
        return f"{text}{written}\n{entry}"
    following = _NEXT.match(text, found.end())
    indent = max(following[1] if following else "  ", least, key=len)
    shifted = re.sub(r"^ {2}", indent, entry, flags=re.MULTILINE)
    return f"{text[: found.end() + 1]}{shifted}{text[found.end() + 1 :]}"


def _check(file: str, old: str, new: str, wanted: ScopeDocument) -> None:
    """Refuse what is not the old file and one entry more."""
    scope, (name,) = wanted.scope, wanted.any_of
    by_hand = ConfigurationError(
        f"cannot add the scope {scope} and the key {name} to {file} without losing something, or"
        " they are there already: write them by hand"
    )
    try:
        before = document(old.encode(), file) if old else None
        after = document(new.encode(), file)
    except Unusable as error:
        raise by_hand from error
    known: Mapping[str, str] = before.keys if before else {}
    same = before is None or (_besides(before) == _besides(after) and name not in known)
    keys = {k: v for k, v in after.keys.items() if k != name}
    scopes = (wanted, *(before.scopes if before else ()))
    if not same or keys != dict(known) or after.scopes != scopes:
        raise by_hand


def _besides(said: TrustDocument) -> object:
    """Return what adding a key has nothing to do with."""
    return said.mode, said.keyless, said.trusted_root
