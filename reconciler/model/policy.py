"""The operator's policy: what no manifest and no approval can get around."""

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Review(StrEnum):
    """What needs the operator's word: everything, what is beyond the baseline, or nothing."""

    ALL = "all"
    ELEVATED = "elevated"
    NONE = "none"


class Revoked(StrEnum):
    """What becomes of an app that runs with what is not approved any more."""

    KEEP = "keep"
    STOP = "stop"


class Limit(StrEnum):
    """A limit that a rule can ask for."""

    CPU = "cpu"
    MEMORY = "memory"
    PIDS = "pids"


class Rule(Struct, frozen=True):
    """
    One rule; a part that is empty says nothing, and `but` are apps that it does not hold for.

    `registries` are all that images may come from, each a host, with or without the beginning of a
    path. `never_paths` are folders of the machine with all that is below and around them.
    """

    name: str
    registries: tuple[str, ...] = ()
    never_capabilities: tuple[str, ...] = ()
    never_paths: tuple[str, ...] = ()
    never_privileged: bool = False
    limits: tuple[Limit, ...] = ()
    but: tuple[str, ...] = ()


class Policy(Struct, frozen=True):
    """
    Its rules in the order of the file. `unreadable` says why nothing is known of it.

    `file` is where it is written; empty where there is none, and nothing is ruled.
    """

    file: str = ""
    rules: tuple[Rule, ...] = ()
    review: Review = Review.ELEVATED
    revoked: Revoked = Revoked.KEEP
    unreadable: str = ""


NO_POLICY: Final = Policy()
