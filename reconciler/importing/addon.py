"""A Home Assistant add-on's `config.yaml` becomes the draft of a manifest, without Supervisor."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.importing import addon_folders, addon_rights
from reconciler.importing.addon_options import carry_options
from reconciler.importing.addon_pages import add_page
from reconciler.importing.asking import Asked
from reconciler.importing.casaos import localized, one_line
from reconciler.importing.draft import Draft, finish
from reconciler.importing.given import Given
from reconciler.importing.health import health_of_address
from reconciler.importing.images import full_name
from reconciler.importing.ledger import Ledger
from reconciler.importing.names import app_id
from reconciler.importing.rights import DEFAULT_CAPABILITIES
from reconciler.importing.tree import Leaf, Section, listed, part
from reconciler.importing.work import Work

_ARCHITECTURES: Final = ("amd64", "aarch64", "armv7", "armhf", "i386")
_SUPERVISOR: Final = (
    "only Home Assistant's Supervisor gives it, and there is none here",
    "the app has to work without, or be set up to reach Home Assistant by itself",
)
_SUPERVISORS: Final = frozenset(
    [
        "hassio_api",
        "hassio_role",
        "homeassistant_api",
        "auth_api",
        "services",
        "discovery",
        "ingress_stream",
    ]
)
# How Home Assistant shows, starts, tests and updates an add-on: nothing of it changes what runs.
_NEUTRAL: Final = frozenset(
    [
        "slug",
        "arch",
        "boot",
        "startup",
        "stage",
        "advanced",
        "homeassistant",
        "machine",
        "panel_icon",
        "panel_title",
        "panel_admin",
        "breaking_versions",
        "timeout",
        "legacy",
        "codenotary",
        "ports_description",
        "auto_update",
        "backup",
    ]
)
_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "audio": ("the sound server of Home Assistant is not here", "see `devices`: /dev/snd"),
    "stdin": ("nothing can be typed into a container", ""),
    "kernel_modules": (
        "kernel modules are not loaded for a container",
        "load them on the machine",
    ),
    "udev": ("the machine's device events are not handed in", ""),
    "host_ipc": ("each container has its own memory to share", ""),
    "host_pid": ("each container sees its own processes only", ""),
    "host_uts": ("each container has its own host name", ""),
    "backup_exclude": ("patterns of files are not excluded, only folders of a volume", ""),
    "backup_pre": ("the command is the Supervisor's", "see `backup.pre`"),
    "backup_post": ("the command is the Supervisor's", "see `backup.post`"),
    "docker_api": ("the container engine is not handed in read-only", ""),
    "journald": ("the machine's journal is not handed in", "see `volumes` of `type: bind`"),
    "devicetree": ("the machine's device tree is not handed in", ""),
    "realtime": ("a container has no realtime scheduling", ""),
    "snapshot": ("there are no such snapshots", ""),
}


class BesideAddon(Struct, frozen=True):
    """What is known besides the file itself."""

    wanted_id: str | None = None
    has_containerfile: bool = False


def import_addon(data: object, beside: BesideAddon = BesideAddon()) -> Draft:
    """Return the draft of a manifest, and what became of every value."""
    ledger = Ledger()
    root = Given(data, (), ledger)
    work = Work(ledger, Asked(), {}, current="main", names={"main": "main"})
    container: Section = {}
    work.app["containers"] = {"main": container}
    _names(root, beside, work)
    _image(root, container, beside, work)
    for key, given in root.pairs():
        if given.value is None:
            given.neutral()
        elif key in _CARRIERS:
            _CARRIERS[key](given, container, work)
        elif key in _NEUTRAL:
            given.neutral()
        elif key in _SUPERVISORS:
            _refuse(given, _SUPERVISOR)
        elif key in _REASONS:
            _refuse(given, _REASONS[key])
    addon_folders.add_data(root, container)
    carry_options(root, work)
    add_page(root, work)
    _capabilities(container, work)
    return finish(data, work)


def _refuse(given: Given, reason: tuple[str, str]) -> None:
    if given.is_empty or given.value == "false":
        given.neutral()
    else:
        given.not_carried(*reason)


def _names(root: Given, beside: BesideAddon, work: Work) -> None:
    slug = root.get("slug")
    written = str(slug.value) if slug is not None else ""
    identity = beside.wanted_id or app_id(written)
    work.app["id"] = Leaf(identity, ("slug",))
    if slug is not None:
        work.ledger.carried(slug.path)
    for key in ("name", "version", "description"):
        given = root.get(key)
        if given is not None and (text := localized(given)):
            work.app[key] = Leaf(text if key == "description" else one_line(text), given.path)
    if "name" not in work.app:
        work.app["name"] = Leaf(identity, ("slug",))


def _image(root: Given, container: Section, beside: BesideAddon, work: Work) -> None:
    image, version = root.get("image"), root.get("version")
    if image is None:
        if beside.has_containerfile:
            container["build"] = Leaf(".", ())
            work.ledger.changed((), "no image is named: it is built from the folder beside it")
        return
    text = image.text()
    if text is None:
        return
    architecture = _architecture(root)
    if "{arch}" in text:
        text = text.replace("{arch}", architecture)
        message = f"the image is that for {architecture}: there is one for each processor"
        image.changed(message, "write the one of this machine")
    tag = str(version.value) if version is not None and version.value is not None else "latest"
    tagged = text if ":" in text.rpartition("/")[2] else f"{text}:{tag}"
    container["image"] = Leaf(full_name(tagged), image.path)


def _architecture(root: Given) -> str:
    arch = root.get("arch")
    known = [str(entry.value) for entry in arch.entries()] if arch and arch.is_list else []
    return next((name for name in _ARCHITECTURES if name in known), known[0] if known else "amd64")


def _url(given: Given, container: Section, work: Work) -> None:
    if text := localized(given):
        part(work.app, "metadata")["website"] = Leaf(one_line(text), given.path)
    del container


def _ports(given: Given, container: Section, work: Work) -> None:
    """Write what is published; a port without a number is closed until somebody opens it."""
    for name, value in given.pairs():
        inside, _, protocol = name.partition("/")
        if value.value is None:
            value.neutral()
            continue
        host = value.integer()
        if host is None:
            continue
        if not inside.isdecimal():
            value.not_carried("this is not a port of the container")
            continue
        written: Section = {"host": host, "container": int(inside), "bind": "0.0.0.0"}  # noqa: S104 - it is what an add-on means, and is told
        if protocol not in {"", "tcp"}:
            written["protocol"] = protocol
        listed(container, "ports").append(Leaf(written, value.path))
        value.permission(f"publishes port {host} to every network that the machine is in")
    del work


def _environment(given: Given, container: Section, work: Work) -> None:
    for key, value in given.pairs():
        text = value.text()
        if text is not None and "{{" not in text:
            part(container, "environment")[key] = Leaf(text, value.path)
        elif text is not None:
            value.not_carried("`{{` marks templates in a manifest, and cannot be written as text")
    del work


def _init(given: Given, container: Section, work: Work) -> None:
    """Write whether the engine's small init runs: it does unless an add-on has its own."""
    wanted = given.boolean()
    if wanted:
        container["init"] = Leaf(value=True, source=given.path)
    del work


def _tmpfs(given: Given, container: Section, work: Work) -> None:
    if given.boolean():
        listed(container, "tmpfs").append(Leaf("/tmp", given.path))  # noqa: S108 - in the container
    del work


def _watchdog(given: Given, container: Section, work: Work) -> None:
    text = given.text()
    if text is None:
        return
    check = health_of_address(text)
    if check is None:
        given.not_carried("the address to watch hangs on the options", "write a `health_check`")
    else:
        container["health_check"] = {key: Leaf(v, given.path) for key, v in check.items()}
    del work


def _capabilities(container: Section, work: Work) -> None:
    capabilities = listed(part(container, "security"), "capabilities")
    have = {leaf.value for leaf in capabilities if isinstance(leaf, Leaf)}
    for name in DEFAULT_CAPABILITIES:
        if name not in have:
            capabilities.append(Leaf(name, ()))
    message = f"keeps what every add-on has: the capabilities {', '.join(DEFAULT_CAPABILITIES)}"
    work.ledger.permission((), message, "remove those that the app runs without")


def _read_elsewhere(given: Given, container: Section, work: Work) -> None:
    """Read with others, before or after."""
    del given, container, work


_CARRIERS: Final[Mapping[str, Callable[[Given, Section, Work], None]]] = {
    "url": _url,
    "ports": _ports,
    "environment": _environment,
    "init": _init,
    "tmpfs": _tmpfs,
    "watchdog": _watchdog,
    "map": addon_folders.carry_map,
    "host_network": addon_rights.carry_host_network,
    "host_dbus": addon_rights.carry_host_dbus,
    "full_access": addon_rights.carry_full_access,
    "privileged": addon_rights.carry_privileged,
    "apparmor": addon_rights.carry_apparmor,
    "devices": addon_rights.carry_devices,
    "usb": addon_rights.carry_known("/dev/bus/usb"),
    "video": addon_rights.carry_known("/dev/dri"),
    "uart": addon_rights.carry_known("/dev/ttyUSB0", "/dev/ttyACM0"),
    "gpio": addon_rights.carry_known("/dev/gpiomem", "/dev/gpiochip0"),
    **dict.fromkeys(
        [
            "name",
            "version",
            "description",
            "image",
            "slug",
            "webui",
            "ingress",
            "ingress_port",
            "ingress_entry",
            "options",
            "schema",
        ],
        _read_elsewhere,
    ),
}
