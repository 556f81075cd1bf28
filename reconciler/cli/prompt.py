"""What an app asks for, shown to a person; and the word that is given on it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reconciler.cli.call import Call
from reconciler.cli.on_record import actor, record_if_possible
from reconciler.cli.words import plain
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError
from reconciler.model.permission import Kind, Permission, Risk

if TYPE_CHECKING:
    from reconciler.config import Settings
    from reconciler.core.requests import Request
    from reconciler.model.desired import Desired

_HARM = {Risk.HOST: "; as good as root of this machine", Risk.ELEVATED: "", Risk.BASELINE: ""}


def interactive() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def requests(settings: "Settings", desired: "Desired", apps: Sequence[str]) -> "list[Request]":
    """Return what these apps ask for."""
    from reconciler import wiring
    from reconciler.core.requests import request_of

    written, good = wiring.policy(settings), wiring.good_revisions(settings)
    return [request_of(desired.apps[app], desired, written, good.get(app)) for app in apps]


def agree(
    call: Call,
    asking: "Sequence[Request]",
    accepted: Sequence[str],
    *,
    yes: bool,
    nothing: str,
) -> None:
    """
    Have the word of the operator on all of them, or raise ConfigurationError.

    `nothing` says what does not happen then. A script says what was read: a hash for each app.
    """
    for request in asking:
        if request.denials:
            told = "; ".join(request.denials)
            raise ConfigurationError(f"cannot approve {request.app}: {told}; {nothing}")
    waiting = [request for request in asking if request.missing]
    if not waiting:
        return
    _show(call, waiting)
    if yes or accepted:
        _check(waiting, accepted, nothing, yes=yes)
    elif call.json or not interactive():
        raise ConfigurationError(
            f"cannot ask: nobody is there to answer; {_how(waiting)}; {nothing}",
        )
    elif not typer.confirm("Approve?"):
        raise ConfigurationError(f"It was not approved; {nothing}")


def _show(call: Call, waiting: "Sequence[Request]") -> None:
    for request in waiting:
        for line in lines(request):
            call.tell(line)
    for line in unenforced():
        call.tell(line)


def _check(
    waiting: "Sequence[Request]", accepted: Sequence[str], nothing: str, *, yes: bool
) -> None:
    for request in waiting:
        why = ""
        if not yes:
            why = "a hash alone is no word"
        elif request.hash not in accepted:
            why = "the hash is of something else" if accepted else "--yes alone is no word"
        if why:
            told = f"cannot approve {request.app}: {why}; {_how([request])}; {nothing}"
            raise ConfigurationError(told)


def _how(waiting: "Sequence[Request]") -> str:
    hashes = " ".join(f"--accept-permissions {request.hash}" for request in waiting)
    return f"read it with `archipelago permissions`, then say --yes {hashes}"


def lines(request: "Request") -> Iterator[str]:
    """Yield the request as a person reads it: what is new first, what is known in one line."""
    from reconciler.core.risks import sentence

    yield f"{plain(request.name)} requests:"
    shown = [(p, harm) for p, harm in request.permissions if p in request.asked or _is_big(p)]
    known = [p for p, _ in shown if p not in request.missing and not _is_big(p)]
    for permission, harm in shown:
        if permission not in known:
            yield f"  - {plain(sentence(permission))}{_HARM[harm]}"
    if known:
        yield f"  as before: {plain('; '.join(sentence(p) for p in known))}"


def unenforced() -> "Iterator[str]":
    """Yield what nobody should count on: it is enforced on other machines, and not on this one."""
    from reconciler import wiring

    yield from (f"  not enforced on this machine: {what}" for what in wiring.unenforced())


def _is_big(permission: Permission) -> bool:
    """Room on the disk is for everybody to have, and good to know."""
    return permission.kind is Kind.STORAGE


def write(settings: "Settings", asking: "Sequence[Request]") -> list[Path]:
    """Write down the word on each of them."""
    from reconciler.sources import edit

    now, by = SystemClock().now(), actor()
    files: list[Path] = []
    for request in asking:
        if request.missing:
            told = ", ".join(permission.text for permission in request.asked)
            record_if_possible(settings, "approve", request.app, told)
            word = edit.Word(request.app, by, now, request.asked)
            files.append(edit.approve(settings.desired_state, word))
    return files


def request_document(request: "Request") -> dict[str, Any]:
    """Return a request as JSON."""
    from reconciler.core.risks import sentence

    return {
        "app": request.app,
        "name": request.name,
        "hash": request.hash,
        "approved": not request.missing,
        "denied": list(request.denials),
        "permissions": [
            {
                "permission": permission.text,
                "risk": str(harm),
                "told": sentence(permission),
                "new": permission in request.new,
                "missing": permission in request.missing,
            }
            for permission, harm in request.permissions
        ],
        "gone": [permission.text for permission in request.gone],
    }
