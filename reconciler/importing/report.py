"""What an import tells: each note at its place, for people as a line, for machines as data."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from reconciler.importing.draft import Draft
from reconciler.importing.ledger import Kind, Note
from reconciler.model.manifest.complaint import Path
from reconciler.model.origin import Origin

_LONGEST_KEY: Final = 80
_ORDER: Final = tuple(Kind)
Positions = Mapping[Path, tuple[int, int]]


class Source(Struct, frozen=True):
    """A file that was imported, and where in it each value stands."""

    file: str
    positions: Positions

    def place(self, path: Path) -> Origin:
        """Return where a value stands, or the nearest thing around it."""
        while path and path not in self.positions:
            path = path[:-1]
        return Origin(self.file, *self.positions.get(path, (0, 0)))


class Sources(Struct, frozen=True):
    """The file that was imported, and those beside it, each under the first key of its paths."""

    main: Source
    beside: Mapping[str, Source]

    def place(self, path: Path) -> Origin:
        """Return where a value stands, in whichever file."""
        if path and (other := self.beside.get(str(path[0]))) is not None:
            return other.place(path[1:])
        return self.main.place(path)

    def inner(self, path: Path) -> Path:
        """Return a path as it is within its file."""
        return path[1:] if path and path[0] in self.beside else path


def told(draft: Draft, sources: Sources) -> Iterator[str]:
    """Return a line for each note, then one that counts."""
    for kind in _ORDER:
        for note in _sorted(draft.notes(kind), sources):
            yield line(note, sources)
    yield (
        f"Values: {draft.carried} carried, {draft.neutral} without meaning here, "
        f"{draft.not_carried} not carried."
    )


def line(note: Note, sources: Sources) -> str:
    """Return a note with its place, what it is about, and what to do."""
    path = dotted(sources.inner(note.path))
    about = f" `{path}`" if path else ""
    hint = f" ({note.hint})" if note.hint else ""
    what = f"cannot carry{about}" if note.kind is Kind.NOT_CARRIED else f"{note.kind}{about}"
    return f"{sources.place(note.path)}: {what}: {note.message}{hint}"


def document(draft: Draft, sources: Sources) -> dict[str, object]:
    """Return the draft and its notes for a machine."""
    return {
        "manifest": {"app": draft.app} if draft.app else None,
        "carried": draft.carried,
        "neutral": draft.neutral,
        "not_carried": _entries(draft, Kind.NOT_CARRIED, sources),
        "permissions": _entries(draft, Kind.PERMISSION, sources),
        "changed": _entries(draft, Kind.CHANGED, sources),
    }


def _entries(draft: Draft, kind: Kind, sources: Sources) -> list[dict[str, object]]:
    return [_entry(note, sources) for note in _sorted(draft.notes(kind), sources)]


def _entry(note: Note, sources: Sources) -> dict[str, object]:
    place = sources.place(note.path)
    return {
        "path": dotted(sources.inner(note.path)),
        "reason": note.message,
        "hint": note.hint,
        "file": place.file,
        "line": place.line,
        "column": place.column,
    }


def _sorted(notes: list[Note], sources: Sources) -> list[Note]:
    return sorted(notes, key=lambda note: (sources.place(note.path), note.message))


def dotted(path: Path) -> str:
    """Return a path as a person writes it: `services.web.ports[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step if step.isprintable() else ascii(step)}"[:_LONGEST_KEY]
    return text.removeprefix(".")
