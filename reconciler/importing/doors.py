"""The page of an app, as an interface: the container port behind a published one."""

from typing import cast

from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.work import Work
from reconciler.model.manifest.complaint import Path

_LAST_PORT = 65535


def add_door(
    work: Work, main: str | None, port: str, address: tuple[str, str], path: Path
) -> bool:
    """Write the interface `main`, where the port is known; `address` is scheme and path."""
    number = int(port) if port.isdecimal() and port.isascii() else _first_port(work, main)
    if number is None or not 1 <= number <= _LAST_PORT:
        return False
    scheme, page = address
    door: Section = {
        "name": "Web UI",
        "type": "ui",
        "port": _behind(work, main, number),
        "protocol": scheme,
    }
    if page.strip("/"):
        door["path"] = page if page.startswith(("/", "?", "#")) else f"/{page}"
    part(work.app, "interfaces")["main"] = Leaf(door, path)
    return True


def _ports(work: Work, main: str | None) -> list[Section]:
    containers = cast("dict[str, Section]", work.app.get("containers", {}))
    names = [main, *(n for n in containers if n != main)] if main else list(containers)
    leaves = [leaf for n in names if n in containers for leaf in _leaves(containers[n])]
    return [cast("Section", leaf.value) for leaf in leaves]


def _leaves(container: Section) -> list[Leaf]:
    return cast("list[Leaf]", container.get("ports", []))


def _first_port(work: Work, main: str | None) -> int | None:
    return next((cast("int", port["host"]) for port in _ports(work, main)), None)


def _behind(work: Work, main: str | None, host: int) -> int:
    """Return the container port that a port of the machine leads to."""
    found = (cast("int", p["container"]) for p in _ports(work, main) if p["host"] == host)
    return next(found, host)
