"""
Podman's settings file: where its layers are, how they merge, and how one is written.

Its TOML is plain (tables of strings, figures, booleans and lists), so writing it takes a page.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

Table = dict[str, object]


def files(environment: Mapping[str, str], *, root: bool) -> list[Path]:
    """Every layer that Podman would read, the weakest first."""
    bases = [Path("/usr/share/containers"), Path("/etc/containers")]
    if not root:
        home = Path(environment.get("HOME", "/"))
        bases.append(Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers")
    found: list[Path] = []
    for base in bases:
        found.append(base / "containers.conf")
        found.extend(sorted((base / "containers.conf.d").glob("*.conf")))
    return [path for path in found if path.is_file()]


def merge(below: Table, above: Mapping[str, object]) -> None:
    """Lay `above` over `below`: tables key by key, anything else whole."""
    for key, value in above.items():
        present = below.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            merge(cast("Table", present), cast("Table", value))
        else:
            below[key] = value


def other_ulimits(base: Mapping[str, object], ours: set[str]) -> list[str]:
    """Return the limits of the layers below that we do not set ourselves."""
    containers = base.get("containers")
    listed = cast("Table", containers).get("default_ulimits") if containers else None
    if not isinstance(listed, list):
        return []
    limits = [str(limit) for limit in cast("list[object]", listed)]
    return [limit for limit in limits if limit.split("=")[0] not in ours]


def render(table: Mapping[str, object], prefix: str = "") -> str:
    """Write `table` as TOML, its own keys first, then the tables in it."""
    lines: list[str] = []
    deeper: list[str] = []
    for key, value in table.items():
        name = json.dumps(key) if not key.replace("_", "").isalnum() else key
        if isinstance(value, dict):
            inner = render(cast("Table", value), f"{prefix}{name}.")
            header = f"[{prefix}{name}]\n"
            deeper.append(f"{header}{inner}")
        else:
            lines.append(f"{name} = {_value(value)}\n")
    return "".join(lines) + "".join(deeper)


def write(path: Path, text: str) -> None:
    """
    Put `text` at `path` at once: a Podman that starts meanwhile reads all of it or the old.

    Where it is there already nothing is written, so that a full disk does not matter.
    """
    if _holds(path, text):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".conf-", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(text)
            file.flush()
        except OSError:
            new.unlink()
            raise
    new.chmod(0o644)
    new.replace(path)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in cast("list[object]", value)) + "]"
    # JSON's strings, figures and booleans are TOML's as well.
    return json.dumps(value, ensure_ascii=False)
