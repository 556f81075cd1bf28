"""Everything that a plan depends on, as values; and what is asked of it more than once."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from reconciler.model.commit import Commit
from reconciler.model.desired import Desired
from reconciler.model.evidence import Evidence
from reconciler.model.health import ProbeRecord
from reconciler.model.history import Attempts
from reconciler.model.observed import Observed, ObservedContainer
from reconciler.model.trial import Tried

WINDOW = timedelta(seconds=60)


class Situation(Struct, frozen=True):
    """
    The inputs of one plan.

    `probes` are by container ref, `attempts` by app, and so is `usage`: what the volumes of an app
    hold, in bytes; None where that could not be measured, missing where it was not yet; and
    `tried`: what was found that it reaches.
    `last_words` are, by ref, the ends of the logs of containers that keep ending; `ready_since`
    says of which apps it was told that they serve, and since when; `window` is how long one has to
    serve until its failures, and the revision before, are left behind. `commits` are, by app,
    those that changed its files last.
    `prune_limit` is how many apps may be removed at once without a word from the operator, or a
    third of all, whichever is larger.
    """

    desired: Desired
    observed: Observed
    now: datetime
    evidence: Evidence = Evidence()
    probes: Mapping[str, ProbeRecord] = field(default_factory=dict[str, ProbeRecord])
    attempts: Mapping[str, Attempts] = field(default_factory=dict[str, Attempts])
    usage: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    tried: Mapping[str, Tried] = field(default_factory=dict[str, Tried])
    prune_limit: int = 3
    last_words: Mapping[str, str] = field(default_factory=dict[str, str])
    ready_since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    window: timedelta = WINDOW
    commits: Mapping[str, Commit] = field(default_factory=dict[str, Commit])


def by_app(observed: Observed) -> dict[str, tuple[ObservedContainer, ...]]:
    """Return the containers of each app; an app that only left a network has none."""
    found: dict[str, list[ObservedContainer]] = {app: [] for app in observed.apps()}
    for container in observed.containers:
        found[container.app].append(container)
    return {app: tuple(containers) for app, containers in found.items()}
