"""Everything a source holds at one moment."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from reconciler.model.manifest.document import Document
from reconciler.model.origin import Problem


class BuildContext(Struct, frozen=True):
    """A directory to build from: its absolute path, and the SHA-256 (hex) of its content."""

    path: str
    content: str


class Snapshot(Struct, frozen=True):
    """
    Documents that are good, problems that are not, and the last good documents of bad files.

    `contexts` maps (file, context as written) to what is there, or to what is wrong with it.
    `complete` is False when the place itself could not be read. `settle_seconds` says how long to
    wait before looking again, because a file is being written at this moment.
    """

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    last_good: tuple[Document, ...] = ()
    contexts: Mapping[tuple[str, str], BuildContext | Problem] = field(
        default_factory=dict[tuple[str, str], BuildContext | Problem],
    )
    modified: Mapping[str, datetime] = field(default_factory=dict[str, datetime])  # by file
    complete: bool = True
    incomplete_because: str = ""
    settle_seconds: float | None = None
