"""Small pieces of text for people. Pure."""

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches

PIPE_WIDTH = 200  # where nobody looks, lines are for grep
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def age(since: datetime | None, now: datetime) -> str:
    """Return for example `42s`, `5m`, `3h` or `12d`."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
        if seconds >= length * (2 if unit == "d" else 1):
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def plain(text: str) -> str:
    """Return the text without what could steer a terminal: it may come from anywhere."""
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def counted(number: int, thing: str) -> str:
    """Return for example `1 app`, `2 apps` or `2 entries`."""
    if number == 1:
        return f"{number} {thing}"
    return f"{number} {thing[:-1]}ies" if thing.endswith("ry") else f"{number} {thing}s"


def unknown_app(app: str, known: Iterable[str]) -> str:
    """Say that there is no such app, and which one may be meant."""
    names = sorted(set(known))
    near = get_close_matches(app, names, n=3)
    if near:
        return f"cannot find the app `{app}`: did you mean {' or '.join(near)}?"
    there = ", ".join(names) or "none"
    return (
        f"cannot find the app `{app}`: there are {there}"
        if names
        else (f"cannot find the app `{app}`: there are no apps")
    )
