"""
What an entry says. Pure.

Kinds: `begin` and `end` of an act, `decision`, `operator` (a verb that changed something), `start`
and `stop` of a loop, `found` (what was there before the log), and of the log itself `key`,
`continued` (a new file), `cut` (a half-written line of a crash) and `missed`.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from reconciler.model.change import (
    Change,
    CreateContainer,
    EnsureNetwork,
    EnsureSecret,
    EnsureVolume,
    Isolate,
    Outcome,
    PrepareImage,
    Step,
)
from reconciler.model.step_words import describe
from reconciler.report.event import Event
from reconciler.report.moments import to_text

Entry = Mapping[str, Any]

LOOP = "loop"
FIRST = "0" * 64  # what the first entry has for the hash of the one before


def line(entry: Entry, number: int, before: str, at: datetime) -> bytes:
    """Return an entry as it is written, without its end of line; `before` is the last one's."""
    whole = {"seq": number, "prev": before, "at": to_text(at), **entry}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def began(change: Change) -> Entry:
    """Return what is on record before an act."""
    told = {
        "kind": "begin",
        "actor": LOOP,
        "app": change.app,
        "action": str(change.action),
        "reason": str(change.reason),
        "message": change.message,
        "digest": change.digest,
        "images": sorted({image for step in change.steps for image in _images(step)}),
        "steps": [describe(step) for step in change.steps],
        "makes": sorted({thing for step in change.steps for thing in _makes(step)}),
    }
    known = {key: value for key, value in told.items() if value not in ("", [])}
    return {**known, **dict(change.basis)}


def ended(outcome: Outcome, of: int | None) -> Entry:
    """Return what is on record after an act that began in entry `of`."""
    seconds = (outcome.ended_at - outcome.began_at).total_seconds()
    told = {
        "kind": "end",
        "actor": LOOP,
        "of": of,
        "app": outcome.change.app,
        "action": str(outcome.change.action),
        "result": str(outcome.result),
        "message": outcome.message,
        "steps_done": outcome.steps_done,
        "seconds": round(seconds, 3),
        "containers": dict(outcome.made),
    }
    return {key: value for key, value in told.items() if value not in ("", None, {})}


def decided(event: Event) -> Entry:
    """Return what is on record of what the loop will do to an app, why it will not, or found."""
    return {
        "kind": "decision",
        "actor": LOOP,
        "app": event.app,
        "about": str(event.kind),
        "reason": event.reason,
        "message": event.message,
    }


def _images(step: Step) -> Iterator[str]:
    if isinstance(step, PrepareImage):
        yield f"{step.container.image}{'@' if step.container.pin else ''}{step.container.pin}"


def _makes(step: Step) -> Iterator[str]:
    """What is of this instance, and there after the step, has to be explained by an entry."""
    match step:
        case EnsureNetwork(network):
            yield f"network {network.name}"
        case EnsureVolume(volume):
            yield f"volume {volume.name}"
        case EnsureSecret(secret):
            yield f"secret {secret.app}/{secret.name}"
        case CreateContainer(container):
            yield f"container {container.container_name}"
        case Isolate(isolation):
            yield f"rules {isolation.app}"
        case _:
            return
