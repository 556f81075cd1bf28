"""
What becomes of the data of apps: whose it is, and whether it may be deleted. Pure.

Deleting needs proof that nobody wants the app: what cannot be read may want it.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from reconciler.model.desired import Desired
from reconciler.model.observed import ContainerState, Observed
from reconciler.model.origin import Problem
from reconciler.model.volume import Kept, ObservedVolume, Presence

_NOTHING = Kept()


class Remains(Struct, frozen=True):
    """
    All that is left of an app: its volumes, and what the state folder keeps.

    `users` are the containers, anybody's, that mount a volume, by its name; `foreign` are volumes
    that are named as the app's are and are not ours.
    """

    app: str
    volumes: tuple[ObservedVolume, ...] = ()
    kept: Kept = _NOTHING
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    foreign: tuple[str, ...] = ()


def presence(volume: ObservedVolume, desired: Desired, observed: Observed) -> Presence:
    """Say what there is of a volume's app beside it."""
    app = volume.app
    if not app:
        return Presence.FOREIGN
    containers = observed.of(app)
    if any(c.state is ContainerState.RUNNING for c in containers):
        return Presence.RUNNING
    if app in desired.apps or app in desired.broken:
        return Presence.DESIRED
    if containers:
        return Presence.STOPPED
    return Presence.UNKNOWN if _doubt(app, desired) else Presence.REMOVED


def refusal(remains: Remains, desired: Desired, observed: Observed) -> str:
    """Say why the data of an app is not deleted, and what to do; nothing where it may be."""
    return next(_reasons(remains, desired, observed), "")


def _reasons(remains: Remains, desired: Desired, observed: Observed) -> Iterator[str]:
    app = remains.app
    if app in desired.apps:
        yield _wanted(app, desired)
    if not remains.volumes and not remains.kept:
        yield _nothing(remains)
    if doubt := _doubt(app, desired):
        yield doubt
    if here := ", ".join(c.container_name for c in observed.of(app)):
        yield (
            f"cannot purge {app}: its containers are still there ({here});"
            " a running loop removes them, `archipelago run` starts one"
        )
    for volume, users in sorted(remains.users.items()):
        if users:
            yield (
                f"cannot purge {app}: the volume {volume} is used by {', '.join(users)};"
                " remove that first"
            )


def _wanted(app: str, desired: Desired) -> str:
    spec = desired.apps[app]
    if spec.requested:
        return (
            f"cannot purge {app}: it is desired, by {spec.origin};"
            f" `archipelago remove {app}` first"
        )
    needed_by = ", ".join(_dependants(app, desired))
    return (
        f"cannot purge {app}: it is here because {needed_by} requires it; remove {needed_by} first"
    )


def _doubt(app: str, desired: Desired) -> str:
    """Say what cannot be read that may want the app."""
    if not desired.complete:
        return (
            f"cannot purge {app}: whether it is wanted is not known"
            f" ({desired.incomplete_because}); mend that first"
        )
    if app in desired.broken:
        return (
            f"cannot purge {app}: a document that cannot be used wants it"
            f" ({desired.broken[app]}); mend it, or delete it"
        )
    if desired.broken:
        other, problem = min(desired.broken.items())
        return (
            f"cannot purge {app}: what {other} requires is not known ({problem});"
            " mend its document, or delete it"
        )
    nameless = next(_nameless(desired), None)
    if nameless:
        return f"cannot purge {app}: a broken file may want it ({nameless}); mend the file first"
    return ""


def _nameless(desired: Desired) -> Iterator[Problem]:
    """Yield what is wrong in files of which nobody can say which apps they want."""
    for problem in desired.problems:
        if problem.app is None and problem.origin.file in desired.broken_files:
            yield problem


def _nothing(remains: Remains) -> str:
    app = remains.app
    if remains.foreign:
        named = ", ".join(remains.foreign)
        return (
            f"cannot purge {app}: {named} is named as its volumes are, and does not carry our"
            f" label; if it is yours to delete: `podman volume rm {' '.join(remains.foreign)}`"
        )
    return f"cannot purge {app}: there is no data of it; `archipelago volumes` lists what there is"


def _dependants(app: str, desired: Desired) -> Iterable[str]:
    return sorted(
        spec.id
        for spec in desired.apps.values()
        if any(r.app == app and not r.optional for r in spec.requires)
    )
