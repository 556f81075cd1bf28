"""
Which numbers of this machine stand for the users in an app's containers.

Always the same ones for an app: files in its volumes belong to them, and Podman's own way
(`--userns=auto`) gives others to each container, at each creation. Of the range that is Podman's
for this, named `containers` in /etc/subuid and /etc/subgid, each app has a part by its name.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from reconciler.errors import DriverRejected
from reconciler.model.container import ContainerSpec

USERS = 65536  # of an app: as many as images count on
OWNER = "containers"
_HINT = f"{OWNER}:2147483648:1073741824"


class Users(Struct, frozen=True):
    """The numbers outside that root and its group inside stand for; the others follow them."""

    first_user: int
    first_group: int


UsersOf = Callable[[ContainerSpec], Users | None]


def users_of(instance: str, *, rootful: bool, etc: Path = Path("/etc")) -> UsersOf:
    """
    Return who tells an app's numbers; None where its users are the machine's.

    It raises DriverRejected where there are none. An ordinary user's containers need none: root in
    them is that user.
    """

    def found(container: ContainerSpec) -> Users | None:
        if container.userns != "auto" or not rootful:
            return None
        key = f"{instance}/{container.app}"
        users, groups = (_first(etc / name, key) for name in ("subuid", "subgid"))
        if users and groups:
            return Users(users, groups)
        raise DriverRejected(
            f"cannot create {container.container_name}: its manifest wants users of its own"
            f" (`userns: auto`), and {etc}/subuid and subgid give `{OWNER}` no {USERS} numbers;"
            f" write `{_HINT}` into both, or remove it"
        )

    return found


def _first(file: Path, key: str) -> int:
    """Return where an app's part begins; 0 where there is none. Two may have the same part."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    ranges = [line.split(":")[1:] for line in lines if line.startswith(f"{OWNER}:")]
    usable = [(int(r[0]), int(r[1]) // USERS) for r in ranges if _is_range(r)]
    if not usable or not usable[0][1]:
        return 0
    first, parts = usable[0]
    chosen = int(hashlib.sha256(key.encode()).hexdigest(), 16) % parts
    return first + chosen * USERS


def _is_range(fields: list[str]) -> bool:
    """Whether these are two numbers, and none of them is root's."""
    return len(fields) == 2 and all(f.isdecimal() and int(f) > 0 for f in fields)  # noqa: PLR2004 - subuid(5)
