"""
What Podman's refusals mean to us, and in words that stay the same while the problem does.

Pure. Ids, addresses and repeated causes are taken out of its messages; nothing is ever added.
"""

import json
import re
from collections.abc import Iterable
from typing import cast

from reconciler.errors import DriverConflict, DriverError, DriverRejected, DriverUnavailable

LONGEST = 400
PORT_TAKEN = re.compile(r"address already in use|port is already allocated", re.IGNORECASE)
_FLAPPING = (
    (re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b"), r"\1"),
    (re.compile(r"\bdial (?:tcp|udp)[46]? \S+: "), ""),
    (re.compile(r"\b(?:read|write) (?:tcp|udp)[46]? \S+->\S+: "), ""),
    (re.compile(r"\blookup (\S+) on \S+:53: "), r"lookup \1: "),
    (re.compile(r"\s+"), " "),
)


def refusal(what: str, status: int, text: str) -> DriverError:
    """Translate a reply of 400 and above to `cannot {what}`."""
    message = f"cannot {what}: {tidy(said(text))}"
    if status in {502, 503, 504}:
        return DriverUnavailable(message)
    if status in {404, 409}:
        return DriverConflict(message)
    return DriverRejected(message)


def said(text: str) -> str:
    """Return the message in a reply's body."""
    try:
        body: object = json.loads(text)
    except ValueError:
        return text
    if isinstance(body, dict):
        fields = cast("dict[str, object]", body)
        for key in ("message", "cause", "error"):
            value = fields.get(key)
            if isinstance(value, str) and value:
                return value
    return text


def tidy(message: str) -> str:
    """Return a message without what changes from time to time, on one line, bounded."""
    for pattern, instead in _FLAPPING:
        message = pattern.sub(instead, message)
    parts = message.strip().split(": ")
    kept = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    message = ": ".join(kept).rstrip(".")
    return message if len(message) <= LONGEST else message[: LONGEST - 2] + " …"


def without(message: str, secrets: Iterable[str]) -> str:
    """Return a message with every value in it that may be a secret covered."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 3:  # noqa: PLR2004 - shorter ones are words like "yes", not secrets
            message = message.replace(secret, "***")
    return message


def which_port(name: str, message: str) -> str:
    """Return what to tell of a port that somebody else has."""
    found = re.search(r":(\d+)\b(?=[^:]*(?:: (?:bind|listen))?.*already)", message)
    port = f"port {found[1]}" if found else "one of its ports"
    return (
        f"cannot start {name}: {port} is in use;"
        " choose another host port, or stop what listens there"
    )
