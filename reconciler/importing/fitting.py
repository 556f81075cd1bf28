"""Makes a draft fit the manifest's model: what it refuses is left out, and told with its words."""

from typing import Final, cast

from msgspec import Struct
from pydantic import ValidationError

from reconciler.importing.ledger import Kind, Ledger, Note
from reconciler.importing.tree import Leaf, Section, find, finished, leaves, without
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.complaint import Complaint, complaints_of

_ROUNDS: Final = 12
_NEEDED: Final = frozenset({"id", "name", "image", "build"})


class Fitted(Struct, frozen=True):
    """The content of `app:` as plain data, or why there can be none."""

    app: dict[str, object]
    refusals: tuple[Note, ...] = ()


def fit(tree: Section, ledger: Ledger) -> Fitted:
    """Return the manifest without what its model refuses; the ledger is told."""
    for _ in range(_ROUNDS):
        app = cast("dict[str, object]", finished(tree))
        complaints = _complaints(app)
        if not complaints:
            return Fitted(app)
        refused = {id(leaf): leaf for c in complaints for leaf in _refused(tree, c, ledger)}
        if not refused:
            return Fitted({}, _refusals(tree, complaints))
        tree = cast("Section", without(tree, set(refused)))
    return Fitted({}, _refusals(tree, _complaints(cast("dict[str, object]", finished(tree)))))


def _refusals(tree: Section, complaints: tuple[Complaint, ...]) -> tuple[Note, ...]:
    """Return why there can be no manifest, each at the place of the input."""
    notes: list[Note] = []
    for complaint in complaints:
        _, found = find(tree, complaint.path)
        leaf = next(leaves(found), None)
        source = leaf.source if leaf is not None else ()
        about = source[:2] if not isinstance(found, Leaf) else source
        notes.append(Note(Kind.NOT_CARRIED, about, complaint.message, complaint.hint))
    return tuple(notes)


def _complaints(app: dict[str, object]) -> tuple[Complaint, ...]:
    try:
        AppManifest.model_validate(app)
    except ValidationError as error:
        return tuple(complaints_of(error))
    return ()


def _refused(tree: Section, complaint: Complaint, ledger: Ledger) -> list[Leaf]:
    """Return what has to go so that this is not said again; nothing where the app needs it."""
    path, found = find(tree, complaint.path)
    if not path or path[-1] in _NEEDED or complaint.missing in _NEEDED:
        return []
    if path[0] in {"container", "containers"} and not isinstance(found, Leaf) and _is_whole(path):
        return []
    gone = list(leaves(found))
    for leaf in gone:
        if leaf.source:
            ledger.not_carried(leaf.source, complaint.message, complaint.hint)
        else:
            ledger.left_out(complaint.message, complaint.hint)
    return gone


def _is_whole(path: tuple[str | int, ...]) -> bool:
    """Tell whether a path leads to a container, or to all of them."""
    return len(path) <= (1 if path[0] == "container" else 2)
