"""`archipelago import compose|addon PATH`: a manifest of what another system has, and a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.errors import ConfigurationError, ManifestError

if TYPE_CHECKING:
    from reconciler.importing.draft import Draft
    from reconciler.importing.report import Source, Sources
    from reconciler.sources.yaml_documents import Node

_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_ADDON: Final = ("config.yaml", "config.yml", "config.json")
_UMBREL: Final = "umbrel-app.yml"
_VARIABLES: Final = ".env"
_COMMENT: Final = "Imported from {file}. Read it before you install it."

Id = Annotated[str | None, typer.Option("--id", help="The app's id, where another is wanted.")]
Target = Annotated[
    Path | None, typer.Option("-o", "--out", help="Write to a file, not to standard output.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def compose(
    call: Call,
    path: Annotated[Path, typer.Argument(help="A Compose file, or its folder.")],
    app_id: Id = None,
    out: Target = None,
    force: Force = False,
) -> None:
    """Make a manifest of a Compose file; CasaOS and Umbrel extensions are understood."""
    from reconciler.importing.compose import Beside, import_compose
    from reconciler.importing.ledger import mapping_of
    from reconciler.importing.report import Sources

    file = _found(path, _COMPOSE)
    data, source = _read(file)
    if not (mapping_of(data) or {}).get("services"):
        hint = "a Compose file has one entry under `services:` for each container"
        raise ManifestError(f"cannot import {file}: it has no `services` ({hint})")
    beside = file.with_name(_UMBREL)
    about, more = _read(beside) if beside.is_file() else (None, None)
    draft = import_compose(
        data,
        Beside(
            file.resolve().parent.name,
            app_id,
            _variables(file.with_name(_VARIABLES)),
            about,
            lambda path: _is_beside(file, path),
        ),
    )
    sources = Sources(source, {_UMBREL: more} if more is not None else {})
    _finish(call, draft, sources, _Destination(out, force=force))


def addon(
    call: Call,
    path: Annotated[Path, typer.Argument(help="A config.yaml of an add-on, or its folder.")],
    app_id: Id = None,
    out: Target = None,
    force: Force = False,
) -> None:
    """Make a manifest of a Home Assistant add-on."""
    from reconciler.importing.addon import BesideAddon, import_addon
    from reconciler.importing.ledger import mapping_of
    from reconciler.importing.report import Sources

    file = _found(path, _ADDON)
    data, source = _read(file)
    if "slug" not in (mapping_of(data) or {}):
        hint = "an add-on is described by a config.yaml with `name`, `version` and `slug`"
        raise ManifestError(f"cannot import {file}: it has no `slug` ({hint})")
    has_containerfile = any(
        file.with_name(name).is_file() for name in ("Dockerfile", "Containerfile")
    )
    draft = import_addon(data, BesideAddon(app_id, has_containerfile))
    _finish(call, draft, Sources(source, {}), _Destination(out, force=force))


class _Destination:
    """Where the manifest goes."""

    def __init__(self, file: Path | None, *, force: bool) -> None:
        self.file = file
        self._force = force

    def refuse_to_replace(self) -> None:
        """Raise where a file is there that nobody wants to lose."""
        if self.file is not None and self.file.exists() and not self._force:
            raise ConfigurationError(
                f"cannot write {self.file}: it exists already; say --force to replace it"
            )

    def write(self, text: str) -> None:
        """Write the file."""
        if self.file is None:
            return
        try:
            with self.file.open("w" if self._force else "x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ConfigurationError(f"cannot write {self.file}: {_why(error)}") from error


def _finish(call: Call, draft: "Draft", sources: "Sources", to: _Destination) -> None:
    from reconciler.cli.words import plain
    from reconciler.importing.emit import manifest_text
    from reconciler.importing.report import document, line, told

    for note in draft.refusals:
        typer.echo(plain(line(note, sources)), err=True)
    if draft.refusals:
        raise ManifestError(f"cannot import {sources.main.file}: no manifest can be made of it")
    text = manifest_text(draft.app, _COMMENT.format(file=Path(sources.main.file).name))
    _check(call, text)
    to.refuse_to_replace()
    to.write(text)
    if call.json:
        call.print_json(document(draft, sources))
        return
    if to.file is None:
        call.print(text.rstrip("\n"))
    for sentence in told(draft, sources):
        typer.echo(plain(sentence), err=True)
    if asked := _asked(call, text):
        typer.echo(asked, err=True)


def _asked(call: Call, text: str) -> str:
    """Say for how much an install of it asks; what other apps would have to say is not known."""
    from reconciler import wiring
    from reconciler.cli.prompt import requests
    from reconciler.cli.words import counted
    from reconciler.model.snapshot import Snapshot
    from reconciler.sources.manifests import load_documents

    settings = call.settings()
    documents = load_documents(text.encode(), "the manifest made of it").documents
    desired = wiring.desired(settings, Snapshot(documents=documents), assumed=True)
    asking = [r for r in requests(settings, desired, sorted(desired.apps)) if r.missing]
    if not asking:
        return ""
    many = counted(sum(len(request.missing) for request in asking), "permission")
    return f"It asks for {many} beyond what every app has: `archipelago install` shows them."


def _check(call: Call, text: str) -> None:
    """End where our own loader would not take what was made."""
    from reconciler.sources.manifests import load_documents

    problems = load_documents(text.encode(), "the manifest made of it").problems
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        typer.echo("cannot write the manifest: it is not valid; please report this", err=True)
        call.finish(FAILED)


def _found(path: Path, names: Sequence[str]) -> Path:
    if not path.is_dir():
        return path
    there = [path / name for name in names if (path / name).is_file()]
    if not there:
        raise ConfigurationError(f"cannot import {path}: the folder has no {', '.join(names)}")
    return there[0]


def _read(file: Path) -> tuple[object, "Source"]:
    """Return the one document of a file, and where each of its values stands."""
    from reconciler.importing.report import Source
    from reconciler.sources.yaml_documents import parse

    try:
        nodes, problems = parse(file.read_bytes(), str(file), foreign=True)
    except OSError as error:
        raise ConfigurationError(f"cannot import {file}: {_why(error)}") from error
    if problems:
        raise ManifestError("\n".join(str(problem) for problem in problems))
    node = _only(nodes, file)
    return node.data, Source(str(file), {**node.positions, **node.key_positions})


def _only(nodes: "list[Node]", file: Path) -> "Node":
    if len(nodes) != 1:
        many = "is empty" if not nodes else f"has {len(nodes)} documents, and one is wanted"
        raise ManifestError(f"cannot import {file}: it {many}")
    return nodes[0]


def _is_beside(file: Path, path: str) -> bool:
    """Tell whether a folder is below that of the file."""
    folder, root = (file.parent / path).resolve(), file.parent.resolve()
    return folder.is_dir() and folder.is_relative_to(root)


def _variables(file: Path) -> dict[str, str]:
    """Return the variables of an `.env` beside a Compose file, which Compose reads as well."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from error
    pairs = (
        line.removeprefix("export ").partition("=")
        for line in (line.strip() for line in lines)
        if line and not line.startswith("#") and "=" in line
    )
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
