"""Limits: of memory, processors and processes, at the service or under `deploy`."""

from typing import Final

from reconciler.importing.given import Given
from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.volumes import size_text
from reconciler.importing.work import Work

_NO_LIMIT: Final = frozenset({"0", "-1", "0m", "0M", "0b", "0.0", "unlimited"})
_GPU: Final = (
    "a graphics card is not handed out by its driver here",
    "give the device itself under `devices`, for example /dev/dri",
)
_ONE: Final = "an app runs once on this machine"


def carry_memory(given: Given, container: Section, work: Work) -> None:
    """Write the most memory."""
    del work
    _size(given, container, "memory_limit")


def carry_reservation(given: Given, container: Section, work: Work) -> None:
    """Write the memory that is kept free."""
    del work
    _size(given, container, "memory_reservation")


def carry_cpus(given: Given, container: Section, work: Work) -> None:
    """Write the most processors."""
    del work
    text = given.closed_text()
    if text in _NO_LIMIT:
        given.ledger.fates.pop(given.path, None)
        given.neutral()
    elif text is not None:
        part(container, "resources")["cpu_limit"] = Leaf(text, given.path)


def carry_pids(given: Given, container: Section, work: Work) -> None:
    """Write the most processes."""
    del work
    number = given.integer()
    if number is not None and number > 0:
        part(container, "resources")["pids_limit"] = Leaf(number, given.path)
    elif number is not None:
        given.not_carried("the number of processes has a limit here, always")


def _size(given: Given, container: Section, key: str) -> None:
    text = given.closed_text()
    if text in _NO_LIMIT:
        given.ledger.fates.pop(given.path, None)
        given.neutral()
    elif text is not None:
        part(container, "resources")[key] = Leaf(size_text(text), given.path)


def carry_deploy(given: Given, container: Section, work: Work) -> None:
    """Write what `deploy` says of limits; the rest is for many machines."""
    for key, value in given.pairs():
        match key:
            case "resources":
                _resources(value, container, work)
            case "replicas":
                if value.integer() not in {None, 1}:
                    value.not_carried(_ONE)
            case "mode" if value.value == "replicated":
                value.neutral()
            case "restart_policy":
                _restart_policy(value, container)
            case "labels" | "placement" | "update_config" | "rollback_config" | "endpoint_mode":
                value.neutral()
            case _:
                value.not_carried("it is for many machines, and this is one")


def _resources(given: Given, container: Section, work: Work) -> None:
    if limits := given.get("limits"):
        carriers = {"memory": carry_memory, "cpus": carry_cpus, "pids": carry_pids}
        for key, value in limits.pairs():
            if key in carriers and not value.is_empty:
                carriers[key](value, container, work)
    if reserved := given.get("reservations"):
        for key, value in reserved.pairs():
            match key:
                case "memory" if not value.is_empty:
                    carry_reservation(value, container, work)
                case "cpus":
                    value.neutral()
                case "devices" | "generic_resources":
                    value.not_carried(*_GPU)
                case _:
                    continue


def _restart_policy(given: Given, container: Section) -> None:
    for key, value in given.pairs():
        match key:
            case "condition":
                word = {"none": "no", "on-failure": "on-failure", "any": "always"}.get(
                    value.closed_text() or "",
                )
                if word is None:
                    value.not_carried("this is not a condition for a restart")
                else:
                    container.setdefault("restart", Leaf(word, value.path))
            case _:
                value.not_carried("a pause and a number of tries are chosen by the reconciler")
