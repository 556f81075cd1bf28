"""Gates: each looks at evidence and returns why not, or nothing. Missing evidence denies."""

from collections.abc import Iterable

from msgspec.structs import replace

from reconciler.core.comparison import Comparison
from reconciler.model.change import Action, Change, Reason
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.evidence import Evidence
from reconciler.model.observed import Observed
from reconciler.model.volume import ObservedVolume

_GIB = 2**30


def lost_secrets(
    comparison: Comparison,
    evidence: Evidence,
    volumes: Iterable[ObservedVolume] = (),
) -> str:
    """
    Deny making a container with a new secret where its data was made with another.

    What the data was made with, containers say, and where none is left, `volumes`. One that was
    made before that was written down denies only where not a single secret is left.
    """
    app = comparison.spec.id
    seen = (*comparison.current.values(), *comparison.outdated)
    used = {name for container in seen for name in container.secrets}
    wanted = {secret.name for secret in comparison.spec.secrets}
    kept = {name for of, name in evidence.secrets if of == app}
    for volume in () if seen else volumes:
        used |= {*volume.secrets} if volume.secrets is not None else (set() if kept else wanted)
    lost = sorted((used & wanted) - kept)
    if not lost:
        return ""
    return (
        f"its secret {', '.join(lost)} is gone, and its data was made with it: bring back"
        f" secrets/{app} in the state folder from a backup, or begin anew:"
        f" `archipelago remove {app}`, then `archipelago purge {app}`"
    )


def asks_for_volumes(desired: Desired, observed: Observed, evidence: Evidence) -> bool:
    """Whether a secret is about to be made, so that it matters which data is there already."""
    here = {container.app for container in observed.containers}
    return any(
        app not in here
        and not (spec.suspended or spec.left_alone)
        and not spec.unsupported
        and any((app, secret.name) not in evidence.secrets for secret in spec.secrets)
        for app, spec in desired.apps.items()
        if spec.volumes
    )


def on_record(change: Change, evidence: Evidence) -> Change:
    """Hold everything that would be done while it cannot be put on record; what runs goes on."""
    if not evidence.unrecorded or not change.acts:
        return change
    told = f"{evidence.unrecorded}; nothing is changed until that is mended"
    return replace(change, action=Action.HOLD, reason=Reason.NOT_ON_RECORD, message=told, steps=())


def storage(app: AppSpec, evidence: Evidence) -> str:
    """Deny an install on a disk without the room that the app asks for."""
    if app.storage is None:
        return ""
    if evidence.free_bytes is None:
        return "asks for storage, and the free space could not be measured"
    if evidence.free_bytes >= app.storage:
        return ""
    return f"asks for {app.storage / _GIB:.1f} GiB of storage, and less is free"
