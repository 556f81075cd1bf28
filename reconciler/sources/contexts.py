"""Finds the build contexts that documents speak of, relative to the file they stand in."""

from pathlib import Path

from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import Document
from reconciler.model.origin import Problem
from reconciler.model.snapshot import BuildContext
from reconciler.sources.tree import ContextHasher

Contexts = dict[tuple[str, str], BuildContext | Problem]


def build_contexts(documents: tuple[Document, ...], hasher: ContextHasher) -> Contexts:
    """Return each context by (file, context as written), or what is wrong with it."""
    found: Contexts = {}
    for document in documents:
        if not isinstance(document.manifest, AppManifest):
            continue
        for container in document.manifest.container_map().values():
            if container.build is not None:
                key = (document.origin.file, container.build.context)
                if key not in found:
                    found[key] = _context(document, container.build.context, hasher)
    return found


def _context(document: Document, written: str, hasher: ContextHasher) -> BuildContext | Problem:
    # The real place of the file: a link from the desired directory keeps its context beside it.
    folder = (Path(document.origin.file).resolve().parent / written).resolve()
    try:
        return BuildContext(str(folder), hasher.content(folder))
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        message = f"cannot build from {written}: {folder}: {why}"
    except ValueError as error:
        message = f"cannot build from {written}: {folder} holds {error}"
    hint = "`build` names a folder relative to this file"
    return Problem(document.origin, message, hint, document.app)
