"""
Bytes in, checked documents out, and every problem of the file at once with its place.

The models say what is wrong; this module says where, by looking their paths up in the YAML.
"""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from reconciler.model.manifest.complaint import (
    Complaint,
    Path,
    complaints_of,
    did_you_mean,
    shown,
)
from reconciler.model.manifest.document import KINDS, Document, Manifest
from reconciler.model.manifest.names import APP_ID
from reconciler.model.manifest.verbs import InstallManifest
from reconciler.model.origin import Origin, Problem
from reconciler.sources.yaml_documents import MAX_PROBLEMS, Node, Position, parse

_NO_DOCUMENT: Final = "cannot tell what this document is"
_ROOTS: Final = "a document begins with `app:`, `install:`, `suspend:` or `approve:`"


class Loaded(Struct, frozen=True):
    """What one file says: its good documents, and the problems of the others."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def load_documents(text: bytes, file: str) -> Loaded:
    """Return the documents of a file; `file` is its name in messages."""
    nodes, unreadable = parse(text, file)
    documents: list[Document] = []
    problems = list(unreadable)
    for node in nodes:
        found = _load(node, file)
        if isinstance(found, Document):
            documents.append(found)
        else:
            problems += found
    problems = sorted(dict.fromkeys(problems), key=_in_file_order)
    if len(problems) > MAX_PROBLEMS:
        more = f"cannot tell all that is wrong: {len(problems) - MAX_PROBLEMS} problems follow"
        problems[MAX_PROBLEMS:] = [replace(problems[MAX_PROBLEMS], message=more, hint="")]
    return Loaded(tuple(documents), tuple(problems))


def _in_file_order(problem: Problem) -> tuple[Origin, str]:
    return problem.origin, problem.message


def _load(node: Node, file: str) -> Document | list[Problem]:
    root, complaints = _root(node.data)
    if root is None:
        return [problem_at(node, file, complaint) for complaint in complaints]
    content = cast("Mapping[str, object]", node.data)[root]
    kind = KINDS[root]
    try:
        manifest = kind.model_validate(content)
    except ValidationError as error:
        complaints += [complaint.beneath((root,)) for complaint in complaints_of(error)]
    else:
        if node.sound and not complaints:
            origin = Origin(file, *node.key_positions[root,])
            lines = (node.start_line, node.end_line)
            return Document(manifest, origin, *lines, _answers(node, file, manifest))
    app = _app(root, content)
    return [problem_at(node, file, complaint, app) for complaint in complaints]


def _answers(node: Node, file: str, manifest: Manifest) -> dict[str, Origin]:
    """Return where each parameter of an `install:` document is given."""
    given = manifest.parameters if isinstance(manifest, InstallManifest) else ()
    path = ("install", "parameters")
    return {name: Origin(file, *node.positions[*path, name]) for name in given}


def _root(data: object) -> tuple[str | None, list[Complaint]]:
    """Return the one root key that says what a document is, and what is wrong at the root."""
    if not isinstance(data, dict):
        return None, [Complaint((), f"{_NO_DOCUMENT}: it is not a mapping", _ROOTS)]
    keys = [key for key in cast("dict[str, object]", data) if not key.startswith("x-")]
    known = [key for key in keys if key in KINDS]
    unknown = list(_about_unknown_roots(keys))
    if len(known) > 1:
        message = f"cannot read the document: `{known[0]}` and `{known[1]}` are two documents"
        hint = "put a line `---` between them"
        return None, [*unknown, Complaint((known[1],), message, hint, at_key=True)]
    if not keys:
        return None, [Complaint((), f"{_NO_DOCUMENT}: it has no key", _ROOTS)]
    return (known[0] if known else None), unknown


def _about_unknown_roots(keys: list[str]) -> Iterator[Complaint]:
    if "apiVersion" in keys:
        message = f"{_NO_DOCUMENT}: it looks like a Kubernetes object"
        yield Complaint(("apiVersion",), message, _ROOTS, at_key=True)
    elif "services" in keys:
        message = f"{_NO_DOCUMENT}: it looks like a Compose file"
        hint = "write an `app:` with one entry under `containers:` for each service"
        yield Complaint(("services",), message, hint, at_key=True)
    else:
        for key in keys:
            if key not in KINDS:
                message = f"cannot read the document: there is no root key {shown(key)}"
                yield Complaint((key,), message, did_you_mean(key, KINDS) or _ROOTS, at_key=True)


def _app(root: str, content: object) -> str | None:
    """Return the id of the app that a document is about, where it can be read."""
    if not isinstance(content, dict):
        return None
    written = cast("dict[str, object]", content).get("id" if root == "app" else "app")
    if isinstance(written, str) and APP_ID.fullmatch(written):
        return str(written)
    return None


def problem_at(node: Node, file: str, complaint: Complaint, app: str | None = None) -> Problem:
    """Return what is wrong, and where a person has to look."""
    line, column = _place(node, complaint)
    message = complaint.message
    if not message.startswith("cannot "):
        message = f"cannot use `{_dotted(complaint.path)}`: {message}"
    return Problem(Origin(file, line, column), message, complaint.hint, app)


def _place(node: Node, complaint: Complaint) -> Position:
    """Return where a person has to look: the key, the value, or the nearest thing around it."""
    path: Path = complaint.path
    while path and path not in node.positions:
        path = path[:-1]
    key = node.key_positions.get(path)
    if key is not None and (complaint.at_key or not _is_text(node.data, path)):
        return key
    return node.positions[path]


def _is_text(data: object, path: Path) -> bool:
    for step in path:
        data = cast("dict[str | int, object]", data)[step]  # or a list: both are asked alike
    return isinstance(data, str)


def _dotted(path: Path) -> str:
    """Return a path as a person writes it: `app.ports[0].host`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step if step.isprintable() else ascii(step)}"[:80]
    return text.removeprefix(".")
