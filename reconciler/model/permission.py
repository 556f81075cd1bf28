"""
What an app may do on this machine, one permission at a time, in a canonical form.

The canonical text is what approvals hold and what is hashed; the words that people read are made
of it elsewhere, and may change.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

_HASH_VERSION: Final = "1"


class Risk(StrEnum):
    """How much harm a permission can do. HOST: as much as root of this machine."""

    BASELINE = "baseline"
    ELEVATED = "elevated"
    HOST = "host-root-equivalent"


class Kind(StrEnum):
    """What a permission is about; the first word of its canonical text."""

    PRIVILEGED = "privileged"
    NETWORK = "network"
    EGRESS = "egress"
    PORT = "port"
    CONNECTION = "connection"
    DEVICE = "device"
    CAPABILITY = "capability"
    PATH = "path"
    SYSCTL = "sysctl"
    NEW_PRIVILEGES = "new-privileges"
    SECCOMP = "seccomp"
    APPARMOR = "apparmor"
    FILE = "file"
    DATA = "data"
    SECRET = "secret"  # noqa: S105 - a kind, not a secret
    VOLUME = "volume"
    STORAGE = "storage"
    LIMIT = "limit"


# What may be done with a device, in the one order that is written.
_DEVICE_MODES: Final = frozenset({"r", "w", "m", "rw", "rm", "wm", "rwm"})
_PATH_MODES: Final = frozenset({"ro", "rw"})
_FORMS: Final = {
    Kind.PORT: r"(\[[0-9a-f:.]+\]|[0-9.]+):[0-9]+/(tcp|udp|sctp)",
    Kind.CONNECTION: r"[a-z0-9-]+:[0-9]+",
    Kind.EGRESS: r"internet|lan|none",
    Kind.STORAGE: r"[0-9]{1,18}",
    Kind.LIMIT: r"(memory|processes) ([0-9]{1,18}|none)|cpu ([0-9]{1,9}(\.[0-9]{1,9})?|none)",
}
_ALONE: Final = frozenset({Kind.PRIVILEGED, Kind.NEW_PRIVILEGES})  # say all by their name
_WITH_MODE: Final = frozenset({Kind.PATH, Kind.DEVICE})  # end in how they are used


@dataclass(frozen=True)
class Permission:
    """One permission. `mode` is `ro` or `rw` of a path, and some of `rwm` of a device."""

    kind: Kind
    value: str = ""
    mode: str = ""

    @cached_property
    def text(self) -> str:
        """The canonical text, such as `device /dev/ttyUSB0 rwm`."""
        return " ".join(part for part in (self.kind, self.value, self.mode) if part)


def parse_permission(text: str) -> Permission:
    """Return the permission that a canonical text says. Raises ValueError."""
    word, _, rest = text.partition(" ")
    kind = Kind(word)
    value, mode = rest, ""
    if kind in _WITH_MODE:
        value, _, mode = rest.rpartition(" ")
        if mode not in (_PATH_MODES if kind is Kind.PATH else _DEVICE_MODES):
            raise ValueError(f"`{text}` does not end in how it is used")
    if (not value) is not (kind in _ALONE):
        raise ValueError(f"`{text}` is not complete" if not value else f"`{text}` says too much")
    form = _FORMS.get(kind)
    if form is not None and re.fullmatch(form, value) is None:
        raise ValueError(f"`{value}` is no {kind}")
    return Permission(kind, value, mode)


def permission_hash(permissions: Iterable[Permission]) -> str:
    """Return what stands for a list of permissions: a version, a dash, and 64 hex digits."""
    texts = sorted({permission.text for permission in permissions})
    return f"{_HASH_VERSION}-{hashlib.sha256(chr(10).join(texts).encode()).hexdigest()}"
