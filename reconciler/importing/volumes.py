"""Mounts: the app's own folders become volumes, other paths of the machine stay, and are told."""

import re
from typing import Final

from msgspec import Struct, field

from reconciler.importing.given import Given
from reconciler.importing.tree import Leaf, Section, listed
from reconciler.importing.work import Work

CASAOS: Final = "/DATA/AppData/"
_FILE: Final = re.compile(
    r"[^/]+\.(?:ya?ml|json5?|conf|cfg|cnf|config|toml|ini|env|xml|txt|sh|js|ts|py|php|lua|rb|sql"
    r"|db|sqlite3?|log|pem|crt|cer|key|pub|html|css|properties|rc|htpasswd|list|csv|rules|xsl"
    r"|template|tpl|te?mpl|json\.tpl|Caddyfile)|Caddyfile|Dockerfile|\.env|\.htpasswd",
    re.IGNORECASE,
)
_FILE_HINT: Final = "put its content under `files:`, below a volume, or mount its folder"
_SLASHES: Final = re.compile("/{2,}")
_OPTIONS: Final = {
    **{name: name for name in ("rw", "ro", "z", "Z", "U", "exec", "noexec", "suid", "nosuid")},
    **{name: name for name in ("dev", "nodev", "noatime", "shared", "rshared", "slave")},
    **{name: name for name in ("rslave", "private", "rprivate")},
}
_NO_MEANING: Final = frozenset({"cached", "delegated", "consistent", "default", "nocopy", "rbind"})
_DANGEROUS: Final = {
    "/var/run/docker.sock": "gives full control over the container engine, and so the machine",
    "/run/docker.sock": "gives full control over the container engine, and so the machine",
}


class _Mount(Struct):
    """One mount, in whichever form it was written."""

    source: str
    target: str
    kind: str = ""  # as written in the long form
    options: list[str] = field(default_factory=list[str])
    size: str = ""


def carry_volumes(given: Given, container: Section, work: Work) -> None:
    """Write the mounts of a service."""
    for entry in given.entries():
        mount = _long(entry) if entry.is_mapping else _short(entry)
        if mount is not None:
            _mount(entry, mount, container, work)


def carry_tmpfs(given: Given, container: Section, work: Work) -> None:
    """Write memory that is mounted: one path, or several, each perhaps with options."""
    del work
    for entry in given.entries() if given.is_list else [given]:
        text = entry.closed_text()
        if text is None:
            continue
        target, _, options = text.partition(":")
        size = next((o[5:] for o in options.split(",") if o.startswith("size=")), "")
        rest = [o for o in options.split(",") if o and not o.startswith("size=")]
        if rest:
            entry.changed(f"of the options of `{target}` only its size is kept")
        leaf = Leaf({"type": "tmpfs", "target": target, "size": size_text(size)}, entry.path)
        if size:
            listed(container, "volumes").append(leaf)
        else:
            listed(container, "tmpfs").append(Leaf(target, entry.path))


def _short(given: Given) -> _Mount | None:
    text = given.closed_text()
    if text is None:
        return None
    parts = text.strip().split(":")
    if len(parts) == 1:
        return _Mount("", parts[0])
    options = parts[2].split(",") if len(parts) > 2 else []  # noqa: PLR2004 - source:target:options
    return _Mount(parts[0].strip(), parts[1].strip(), options=_options(given, options))


def _options(given: Given, words: list[str]) -> list[str]:
    options: list[str] = []
    for word in (word.strip() for word in words):
        if word in _OPTIONS:
            options.append(word)
        elif word and word not in _NO_MEANING:
            given.changed(f"the mount option `{word[:40]}` is left out: there is none like it")
    return options


def _long(given: Given) -> _Mount | None:
    target = given.get("target")
    where = None if target is None else target.closed_text()
    if where is None:
        given.not_carried("a mount without `target` cannot be made")
        return None
    kind, source = given.get("type"), given.get("source")
    mount = _Mount(
        (source.closed_text() if source else "") or "",
        where,
        kind=(kind.closed_text() if kind else "") or "volume",
    )
    if (read_only := given.get("read_only")) and read_only.boolean():
        mount.options.append("ro")
    _more_of_long(given, mount)
    return mount


def _more_of_long(given: Given, mount: _Mount) -> None:
    if consistency := given.get("consistency"):
        consistency.neutral()
    for kind in ("bind", "volume", "tmpfs"):
        if (inner := given.get(kind)) is not None:
            for key, value in inner.pairs():
                _option_of_long(key, value, mount)


def _option_of_long(key: str, given: Given, mount: _Mount) -> None:
    match key:
        case "create_host_path" | "nocopy":
            given.neutral()
        case "propagation" | "selinux":
            text = given.closed_text()
            mount.options += _options(given, [text] if text is not None else [])
        case "size":
            mount.size = given.closed_text() or ""
        case _:
            given.not_carried("there is no such option of a mount")


def _mount(given: Given, mount: _Mount, container: Section, work: Work) -> None:
    written: Section | None
    if mount.kind == "tmpfs":
        written = {"type": "tmpfs", "target": mount.target}
        if mount.size:
            written["size"] = size_text(mount.size)
    elif mount.kind not in {"", "volume", "bind"}:
        given.not_carried(f"there are no mounts of type `{mount.kind[:40]}` here")
        return
    else:
        written = _source(given, mount, work)
    if written is None:
        return
    if options := list(dict.fromkeys(mount.options)):
        written["options"] = options
    listed(container, "volumes").append(Leaf(written, given.path))


def _source(given: Given, mount: _Mount, work: Work) -> Section | None:
    source = work.binds.get(mount.source, mount.source)
    path = _own_path(source, mount, work)
    if path is None:
        return _of_machine(given, source, mount)
    if path.startswith(".."):
        hint = "write the folder's absolute path, as a volume of `type: bind`"
        given.not_carried(f"`{source}` lies outside of the folder of the file", hint)
        return None
    base = path.rstrip("/").rpartition("/")[2]
    if _is_path(source) and (_FILE.fullmatch(base) or _FILE.fullmatch(_base(mount.target))):
        given.not_carried(f"`{source}` is a single file, and a volume is a folder", _FILE_HINT)
        return None
    key = _SLASHES.sub("/", path.strip("/")) if _is_path(source) else f"volume {source}"
    return {"name": work.volume(key, path.strip("/.")), "target": mount.target}


def _is_path(source: str) -> bool:
    return source.startswith(("/", ".", "~"))


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _own_path(source: str, mount: _Mount, work: Work) -> str | None:
    """Return what of a source names it within the app; None where it is the machine's."""
    if not source:
        return mount.target
    if source.startswith("."):
        return source.removeprefix("./").removeprefix(".") if source[:2] != ".." else source
    if not _is_path(source):
        return source
    inside = _SLASHES.sub("/", source).removeprefix(CASAOS)
    if inside == _SLASHES.sub("/", source):
        return None
    folder, _, rest = inside.partition("/")
    return (rest or "data") if _is_own(folder, work) else None


def _is_own(folder: str, work: Work) -> bool:
    """Tell whether a folder among those of all apps is called like this app."""
    name = re.sub(r"[^a-z0-9]", "", folder.lower())
    return bool(name) and any(name in own or own in name for own in work.own_names)


def _of_machine(given: Given, source: str, mount: _Mount) -> Section | None:
    if source.startswith("~"):
        hint = "write the folder's absolute path, as a volume of `type: bind`"
        given.not_carried(f"`{source}` hangs on who is logged in", hint)
        return None
    why = _DANGEROUS.get(source.rstrip("/"), "lies outside of the app's own folders")
    given.permission(f"mounts `{source}` of the machine, which {why}")
    return {"type": "bind", "source": source, "target": mount.target}


def size_text(text: str) -> str:
    """Return a size as a manifest has it: Compose counts in steps of 1024, whatever the letter."""
    match = re.fullmatch(r"([0-9.]+) ?([kKmMgGtT]?)(?:i?[bB])?", text.strip())
    if match is None:
        return text
    return f"{match[1]}{match[2].upper()}i" if match[2] else match[1]
