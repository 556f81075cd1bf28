"""What an operator does goes on record as what the loop does: who, which verb, of which app."""

import getpass
from typing import TYPE_CHECKING

import typer

from reconciler.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.config import Settings

EVERY_APP = "*"


def record(
    settings: "Settings", verb: str, app: str, told: str = "", makes: "Sequence[str]" = ()
) -> None:
    """
    Have it on disk before it is done. Raises AuditError: then it must not be done.

    `makes` is what is ours from then on, in the words of the log.
    """
    from reconciler import wiring

    log = wiring.audit_log(settings)
    entry: dict[str, object] = {
        "kind": "operator",
        "actor": actor(),
        "verb": verb,
        "app": app,
        "message": told,
    }
    entry |= {"makes": sorted(makes)}
    log.note({key: value for key, value in entry.items() if value})
    log.close()


def record_if_possible(settings: "Settings", verb: str, app: str, told: str = "") -> None:
    """
    Have it on record, or say that it is not.

    What a verb writes into the desired folder anybody may write who can: it needs no right to the
    log, and the loop has on record what comes of it.
    """
    try:
        record(settings, verb, app, told)
    except AuditError as error:
        typer.echo(f"This is not on record: {error}", err=True)


def actor() -> str:
    """Return who asks: the user, or the one who became root for it."""
    from reconciler.config import environment

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    became = environment().get("SUDO_USER", "")
    return f"{became} as {name}" if became and became != name else name
