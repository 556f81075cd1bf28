"""`archipelago validate PATH…`: everything that is wrong with files or folders, at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from reconciler.cli.call import FAILED, Call
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from reconciler.cli.verdict import Verdict
    from reconciler.config import Settings


def validate(
    call: Call,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files or folders.")],
) -> None:
    """Check manifests, and tell every problem at once. Needs no Podman."""
    from reconciler.cli.verdict import verdict_document

    verdict = _read(call.settings(), paths)
    if call.json:
        call.print_json(verdict_document(verdict))
    else:
        _show(call, verdict)
    call.finish(FAILED if verdict.problems else 0)


def _read(settings: "Settings", paths: list[Path]) -> "Verdict":
    from reconciler import wiring
    from reconciler.cli.verdict import Verdict, judge

    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ConfigurationError(f"cannot validate {', '.join(missing)}: no such file or folder")
    known = wiring.documents(settings.catalogue) if settings.catalogue.is_dir() else None
    verdict = Verdict()
    for path in paths:
        snapshot = wiring.documents(path)
        verdict.documents += snapshot.documents
        # Nobody has answered yet what a catalogue asks: whatever that will be is taken for good.
        platform = replace(wiring.platform(settings), assumed=_is_catalogue(path, settings))
        judge(snapshot, known, platform, verdict, whole=path.is_dir())
    return verdict


def _is_catalogue(path: Path, settings: "Settings") -> bool:
    if path.is_dir():
        same = path.resolve() == settings.catalogue.resolve()
        return same or any(path.glob("*/manifest.y*ml"))
    return path.stem == "manifest"


def _show(call: Call, verdict: "Verdict") -> None:
    from reconciler.cli.words import counted, plain

    for problem in verdict.problems:
        call.print(plain(str(problem)))
    for warning in verdict.warnings:
        call.print(plain(f"warning: {warning}"))
    files = len({d.origin.file for d in verdict.documents})
    good = f"{counted(len(verdict.documents), 'good document')} in {counted(files, 'file')}"
    told = (
        f"{counted(len(verdict.problems), 'problem')}, {counted(len(verdict.warnings), 'warning')}"
    )
    call.print(f"{good}; {told}.")
