"""Commits of a git source: what they are, and what was found out about them."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

SHOWN = 10  # digits of an id, for people


class Commit(Struct, frozen=True):
    """
    One commit. `id` is its whole hash; `author` a name and an address.

    `signer` is who signed it, as the operator's files of keys name them: empty where nobody
    looked; `unsigned` says why no signature that counts was found.
    """

    id: str
    author: str = ""
    subject: str = ""
    committed_at: datetime | None = None
    signer: str = ""
    unsigned: str = ""

    @property
    def short(self) -> str:
        """The first digits of its id."""
        return self.id[:SHOWN]


class CommitEvidence(Struct, frozen=True):
    """
    What is known before another commit is taken.

    `head` is what the ref means now, None where that is not known; `since` are the commits that
    have to be signed, newest first (without a demand, none). `descends` tells whether `head`
    contains `applied`; `allowed` is the commit that the operator let through all the same.
    `obstacles` are things in it that cannot be checked out.
    """

    head: Commit | None
    applied: Commit | None = None
    since: tuple[Commit, ...] = ()
    descends: bool = True
    allowed: str = ""
    obstacles: tuple[str, ...] = ()


class SourceStatus(Struct, frozen=True):
    """
    Which commit is in force, and why no newer one is.

    `ref` is what is followed, `place` where; `told` is empty when all is well. `fetched_at` is
    when the place answered last. `changes` has, by file, the commit that changed it last, as far
    as that is known.
    """

    place: str
    ref: str
    commit: Commit | None = None
    fetched_at: datetime | None = None
    told: str = ""
    changes: Mapping[str, Commit] = field(default_factory=dict[str, Commit])
