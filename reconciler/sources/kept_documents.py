"""The copies of what was last good, by app: to be counted, and to be cut out."""

from collections.abc import Iterator
from pathlib import Path

from reconciler.sources.edit import cut, holds_nothing
from reconciler.sources.manifests import load_documents

_Spans = list[tuple[int, int]]


def count(folder: Path, app: str) -> int:
    """Return how many documents of an app are kept."""
    return sum(len(spans) for _, _, spans in _of(folder, app))


def forget(folder: Path, app: str) -> None:
    """Cut the documents of an app out of the copies. Raises OSError."""
    for file, text, spans in list(_of(folder, app)):
        rest = cut(text, spans)
        if holds_nothing(rest):
            file.unlink(missing_ok=True)
            continue
        fresh = file.with_suffix(".new")
        fresh.write_text(rest, encoding="utf-8", newline="")
        fresh.replace(file)


def _of(folder: Path, app: str) -> Iterator[tuple[Path, str, _Spans]]:
    for file in sorted(folder.glob("*.yml")):
        content = file.read_bytes()
        documents = load_documents(content, str(file)).documents
        spans = [(d.start_line, d.end_line) for d in documents if d.app == app]
        if spans:
            yield file, content.decode(), spans
