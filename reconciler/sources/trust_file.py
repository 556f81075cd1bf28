"""
Reads the trust file: whose images may be run. It lies where nobody but the operator may write.

What is wrong with it is part of what is returned: nobody is trusted by half a file.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct
from pydantic import ValidationError

from reconciler.model.identity import Identity, Root
from reconciler.model.manifest.complaint import complaints_of
from reconciler.model.origin import Origin, Problem
from reconciler.model.trust import Scope, Trust, TrustedKey
from reconciler.model.trust_document import IdentityDocument, ScopeDocument, TrustDocument
from reconciler.sources.manifests import problem_at
from reconciler.sources.yaml_documents import parse

LARGEST: Final = 2**20
_BEGIN: Final = "-----BEGIN "
_ROOT: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_Identity = tuple[tuple[int, ...] | None, ...]


class Unusable(Exception):
    """Why the file cannot be used."""


class _Read(Struct, frozen=True):
    trust: Trust | None
    files: tuple[Path, ...]
    identity: _Identity


class TrustFile:
    """One trust file; it is read anew when it, or a key beside it, is another one."""

    def __init__(
        self,
        file: Path,
        synced: Iterable[Path],
        key_id: Callable[[str], str],
        *,
        required: bool,
    ) -> None:
        """One that is not `required` may be missing. `synced` are folders that others fill."""
        self._file = file
        self._required = required
        self._synced = tuple(synced)
        self._key_id = key_id
        self._read: _Read | None = None

    def read(self) -> Trust | None:
        """Return what it says; None where there is none and none is needed. Never raises."""
        if self._read is None or self._read.identity != _identity(self._read.files):
            self._read = self._fresh()
        return self._read.trust

    def _fresh(self) -> _Read:
        files = [self._file]
        before = _identity(files)
        if before == (None,) and not self._required and not self._file.is_symlink():
            return _Read(None, tuple(files), before)
        try:
            trust = self._parsed(self._file, files)
        except Unusable as error:
            trust = Trust(problem=str(error))
        return _Read(trust, tuple(files), (*before, *_identity(files[1:])))

    def _parsed(self, file: Path, files: list[Path]) -> Trust:
        text = self._text(file)
        said = document(text, str(file))
        keys: list[TrustedKey] = []
        for name, written in said.keys.items():
            pem = written
            if _BEGIN not in written:
                beside = _beside(file, f"the key {name}", written)
                files.append(beside)
                pem = self._text(beside).decode(errors="replace")
            found = self._key_id(pem)
            if not found:
                raise Unusable(f"{file}: the key {name} is not a public key in PEM form")
            keys.append(TrustedKey(name, found, pem))
        scopes = tuple(_scope(scope) for scope in said.scopes)
        identities = tuple(_identity_of(name, it) for name, it in said.keyless.items())
        root = self._root(file, said.trusted_root, files) if said.trusted_root else None
        return Trust(said.mode, tuple(keys), scopes, "", identities, root)

    def _root(self, file: Path, written: str, files: list[Path]) -> Root:
        """Return the trusted root; whether its certificates make sense turns out when used."""
        beside = _beside(file, "the trusted root", written)
        files.append(beside)
        text = self._text(beside)
        try:
            kind = json.loads(text)["mediaType"]
        except (ValueError, KeyError, TypeError, RecursionError):
            kind = None
        if kind != _ROOT:
            raise Unusable(f"{beside} is not a trusted root of Sigstore; docs/trust.md has how")
        return Root(hashlib.sha256(text).hexdigest(), text.decode(errors="replace"))

    def _text(self, file: Path) -> bytes:
        try:
            real = file.resolve(strict=True)
            for folder in self._synced:
                if real.is_relative_to(folder.resolve()):
                    raise Unusable(
                        f"{file} lies in {folder}, where others write; put it elsewhere"
                    )
            with real.open("rb") as stream:
                _check_writers(real, os.fstat(stream.fileno()))
                return stream.read(LARGEST)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise Unusable(f"{file}: {why}") from error


def _beside(file: Path, what: str, written: str) -> Path:
    if not written or Path(written).name != written:
        raise Unusable(
            f"{file}: {what} is neither a PEM nor the name of a file beside the trust file"
        )
    return file.parent / written


def _check_writers(file: Path, status: os.stat_result) -> None:
    """Nobody may change it, or put another into its place, but root and who reads it."""
    if status.st_uid not in {0, os.geteuid()}:
        raise Unusable(f"{file} belongs to somebody else; `chown root {file}`")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unusable(f"{file} may be written by others; `chmod go-w {file}`")
    for folder in file.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise Unusable(f"{folder} may be written by others; `chmod o-w {folder}`")


def document(text: bytes, file: str) -> TrustDocument:
    """Return what the text of a trust file says; Unusable says what is wrong, and where."""
    nodes, problems = parse(text, file)
    if not problems and len(nodes) != 1:
        problems = [Problem(Origin(file), "a trust file is one document with `mode:` in it")]
    if problems:
        raise Unusable(_told(problems))
    try:
        return TrustDocument.model_validate(nodes[0].data)
    except ValidationError as error:
        found = [problem_at(nodes[0], file, c) for c in complaints_of(error)]
        raise Unusable(_told(sorted(found))) from error


def _told(problems: list[Problem]) -> str:
    more = ", and that is not all" if len(problems) > 1 else ""
    return f"{problems[0]}{more}"


def _scope(written: ScopeDocument) -> Scope:
    return Scope(
        written.scope,
        written.any_of,
        written.all_of,
        written.formats,
        written.allow_unbound_identity,
        written.remap or "",
    )


def _identity_of(name: str, written: IdentityDocument) -> Identity:
    holder = written.identity or written.identity_regexp or ""
    is_pattern = written.identity is None
    parts = json.dumps([written.issuer, holder, is_pattern])
    made = f"keyless:{hashlib.sha256(parts.encode()).hexdigest()}"
    return Identity(name, made, written.issuer, holder, is_pattern)


def _identity(files: Iterable[Path]) -> _Identity:
    return tuple(_status(file) for file in files)


def _status(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
