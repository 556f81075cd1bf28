"""The folders of an add-on: its own data, and those that Home Assistant shares among all."""

from typing import Final

from reconciler.importing.given import Given
from reconciler.importing.ledger import mapping_of
from reconciler.importing.tree import Leaf, Section, listed
from reconciler.importing.work import Work

_TARGETS: Final = {
    "config": "/config",
    "homeassistant_config": "/homeassistant",
    "addon_config": "/config",
    "app_config": "/config",
    "all_addon_configs": "/addon_configs",
    "all_app_configs": "/addon_configs",
    "addons": "/addons",
    "local_apps": "/addons",
    "ssl": "/ssl",
    "share": "/share",
    "media": "/media",
    "backup": "/backup",
    "data": "/data",
}
_OWN: Final = frozenset({"addon_config", "app_config", "data"})
_OF_HOME_ASSISTANT: Final = frozenset(
    [
        "config",
        "homeassistant_config",
        "all_addon_configs",
        "all_app_configs",
        "addons",
        "local_apps",
        "backup",
    ]
)


def carry_map(given: Given, container: Section, work: Work) -> None:
    """Write the mapped folders as volumes of the app's own; what they share is told."""
    for entry in given.entries():
        name, target, is_written = _long(entry) if entry.is_mapping else _short(entry)
        if is_written is None:
            entry.not_carried("a folder is mapped as `ro` or as `rw`")
            continue
        if name not in _TARGETS:
            entry.not_carried(f"the folder `{name[:40]}` is not known")
            continue
        if name in _OF_HOME_ASSISTANT:
            hint = "write a volume of `type: bind`, where that folder is on this machine"
            entry.not_carried("the folder is Home Assistant's own, and is not here", hint)
            continue
        written: Section = {"name": name.replace("_", "-"), "target": target or _TARGETS[name]}
        if not is_written:
            written["options"] = ["ro"]
        listed(container, "volumes").append(Leaf(written, entry.path))
        if name not in _OWN:
            message = f"`{name}` is a volume of the app's own: other apps do not see it"
            entry.changed(message, "write a volume of `type: bind` where it has to be shared")
    del work


def _short(entry: Given) -> tuple[str, str, bool | None]:
    name, _, mode = (entry.closed_text() or "").partition(":")
    return name.strip(), "", {"": False, "ro": False, "rw": True}.get(mode.strip())


def _long(entry: Given) -> tuple[str, str, bool | None]:
    kind, path, read_only = entry.get("type"), entry.get("path"), entry.get("read_only")
    name = (kind.closed_text() or "") if kind is not None else ""
    target = (path.closed_text() or "") if path is not None else ""
    is_read_only = read_only.boolean() if read_only is not None else True
    return name, target, is_read_only is False


def add_data(root: Given, container: Section) -> None:
    """Add the volume that every add-on has."""
    volumes = listed(container, "volumes")
    mounts = [mapping_of(leaf.value) or {} for leaf in volumes if isinstance(leaf, Leaf)]
    if not any(mount.get("target") == "/data" for mount in mounts):
        volumes.insert(0, Leaf({"name": "data", "target": "/data"}, root.path))
