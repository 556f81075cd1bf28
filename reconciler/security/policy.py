"""
The operator's policy, read from its file. What is not understood entirely is not understood.

It lies outside the folder that is synchronised, and only its owner may write it: else whoever
writes manifests could allow them.
"""

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from reconciler.model.confinement import CAPABILITIES
from reconciler.model.policy import NO_POLICY, Limit, Policy, Review, Revoked, Rule

_LARGEST: Final = 2**20
_Word = TypeVar("_Word", bound=StrEnum)
_Signature = tuple[int, int, int, int, int, int]


class PolicyFile:
    """Reads the file again only where it is another one; `synced` is where manifests come from."""

    def __init__(self, file: Path, synced: Path) -> None:
        self._file = file
        self._synced = synced
        self._seen: _Signature | None = None
        self._policy = NO_POLICY

    def read(self) -> Policy:
        """Return the policy; never raises, what is wrong is in it."""
        try:
            found = self._signature()
            if found is None:
                # One that was there and is gone was not taken back: perhaps it is being replaced.
                return NO_POLICY if self._seen is None else self._denying("it is gone")
            if found != self._seen:
                self._policy = self._parsed()
                self._seen = found
        except OSError as error:
            return self._denying((error.strerror or type(error).__name__).lower())
        return self._policy

    def _signature(self) -> _Signature | None:
        try:
            file, folder = self._file.stat(), self._file.resolve().parent.stat()
        except FileNotFoundError:
            return None
        owned = (file.st_uid, file.st_mode, folder.st_mode)
        return (file.st_ino, file.st_mtime_ns, file.st_size, *owned)

    def _parsed(self) -> Policy:
        try:
            self._check_place()
            return _policy(str(self._file), tomllib.loads(self._text()))
        except (_MistakeError, ValueError, RecursionError) as error:
            return self._denying(str(error))

    def _text(self) -> str:
        with self._file.open("rb") as stream:
            text = stream.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise _MistakeError("it is larger than 1 MiB")
        return text.decode()

    def _check_place(self) -> None:
        real = self._file.resolve()
        if real.is_relative_to(self._synced.resolve()):
            raise _MistakeError("it lies in the desired folder, whose writers it is to bind")
        for place in (real, real.parent):
            status = place.stat()
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise _MistakeError(f"{place} may be written by others: say `chmod go-w {place}`")
            if status.st_uid not in {0, os.geteuid()}:
                raise _MistakeError(f"{place} belongs to somebody else: say `chown root {place}`")

    def _denying(self, why: str) -> Policy:
        message = f"cannot use the policy {self._file}: {' '.join(why.split())}"
        return Policy(str(self._file), unreadable=message)


class _MistakeError(Exception):
    """What is wrong with the file, in words for the operator."""


def _policy(file: str, written: Mapping[str, Any]) -> Policy:
    _check_keys(written, ("review", "revoked", "rule"), "there")
    rules = _list(written.get("rule", []), "`rule` is a list: begin each rule with `[[rule]]`")
    found = tuple(_rule(number, rule) for number, rule in enumerate(rules, 1))
    names = [rule.name for rule in found]
    for name in names:
        if names.count(name) > 1:
            raise _MistakeError(f"two rules are named `{name}`: give each its own name")
    return Policy(
        file,
        found,
        _word(Review, "review", written, Review.ELEVATED),
        _word(Revoked, "revoked", written, Revoked.KEEP),
    )


def _rule(number: int, written: Any) -> Rule:  # noqa: ANN401 - TOML of any shape
    if not isinstance(written, dict):
        raise _MistakeError("`rule` is a list: begin each rule with `[[rule]]`")
    given = cast("dict[str, Any]", written)
    name = given.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise _MistakeError(f"rule {number} has no name: a denial is told by it")
    where = f"in the rule `{name}`"
    _check_keys(given, ("name", *_PARTS, "never_privileged", "limits", "but"), where)
    privileged = given.get("never_privileged", False)
    if not isinstance(privileged, bool):
        raise _MistakeError(f"`never_privileged` {where} is neither true nor false")
    parts = {key: tuple(_texts(key, given, where)) for key in _PARTS}
    limits = tuple(_limit(text, where) for text in _texts("limits", given, where))
    if not privileged and not limits and not any(parts.values()):
        raise _MistakeError(f"nothing is ruled {where}")
    return Rule(
        name,
        registries=parts["registries"],
        never_capabilities=tuple(_capability(c, where) for c in parts["never_capabilities"]),
        never_paths=tuple(_path(p, where) for p in parts["never_paths"]),
        never_privileged=privileged,
        limits=limits,
        but=tuple(_texts("but", given, where)),
    )


_PARTS: Final = ("registries", "never_capabilities", "never_paths")


def _check_keys(written: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in written:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            meant = f", did you mean `{near[0]}`?" if near else f": there are {', '.join(known)}"
            raise _MistakeError(f"there is no key `{key}` {where}{meant}")


def _list(written: object, otherwise: str) -> list[object]:
    if not isinstance(written, list):
        raise _MistakeError(otherwise)
    return cast("list[object]", written)


def _texts(key: str, written: Mapping[str, Any], where: str) -> Iterator[str]:
    given = _list(written.get(key, []), f'`{key}` {where} is a list: write ["…"]')
    for text in given:
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            raise _MistakeError(f"`{key}` {where} has an entry that is no text")
        yield text.strip()


def _word(kind: type[_Word], key: str, written: Mapping[str, Any], default: _Word) -> _Word:
    given = written.get(key, default)
    if given not in tuple(kind):
        raise _MistakeError(f"`{key}` is one of {', '.join(kind)}")
    return kind(given)


def _limit(text: str, where: str) -> Limit:
    if text not in tuple(Limit):
        raise _MistakeError(f"`limits` {where} are of {', '.join(Limit)}")
    return Limit(text)


def _capability(text: str, where: str) -> str:
    """A slip of the pen would allow what was meant to be denied."""
    name = text.upper().removeprefix("CAP_")
    if name not in CAPABILITIES:
        raise _MistakeError(f"`never_capabilities` {where}: there is no capability `{text}`")
    return name


def _path(text: str, where: str) -> str:
    """Return it as manifests have it: absolute, nothing doubled."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if not text.startswith("/") or ".." in parts:
        raise _MistakeError(f"`never_paths` {where}: `{text}` is not an absolute path")
    return "/" + "/".join(parts)
