"""
Writes what verbs ask for into the desired directory: text cut out, or one small file added.

Everything that is not cut stays as it was, byte for byte; a file is replaced whole, or not at all.
"""

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from reconciler.errors import ConfigurationError
from reconciler.model.desired import Suspension
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.permission import Permission, permission_hash
from reconciler.sources.manifests import load_documents

FOR_GOOD = Suspension()
# What YAML takes for the end of a line.
_LINE = re.compile("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029]|$)")
_NOTHING = re.compile(r"\ufeff?\s*(#.*|---\s*(#.*)?|\.\.\.\s*(#.*)?|%.*)?")


class Edit(Struct, frozen=True):
    """What was done to a file: `deleted` when nothing was left in it."""

    file: Path
    deleted: bool = False


def cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text without these lines (first and last included, from 1)."""
    going = {line for first, last in spans for line in range(first, last + 1)}
    lines = _lines(text)
    return "".join(line for number, line in enumerate(lines, 1) if number not in going)


def holds_nothing(text: str) -> bool:
    """Say whether only comments, blank lines and document marks are left."""
    return all(_NOTHING.fullmatch(line.rstrip("\r\n\x85\u2028\u2029")) for line in _lines(text))


def remove_app(file: Path, app: str) -> Edit | None:
    """Cut out of a file every document that is about the app; None if there is none."""
    return _cut_out(file, app, (AppManifest, InstallManifest, SuspendManifest, ApproveManifest))


def resume(file: Path, app: str) -> Edit | None:
    """Cut out of a file every document that does nothing but suspend the app."""
    return _cut_out(file, app, (SuspendManifest,))


def install_text(app: str, answers: Mapping[str, str]) -> str:
    """Return the document that asks for an app of the catalogue; JSON's texts are YAML's too."""
    lines = [f"# Written by `archipelago install {app}`.", "install:", f"  app: {app}"]
    if answers:
        lines.append("  parameters:")
        lines += [f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in answers.items()]
    return "\n".join(lines) + "\n"


def install(root: Path, app: str, text: str) -> Path:
    """Write it into a file of its own; one that says something else is left alone."""
    return _write_own(root / f"{app}.yml", f"install {app}", text)


class Word(Struct, frozen=True):
    """What an operator says of an app: it may do this."""

    app: str
    by: str
    at: datetime
    permissions: tuple[Permission, ...]


def approval_file(root: Path, app: str) -> Path:
    """Return the file for the approval of an app."""
    return root / f"{app}.approve.yml"


def approve(root: Path, word: Word) -> Path:
    """Write the document that lets an app do what it asks for, in a file of its own."""
    app = word.app
    texts = sorted(json.dumps(p.text, ensure_ascii=False) for p in word.permissions)
    lines = [
        f"# Written by `archipelago approve {app}`; with --revoke it takes this file away.",
        "approve:",
        f"  app: {app}",
        f"  by: {json.dumps(word.by)}",
        f"  at: {word.at:%Y-%m-%dT%H:%M:%SZ}",
        "  permissions:",
        *(f"    - {text}" for text in texts),
        f"  hash: {permission_hash(word.permissions)}",
    ]
    file = approval_file(root, app)
    return _write_own(file, f"approve {app}", "\n".join(lines) + "\n", ApproveManifest, app)


def revoke(file: Path, app: str) -> Edit | None:
    """Cut out of a file every document that approves the app."""
    return _cut_out(file, app, (ApproveManifest,))


def suspension_file(root: Path, app: str) -> Path:
    """Return the file for the suspension of an app, or of all; no app's id has an underscore."""
    return root / f"{app or '_all'}.suspend.yml"


def suspend(root: Path, app: str, word: Suspension = FOR_GOOD) -> Path:
    """Write the document that suspends an app (or all, without one), in a file of its own."""
    name, whom = app or "all apps", app or "--all"
    what = f"Leaves {name} alone" if word.keep_running else f"Keeps {name} stopped"
    lines = [
        f"# {what}. Written by `archipelago suspend {whom}`;",
        f"# `archipelago resume {whom}` takes this file away.",
        "suspend:",
        f"  app: {app}" if app else "  all: true",
    ]
    lines += [f"  until: {word.until:%Y-%m-%dT%H:%M:%SZ}"] if word.until else []
    lines += ["  keep_running: true"] if word.keep_running else []
    text = "\n".join(lines) + "\n"
    return _write_own(suspension_file(root, app), f"suspend {name}", text, SuspendManifest, app)


def _write_own(
    file: Path,
    what: str,
    text: str,
    kind: type | None = None,
    app: str = "",
) -> Path:
    """A file that is there is written over only where all that it says is of that kind and app."""
    try:
        before = file.read_bytes() if file.exists() else b""
        if kind is not None and _only_says(before, file, kind, app):
            before = b""
        if not holds_nothing(before.decode(errors="replace")):
            raise ConfigurationError(
                f"cannot {what}: {file} is there and says something else; "
                "look into it, and rename or delete it",
            )
        _replace(file, text)
    except OSError as error:
        raise _refused(file, error) from error
    return file


def _only_says(content: bytes, file: Path, kind: type, app: str) -> bool:
    loaded = load_documents(content, str(file))
    return not loaded.problems and all(
        isinstance(d.manifest, kind) and d.app == app for d in loaded.documents
    )


def _cut_out(file: Path, app: str, kinds: tuple[type, ...]) -> Edit | None:
    """Read anew, so that what was edited a moment ago is not lost."""
    try:
        content = file.read_bytes()
        documents = _documents(content, file, app, kinds)
        if not documents:
            return None
        rest = cut(content.decode(), [(d.start_line, d.end_line) for d in documents])
        if holds_nothing(rest):
            file.unlink()
            return Edit(file, deleted=True)
        _replace(file, rest)
    except OSError as error:
        raise _refused(file, error) from error
    return Edit(file)


def _documents(
    content: bytes,
    file: Path,
    app: str,
    kinds: tuple[type, ...],
) -> list[Document]:
    loaded = load_documents(content, str(file))
    return [d for d in loaded.documents if d.app == app and isinstance(d.manifest, kinds)]


def _replace(file: Path, text: str) -> None:
    """A link stays a link: what it points to is replaced. The fresh file's name is hidden."""
    target = file.resolve()
    fresh = target.with_name(f".{target.name}.new")
    try:
        fresh.write_bytes(text.encode())
        if target.exists():
            shutil.copymode(target, fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _lines(text: str) -> list[str]:
    return _LINE.findall(text)


def _refused(file: Path, error: OSError) -> ConfigurationError:
    why = (error.strerror or type(error).__name__).lower()
    return ConfigurationError(
        f"cannot change {file}: {why}; run this as a user who may write there",
    )
