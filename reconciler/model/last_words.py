"""Whose log to read the end of, and what of it nobody may see."""

from msgspec import Struct

from reconciler.model.secret import SecretRef


class LogEnd(Struct, frozen=True):
    """
    A container that keeps ending: `exit_code` is None while it runs.

    `secrets` are all that it was given, `hidden` what else must not be shown.
    """

    exit_code: int | None
    secrets: tuple[SecretRef, ...] = ()
    hidden: tuple[str, ...] = ()
