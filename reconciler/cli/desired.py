"""What the verbs that write need to know of the desired directory."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.call import Call
from reconciler.cli.on_record import actor
from reconciler.cli.words import unknown_app
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from reconciler.committing import Kept, Place
    from reconciler.config import Settings
    from reconciler.model.snapshot import Snapshot


def read(settings: "Settings") -> "Snapshot":
    """Return all documents; ConfigurationError where the directory itself cannot be read."""
    from reconciler import wiring

    if not settings.desired_state.is_dir():
        raise ConfigurationError(
            f"cannot use the desired state: there is no folder {settings.desired_state}; "
            "name the right one with --desired-state",
        )
    snapshot = wiring.documents(settings.desired_state)
    if not snapshot.complete:
        raise ConfigurationError(
            f"cannot use the desired state: {snapshot.incomplete_because}; "
            "name the right folder with --desired-state",
        )
    return snapshot


def wanted(snapshot: "Snapshot") -> set[str]:
    """Return the ids of all apps that some document wants."""
    from reconciler.core.catalogue import by_app

    return {*by_app(snapshot.documents)}


def check_wanted(snapshot: "Snapshot", app: str) -> None:
    """Raise ConfigurationError unless a good document wants the app."""
    known = wanted(snapshot)
    if app in known:
        return
    for problem in snapshot.problems:
        if problem.app == app:
            raise ConfigurationError(
                f"cannot change {app}: its document cannot be used: {problem}; mend or delete it",
            )
    raise ConfigurationError(unknown_app(app, known))


def files_of(snapshot: "Snapshot", app: str) -> list[Path]:
    """Return the files in which the app is spoken of, each once."""
    return sorted({Path(d.origin.file) for d in snapshot.documents if d.app == app})


def suspended_in_install(snapshot: "Snapshot", app: str) -> Iterator[str]:
    """Yield where an `install:` document says that the app is suspended."""
    from reconciler.model.manifest.verbs import InstallManifest

    for document in snapshot.documents:
        manifest = document.manifest
        if isinstance(manifest, InstallManifest) and document.app == app and manifest.suspend:
            yield str(document.origin)


def waits(snapshot: "Snapshot", now: datetime, *, removal: bool = False) -> str:
    """Say that all apps are suspended, where that keeps what was asked for from happening now."""
    from reconciler.core.suspension import EVERY, in_force, told, written
    from reconciler.model.desired import Desired

    documents = (*snapshot.documents, *snapshot.last_good)
    word = in_force(Desired(suspensions=written(documents)), EVERY, now)
    if word is None or (removal and not word.keep_running):
        return ""
    said = told(word.until, keep_running=word.keep_running)
    return f"That waits: everything is {said}; `archipelago resume --all` ends it."


def kept_document(kept: "Kept") -> dict[str, str | None]:
    """Return what became of what was written, as JSON."""
    return {"commit": kept.commit or None, "notice": kept.notice}


@contextmanager
def written(call: Call) -> "Generator[Place]":
    """Yield where a verb writes the desired state, and what keeps it."""
    from reconciler import wiring

    with wiring.writing(call.settings(), actor()) as place:
        yield place
