"""
A folder of manifests, read again only where something changed. Implements `ports.Source`.

A file is taken when it has been quiet for the settle window, and given up when it has been gone
for the (longer) vanish window: editors write in pieces, and tools replace whole folders.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import SuspendManifest
from reconciler.model.origin import Origin, Problem
from reconciler.model.snapshot import Snapshot
from reconciler.ports import Clock
from reconciler.sources.contexts import ContextHasher, Contexts
from reconciler.sources.last_good import LastGood
from reconciler.sources.manifests import Loaded, load_documents
from reconciler.sources.tree import (
    MAX_FILES,
    Signature,
    Wanted,
    is_manifest,
    manifests,
)

SETTLE_SECONDS = 0.08
VANISH_SECONDS = 0.5
MAX_BYTES = 2**20
_MISSING = "bring the folder back, or name another one; until then nothing is removed"


class _File(Struct):
    """What is known of one file: `loaded` is what its last quiet version held."""

    taken: Signature | None = None
    shown: str = ""
    modified: datetime = datetime.min.replace(tzinfo=UTC)
    loaded: Loaded = Loaded((), ())
    good: tuple[Document, ...] = ()
    pending: Signature | None = None
    pending_since: float = 0.0
    gone_since: float | None = None
    unread: bool = False


class DirectorySource:
    """Reads `root` recursively; `settle` 0 takes everything as it stands, for one look."""

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        wanted: Wanted = is_manifest,
        last_good: LastGood | None = None,
        settle: float | None = None,
        deep: bool = True,
    ) -> None:
        self._root = root
        self._clock = clock
        self._wanted = wanted
        self._last_good = last_good or LastGood(None)
        self._settle = SETTLE_SECONDS if settle is None else settle
        self._vanish = VANISH_SECONDS if self._settle else 0.0
        self._deep = deep
        self._files: dict[str, _File] = {}
        self._hasher = ContextHasher(clock, self._settle, self._vanish)
        self._quiet_since = clock.monotonic()

    def read(self) -> Snapshot:
        """Return everything that is there now; see `ports.Source`."""
        try:
            present = manifests(self._root, self._wanted, deep=self._deep)
        except OSError as error:
            return self._unreadable(error)
        if len(present) > MAX_FILES:
            return self._incomplete(
                f"{self._root} holds more than {MAX_FILES} manifests", "too many manifests"
            )
        waits = [*self._look(present), *self._miss(present)]
        snapshot, contexts = self._snapshot()
        waits += contexts.waits
        unread = self._unread(contexts)
        return replace(
            snapshot,
            complete=not unread,
            incomplete_because=unread,
            settle_seconds=min(waits, default=None),
        )

    def _unread(self, contexts: Contexts) -> str:
        """What nobody has read yet may be any app, for instance one that runs."""
        for path, file in self._files.items():
            if file.taken is None or not all(contexts.has(d) for d in file.loaded.documents):
                return f"{self._root / path} is being written"
        return ""

    def _look(self, present: Mapping[str, Signature]) -> Iterator[float]:
        """Take what changed and is quiet; yield how long to wait for what is not."""
        now = self._clock.monotonic()
        for path, signature in present.items():
            file = self._files.setdefault(path, _File())
            file.gone_since = None
            if signature == file.taken:
                file.pending = None
                if file.unread:  # what hindered leaves no trace in the signature
                    self._take(path, file, signature)
                continue
            if signature != file.pending:
                file.pending, file.pending_since = signature, now
                self._quiet_since = now
            wait = self._settle - max(now - file.pending_since, self._age(signature))
            if wait > 0:
                yield wait
                continue
            self._take(path, file, signature)

    def _age(self, signature: Signature) -> float:
        """Return for how long the file was not written to; 0 where the clock cannot tell."""
        return max(0.0, self._clock.now().timestamp() - signature.modified_ns / 1e9)

    def _miss(self, present: Mapping[str, Signature]) -> Iterator[float]:
        """Forget what is gone for long enough; yield how long to wait for the rest."""
        now = self._clock.monotonic()
        for path in sorted(self._files.keys() - present.keys()):
            file = self._files[path]
            if file.gone_since is None:
                file.gone_since = self._quiet_since = now
            wait = self._vanish - (now - max(file.gone_since, self._quiet_since))
            if wait > 0:
                yield wait
                continue
            del self._files[path]
            self._last_good.forget(path)

    def _take(self, path: str, file: _File, signature: Signature) -> None:
        shown = str(self._root / path)
        try:
            with (self._root / path).open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except OSError as error:
            why = error.strerror or type(error).__name__
            problem = Problem(
                Origin(shown), f"cannot be read: {why.lower()}", "check its owner and mode"
            )
            file.loaded, file.unread = Loaded((), (problem,)), True
        else:
            file.unread = False
            file.loaded = load_documents(content, shown)
            if not file.loaded.problems:
                file.good = file.loaded.documents
                self._last_good.save(path, content)
        if file.loaded.problems and not file.good:
            kept = self._last_good.load(path)
            file.good = load_documents(kept, shown).documents if kept else ()
        file.taken, file.pending = signature, None
        file.shown = shown
        file.modified = datetime.fromtimestamp(signature.modified_ns / 1e9, UTC)

    def _snapshot(self) -> tuple[Snapshot, Contexts]:
        documents = tuple(d for f in self._files.values() for d in f.loaded.documents)
        fresh = {_about(d) for d in documents}
        last_good = tuple(
            d
            for f in self._files.values()
            if f.loaded.problems
            for d in f.good
            if _about(d) not in fresh
        )
        contexts = self._hasher.contexts((*documents, *last_good))
        snapshot = Snapshot(
            documents=tuple(d for d in documents if contexts.has(d)),
            problems=tuple(sorted(p for f in self._files.values() for p in f.loaded.problems)),
            last_good=tuple(d for d in last_good if contexts.has(d)),
            contexts=contexts.found,
            modified=self._modified(),
        )
        return snapshot, contexts

    def _modified(self) -> dict[str, datetime]:
        return {f.shown: f.modified for f in self._files.values() if f.taken is not None}

    def _unreadable(self, error: OSError) -> Snapshot:
        why = (error.strerror or type(error).__name__).lower()
        return self._incomplete(f"cannot read {error.filename or self._root}: {why}", why)

    def _incomplete(self, because: str, why: str) -> Snapshot:
        """Hold on to all that was known: unreadable is not the same as empty."""
        known = tuple(d for f in self._files.values() for d in f.good or f.loaded.documents)
        contexts = self._hasher.contexts(known)
        return Snapshot(
            problems=(Problem(Origin(str(self._root)), f"cannot be read: {why}", _MISSING),),
            last_good=tuple(d for d in known if contexts.has(d)),
            contexts=contexts.found,
            complete=False,
            incomplete_because=because,
        )


def _about(document: Document) -> tuple[str, type | None]:
    """An app, its suspension and its approval are three, each with a last good version."""
    kind = type(document.manifest)
    return document.app, kind if kind in {SuspendManifest, ApproveManifest} else None
