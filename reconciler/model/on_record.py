"""What the audit log says of what there may be, and upon what it was made."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field


class Stated(Struct, frozen=True):
    """
    What was said last upon making an app, and what was said of it before.

    `values` are said since `at`; `before` is everything that earlier acts said, None where there
    was no earlier one. Of permissions, `unapproved` are those that no word of the operator covers.
    """

    values: frozenset[str]
    before: frozenset[str] | None
    at: datetime
    unapproved: frozenset[str] = frozenset()


class OnRecord(Struct, frozen=True):
    """
    The audit log, as far as rules ask for it.

    `known` is False until all of it was read: then nothing follows from what is not in it.
    `complete_from` is the moment of the first entry where older ones are elsewhere, else None.
    `made` are all things that an entry says were made, or found, or adopted; `ids` are the ids of
    containers by name, where the end of the act that made them is on record. `elevated` are by app
    the permissions beyond the baseline, `signers` by app and container who signed the image.
    `refused` is when apps were held since their images are not verified.
    """

    known: bool = False
    complete_from: datetime | None = None
    made: frozenset[str] = frozenset()
    ids: Mapping[str, str] = field(default_factory=dict[str, str])
    elevated: Mapping[str, Stated] = field(default_factory=dict[str, Stated])
    signers: Mapping[tuple[str, str], Stated] = field(
        default_factory=dict[tuple[str, str], Stated]
    )
    refused: tuple[tuple[datetime, str], ...] = ()

    def is_another(self, name: str, ref: str) -> bool:
        """Whether a container has the name of one that we made, and is not that one."""
        return self.ids.get(name, ref) != ref
