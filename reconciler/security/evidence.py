"""Facts of this box: what the operator confirmed, and what room the disk has."""

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from reconciler.model.evidence import Evidence
from reconciler.model.pin import Past, PinKey
from reconciler.model.trust import Trust
from reconciler.ports import Clock, Ledger
from reconciler.security.policy import PolicyFile
from reconciler.security.revisions import RevisionFiles
from reconciler.security.secrets import SecretFiles

_LASTS = timedelta(hours=1)


class Memories(Struct, frozen=True):
    """
    What was written down of images and revisions, and by the operator: trust and policy.

    `unrecorded` says why nothing can be put on record now.
    """

    ledger: Ledger
    revisions: RevisionFiles
    trust: Callable[[], Trust | None]
    policy: PolicyFile
    unrecorded: Callable[[], str] = str
    past: Callable[[], Mapping[PinKey, Past]] = dict[PinKey, Past]


class BoxEvidence:
    """Implements `ports.EvidenceGatherer`: reads a file, and asks the file system of the data."""

    def __init__(
        self,
        confirmation: Path,
        data: Path,
        secrets: SecretFiles,
        memories: Memories,
        clock: Clock,
    ) -> None:
        self._confirmation = confirmation
        self._data = data
        self._secrets = secrets
        self._memories = memories
        self._clock = clock

    def gather(self) -> Evidence:
        """Return the facts of this moment; never raises, what is missing is missing."""
        confirmed = confirmed_removals(self._confirmation, self._clock.now())
        kept, revisions = self._secrets.kept(), self._memories.revisions
        return Evidence(
            removal_confirmed=confirmed,
            free_bytes=self._free(),
            secrets=kept,
            pins=self._memories.ledger.pins(),
            past=self._memories.past(),
            image_ids=self._memories.ledger.ids(),
            good=revisions.good(),
            failed=revisions.failed(),
            retried=revisions.retried(),
            policy=self._memories.policy.read(),
            unrecorded=self._memories.unrecorded(),
            trust=self._memories.trust(),
        )

    def _free(self) -> int | None:
        """The data directory may not exist yet: its nearest parent is on the same disk."""
        try:
            place = next(p for p in (self._data, *self._data.parents) if p.exists())
            return shutil.disk_usage(place).free
        except (OSError, StopIteration):
            return None


def confirm_removals(file: Path, apps: frozenset[str], now: datetime) -> datetime:
    """
    Write down that these apps may go; return when that expires. Raises OSError.

    What was confirmed before goes on until its own hour is over.
    """
    words = {**confirmed_removals(file, now), **dict.fromkeys(apps, now)}
    told = {app: at.isoformat() for app, at in sorted(words.items())}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"confirmed": told}))
    fresh.replace(file)
    return now + _LASTS


def confirmed_removals(file: Path, now: datetime) -> dict[str, datetime]:
    """
    Return the apps whose removal was confirmed within the hour, and when.

    What is unreadable confirms nothing, and neither does what was said in the future.
    """
    try:
        told = json.loads(file.read_text())["confirmed"].items()
        words = {str(app): datetime.fromisoformat(at) for app, at in told}
        return {app: at for app, at in words.items() if at <= now < at + _LASTS}
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return {}
