"""One item of Podman's list of containers, as ours; and what its state words mean. Pure."""

import re
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace

from reconciler.model import labels
from reconciler.model.adoption import Adopted
from reconciler.model.observed import ContainerState, ObservedContainer

Json = dict[str, Any]
_FRACTION = re.compile(r"\.(\d{1,6})\d*")
_DEFAULT_GRACE = 10.0  # of a container whose label nobody can read
_ADOPTED = tuple(field.name for field in fields(Adopted))
_NEEDED = (labels.APP, labels.CONTAINER, labels.DIGEST)


class Listed(Struct, frozen=True):
    """A container as listed: what it is, and what Podman believes of its process."""

    container: ObservedContainer
    word: str  # Podman's own word for the state
    instance: str

    @property
    def ref(self) -> str:
        """Its id."""
        return self.container.ref

    @property
    def name(self) -> str:
        """Its name."""
        return self.container.container_name


def parse_item(item: Json) -> Listed:
    """Read an item of GET /containers/json."""
    marks: dict[str, str] = item.get("Labels") or {}
    word = str(item.get("State", ""))
    ended = word in {"exited", "stopped"}
    finished_at = _epoch(item.get("ExitedAt"))
    container = ObservedContainer(
        ref=item["Id"],
        container_name=(item.get("Names") or [""])[0],
        app=marks.get(labels.APP, ""),
        container=marks.get(labels.CONTAINER, ""),
        digest=marks.get(labels.DIGEST, ""),
        state=state_of(word, process=True, watched=True),
        image=marks.get(labels.IMAGE) or item.get("Image") or "",
        image_id=item.get("ImageID") or "",
        image_digest=marks.get(labels.IMAGE_DIGEST, ""),
        pid=int(item.get("Pid") or 0),
        exit_code=int(item.get("ExitCode") or 0) if ended else None,
        created_at=moment(item.get("Created")),
        started_at=_epoch(item.get("StartedAt")),
        finished_at=finished_at if ended else None,
        networks=tuple(sorted(item.get("Networks") or ())),
        requires=tuple(part for part in marks.get(labels.REQUIRES, "").split(",") if part),
        secrets=tuple(part for part in marks.get(labels.SECRETS, "").split(",") if part),
        source=marks.get(labels.SOURCE, ""),
        stop_grace_period=_seconds(marks.get(labels.STOP_GRACE_PERIOD)),
    )
    return Listed(container, word, marks.get(labels.INSTANCE, ""))


def is_ours(item: Json, instance: str) -> bool:
    """Whether it carries our instance and every label that says what it is."""
    marks: dict[str, str] = item.get("Labels") or {}
    return marks.get(labels.INSTANCE) == instance and all(marks.get(n) for n in _NEEDED)


def is_marked(item: Json) -> bool:
    """Whether it carries anybody's instance: then it is theirs, whatever an inventory says."""
    marks: dict[str, str] = item.get("Labels") or {}
    return bool(marks.get(labels.INSTANCE))


def as_adopted(listed: Listed, adopted: Adopted, instance: str) -> Listed:
    """Return a container without our labels as what the inventory says of it."""
    container = replace(
        listed.container,
        **{key: getattr(adopted, key) for key in _ADOPTED},
    )
    return replace(listed, container=container, instance=instance)


def state_of(word: str, *, process: bool, watched: bool) -> ContainerState:
    """
    Say what a state word of Podman's means, given the process itself.

    `watched`: whether conmon is there, and so whether Podman will hear of the end.
    """
    match word:
        case "created" | "configured":
            return ContainerState.CREATED
        case "initialized":
            # Made, and stopped short of its start; with its process gone it cannot be started.
            return ContainerState.CREATED if process else ContainerState.BROKEN
        case "exited":
            return ContainerState.EXITED
        case "stopped":
            # Not cleaned up yet: by conmon in a moment, or by a `podman rm` that is under way and
            # would remove what we start now.
            return ContainerState.ENDING if watched else ContainerState.EXITED
        case "running" | "paused" if process:
            return ContainerState.RUNNING if word == "running" else ContainerState.PAUSED
        case "stopping" if process:
            return ContainerState.ENDING
        case "running" | "paused" | "stopping":
            return ContainerState.ENDING if watched else ContainerState.LOST
        case _:
            return ContainerState.BROKEN


def needs_process(word: str) -> bool:
    """Whether the state depends on the process."""
    return word in {"running", "paused", "stopping", "stopped", "initialized"}


def after_inspect(listed: Listed, inspected: Json, *, process: bool, watched: bool) -> Listed:
    """Return the container as one inspection of it saw it."""
    state: Json = inspected.get("State") or {}
    word = str(state.get("Status") or listed.word)
    ended = word in {"exited", "stopped"}
    container = replace(
        listed.container,
        state=state_of(word, process=process, watched=watched),
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0) if ended else None,
        finished_at=moment(state.get("FinishedAt")) if ended else None,
    )
    return replace(listed, container=container, word=word)


def moment(text: object) -> datetime | None:
    """Read a time as Podman writes it, with nanoseconds; year 1 means never."""
    if not isinstance(text, str) or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(_FRACTION.sub(r".\1", text)).astimezone(UTC)
    except ValueError:
        return None


def _epoch(seconds: object) -> datetime | None:
    if not isinstance(seconds, int) or seconds <= 0:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return _DEFAULT_GRACE
