"""
What became of each value of the input: carried, without meaning here, or told as not carried.

Whoever imports says so while it reads; `sweep` tells what nobody spoke of, so nothing is silent.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, cast

from msgspec import Struct, field

from reconciler.model.manifest.complaint import Path

_NOBODY: Final = "there is nothing like it in a manifest"


class Fate(StrEnum):
    """What became of a value."""

    CARRIED = "carried"
    NEUTRAL = "neutral"
    NOT_CARRIED = "not carried"


class Kind(StrEnum):
    """Why a person should read a note."""

    NOT_CARRIED = "not carried"
    PERMISSION = "permission"
    CHANGED = "changed"


class Note(Struct, frozen=True):
    """Something about a place of the input that its owner has to know."""

    kind: Kind
    path: Path
    message: str
    hint: str = ""


class Ledger(Struct):
    """Everything that was said about the input."""

    fates: dict[Path, Fate] = field(default_factory=dict[Path, Fate])
    notes: list[Note] = field(default_factory=list[Note])

    def carried(self, path: Path) -> None:
        """Note that a value is in the manifest; what was told as not carried stays so."""
        self.fates.setdefault(path, Fate.CARRIED)

    def neutral(self, path: Path) -> None:
        """Note that a value means nothing here: the app is the same without it."""
        self.fates.setdefault(path, Fate.NEUTRAL)

    def not_carried(self, path: Path, message: str, hint: str = "") -> None:
        """Tell that a value is not in the manifest; the first reason is the one to tell."""
        if self.fates.get(path) is Fate.NOT_CARRIED:
            return
        self.fates[path] = Fate.NOT_CARRIED
        self._add(Note(Kind.NOT_CARRIED, path, message, hint))

    def left_out(self, message: str, hint: str = "") -> None:
        """Tell that something is not in the manifest that was no value of the input."""
        self._add(Note(Kind.NOT_CARRIED, (), message, hint))

    def permission(self, path: Path, message: str, hint: str = "") -> None:
        """Tell that a value asks for more than an app has by itself."""
        self._add(Note(Kind.PERMISSION, path, message, hint))

    def changed(self, path: Path, message: str, hint: str = "") -> None:
        """Tell that a value is in the manifest in another way than its owner may expect."""
        self._add(Note(Kind.CHANGED, path, message, hint))

    def sweep(self, data: object) -> None:
        """Tell of each value that nobody spoke of."""
        spoken = {path[:length] for path in self.fates for length in range(len(path) + 1)}
        for path in self._unspoken(data, (), spoken):
            self.not_carried(path, _NOBODY)

    def keep_true(self) -> None:
        """Forget what was said of values in the manifest that are not there in the end."""
        self.notes[:] = [
            note
            for note in self.notes
            if note.kind is Kind.NOT_CARRIED or self.fate_of(note.path) is not Fate.NOT_CARRIED
        ]

    def count(self, data: object, fate: Fate) -> int:
        """Return how many values of the input had this fate."""
        return sum(self.fate_of(path) is fate for path in leaves(data))

    def fate_of(self, path: Path) -> Fate | None:
        """Return what became of a value; a whole that is not carried has no part that is."""
        said = [self.fates.get(path[:length]) for length in range(len(path), -1, -1)]
        if Fate.NOT_CARRIED in said:
            return Fate.NOT_CARRIED
        return next((fate for fate in said if fate is not None), None)

    def _add(self, note: Note) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _unspoken(self, data: object, path: Path, spoken: set[Path]) -> Iterator[Path]:
        if path in self.fates:
            return
        if path not in spoken and path:
            yield path
            return
        for key, value in branches(data):
            yield from self._unspoken(value, (*path, key), spoken)


def mapping_of(data: object) -> dict[str, object] | None:
    """Return data that is a mapping, or nothing."""
    return cast("dict[str, object]", data) if isinstance(data, dict) else None


def branches(data: object) -> Iterator[tuple[str | int, object]]:
    """Return what a mapping or a list holds, each with its key or index."""
    if isinstance(data, dict):
        yield from cast("dict[str, object]", data).items()
    elif isinstance(data, list):
        yield from enumerate(cast("list[object]", data))


def leaves(data: object, path: Path = ()) -> Iterator[Path]:
    """Return the path of each value that holds no other, the empty ones too."""
    alone = True
    for key, value in branches(data):
        alone = False
        yield from leaves(value, (*path, key))
    if alone:
        yield path
