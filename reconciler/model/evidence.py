"""Facts gathered before deciding, other than what is desired and what runs."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from reconciler.model.pin import Past, Pin, PinKey
from reconciler.model.policy import NO_POLICY, Policy
from reconciler.model.revision import FailedRevision, Revision
from reconciler.model.signature import Findings, Subject
from reconciler.model.trust import Trust


class Evidence(Struct, frozen=True):
    """
    Facts for the gates. What is missing denies.

    `removal_confirmed` names apps whose removal the operator confirmed, and when; what expired is
    not in it.
    `free_bytes` is the room left where volumes live; None: could not be measured. `secrets` are
    those that are kept, by app and name; `pins` are what images were taken to mean, `past` what
    they meant before and who signed them, and `image_ids` the ids of those that were verified, by
    a name that means one for ever. By app: `good` is the revision to go back to, `failed` are
    those that were given up, and `retried` says when the operator last asked for another try.
    `unrecorded` says why nothing can be put on record.
    `trust` is the trust file, None where there is none; `signatures` is what was found beside
    images, and `meanings` what registries say that names mean now, which is not pinned yet.
    `policy` is the operator's; one that could not be read says so, and denies.
    """

    removal_confirmed: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    free_bytes: int | None = None
    secrets: frozenset[tuple[str, str]] = frozenset()
    pins: Mapping[PinKey, Pin] = field(default_factory=dict[PinKey, Pin])
    past: Mapping[PinKey, Past] = field(default_factory=dict[PinKey, Past])
    image_ids: Mapping[str, str] = field(default_factory=dict[str, str])
    good: Mapping[str, Revision] = field(default_factory=dict[str, Revision])
    failed: Mapping[str, tuple[FailedRevision, ...]] = field(
        default_factory=dict[str, tuple[FailedRevision, ...]],
    )
    unrecorded: str = ""
    retried: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    trust: Trust | None = None
    signatures: Mapping[Subject, Findings] = field(default_factory=dict[Subject, Findings])
    meanings: Mapping[PinKey, Pin] = field(default_factory=dict[PinKey, Pin])
    policy: Policy = NO_POLICY
