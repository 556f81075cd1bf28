"""What a service may do: capabilities, devices, the network of the machine, other users."""

from typing import Final

from reconciler.importing.given import Given
from reconciler.importing.tree import Leaf, Section, listed, part
from reconciler.importing.work import Work
from reconciler.model.manifest.complaint import Path

DEFAULT_CAPABILITIES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
_ROOT: Final = frozenset({"0", "root", "0:0", "root:root", "0:root"})
_ALL_PERMISSIONS: Final = frozenset("rwm")


def carry_privileged(given: Given, container: Section, work: Work) -> None:
    """Write that a container is not confined at all."""
    del work
    if given.boolean():
        part(container, "security")["privileged"] = Leaf(value=True, source=given.path)
        given.permission("is not confined: it can do anything on the machine")


def carry_capabilities(given: Given, container: Section, work: Work) -> None:
    """Write the capabilities that are added; all others are dropped."""
    del work
    for entry in given.entries():
        if (text := entry.closed_text()) is None:
            continue
        name = text.upper().removeprefix("CAP_")
        listed(part(container, "security"), "capabilities").append(Leaf(name, entry.path))
        entry.permission(f"has the capability {name[:40]}")


def add_default_capabilities(service: Given, container: Section) -> bool:
    """Add what the engine of Compose gives to everybody, unless the service does without."""
    user, drop = service.get("user"), service.get("cap_drop")
    name = user.value if user is not None else ""
    if isinstance(name, str) and name and name not in _ROOT:
        return False
    dropped = _dropped(drop)
    if "ALL" in dropped:
        return False
    capabilities = listed(part(container, "security"), "capabilities")
    have = {leaf.value for leaf in capabilities if isinstance(leaf, Leaf)}
    for name in DEFAULT_CAPABILITIES:
        if name not in have | dropped:
            capabilities.append(Leaf(name, service.path))
    return True


def _dropped(drop: Given | None) -> set[str]:
    entries = drop.entries() if drop is not None and drop.is_list else []
    return {str(entry.value).upper().removeprefix("CAP_") for entry in entries}


def carry_devices(given: Given, container: Section, work: Work) -> None:
    """Write the devices that are handed in."""
    del work
    for entry in given.entries():
        device = _long(entry) if entry.is_mapping else _short(entry)
        if device is None:
            continue
        if not str(device.get("path")).startswith("/"):
            entry.not_carried("devices of a driver (CDI) are not handed out here")
            continue
        simple = device["path"] if len(device) == 1 else device
        listed(container, "devices").append(Leaf(simple, entry.path))
        entry.permission(f"uses the device `{device['path']}`")


def _short(entry: Given) -> Section | None:
    text = entry.closed_text()
    if text is None:
        return None
    source, _, rest = text.partition(":")
    target, _, permissions = rest.partition(":")
    return _device(source, target, permissions)


def _long(entry: Given) -> Section:
    keys = ("source", "target", "permissions")
    texts = [(found.closed_text() or "") if (found := entry.get(key)) else "" for key in keys]
    return _device(*texts)


def _device(source: str, target: str, permissions: str) -> Section:
    device: Section = {"path": source.rstrip("/")}
    if target and target.rstrip("/") != device["path"]:
        device["target"] = target
    if permissions and frozenset(permissions) != _ALL_PERMISSIONS:
        device["permissions"] = "".join(letter for letter in "rwm" if letter in permissions)
    return device


def carry_security_options(given: Given, container: Section, work: Work) -> None:
    """Write options of the engine's security; those that only take away are ours already."""
    del work
    security = part(container, "security")
    for entry in given.entries():
        text = entry.closed_text()
        if text is None:
            continue
        name, _, value = text.replace("=", ":", 1).partition(":")
        match name, value:
            case "no-new-privileges", "" | "true":
                continue
            case "no-new-privileges", _:
                security["no_new_privileges"] = Leaf(value=False, source=entry.path)
                entry.permission("may gain rights by programs that give them (setuid)")
            case "seccomp", "unconfined":
                security["seccomp_profile"] = Leaf("unconfined", entry.path)
                entry.permission("may make any system call: no seccomp filter")
            case "apparmor", "unconfined":
                security["apparmor_profile"] = Leaf("unconfined", entry.path)
                entry.permission("is not confined by AppArmor")
            case "apparmor", _:
                entry.not_carried(
                    "its AppArmor profile is of another machine; ours is made for it"
                )
            case _:
                entry.not_carried("this security option has no counterpart")


def use_host_network(path: Path, work: Work, what: str) -> None:
    """Write that the whole app is in the machine's network."""
    part(work.app, "security")["network_policy"] = Leaf("host", path)
    message = f"{what} shares the machine's network: it reaches, and opens, every port"
    work.ledger.permission(path, message)
