"""
Which directories get a label of SELinux with which containers may use them. One place decides.

Podman labels the volumes that it makes. A directory of the machine it leaves as it is, and then
SELinux refuses it to every container. Ours are labelled, so that all of an app's containers share
them; others only by the word of the manifest (`z`, or `Z` for one container alone), since a label
takes them away from whoever else has them. Memory needs none.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

ENABLED = Path("/sys/fs/selinux")
SHARED = "z"
_WORDS = frozenset({"z", "Z"})

Mount = dict[str, object]


def labelled(mounts: Sequence[Mount], own: Sequence[Path]) -> list[Mount]:
    """Return the mounts of a create request, with the label asked for where it is ours to give."""
    return [_labelled(mount) if _is_ours(mount, own) else mount for mount in mounts]


def _is_ours(mount: Mount, own: Sequence[Path]) -> bool:
    """Resolved, so that no link that an app laid has us label what is not its own."""
    if mount["type"] != "bind" or _WORDS & set(_options(mount)):
        return False
    source = Path(str(mount["source"])).resolve()
    return any(place.resolve() in (source, *source.parents) for place in own)


def _labelled(mount: Mount) -> Mount:
    return {**mount, "options": [*_options(mount), SHARED]}


def _options(mount: Mount) -> list[str]:
    return cast("list[str]", mount["options"])
