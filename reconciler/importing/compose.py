"""A Compose file becomes the draft of a manifest; extensions of other systems are understood."""

from collections.abc import Callable, Mapping
from typing import Final, cast

from msgspec import Struct, field

from reconciler.importing import casaos, umbrel
from reconciler.importing.asking import Asked
from reconciler.importing.bonds import add_names_in_use, settle_waiting
from reconciler.importing.draft import Draft, finish
from reconciler.importing.environment import ask_for_public, collect_secrets
from reconciler.importing.files import learn_contents
from reconciler.importing.given import Given
from reconciler.importing.interpolation import Variables, expand_all
from reconciler.importing.ledger import Ledger
from reconciler.importing.names import app_id, container_name, title, unlike
from reconciler.importing.rights import DEFAULT_CAPABILITIES
from reconciler.importing.service import REASONS, carry_service
from reconciler.importing.tree import Leaf, Section
from reconciler.importing.work import Work

_TEXTS: Final = ("services", "networks", "volumes", "configs", "secrets", "name")


class Beside(Struct, frozen=True):
    """What is known besides the file itself."""

    folder: str = ""  # its name
    wanted_id: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    umbrel: object = None  # umbrel-app.yml, as data
    has_folder: Callable[[str], bool] = lambda _: False  # beside the file


def import_compose(data: object, beside: Beside = Beside()) -> Draft:
    """Return the draft of a manifest, and what became of every value."""
    ledger = Ledger()
    root = Given(data, (), ledger)
    name = root.get("name")
    written = str(name.value) if name is not None else ""
    identity = beside.wanted_id or app_id(written) or app_id(beside.folder)
    if beside.umbrel is not None:
        identity = beside.wanted_id or umbrel.identity(beside.umbrel) or identity
    asked = Asked()
    work = Work(ledger, asked, {}, has_folder=beside.has_folder)
    root = Given(_expanded(data, identity, beside, work), (), ledger)
    _begin(work, root, identity, beside)
    _services(root, work, beside)
    if beside.umbrel is not None:
        umbrel.carry(beside.umbrel, work)
    if (extension := root.get("x-casaos")) is not None:
        casaos.carry(extension, work)
    return finish(data, work)


def _expanded(data: object, identity: str, beside: Beside, work: Work) -> object:
    """Return the data with its variables expanded, but for the extensions' prose."""
    known = dict(beside.variables)
    if isinstance(data, dict) and "x-casaos" in data:
        known = {**casaos.variables(identity), **known}
    if beside.umbrel is not None:
        known = {**umbrel.variables(identity), **known}
        umbrel.add_templates(work)
    variables = Variables(known, work.asked.questions)
    complain = work.ledger.not_carried
    if not isinstance(data, dict):
        return data
    return {
        key: expand_all(value, (key,), variables, complain) if key in _TEXTS else value
        for key, value in cast("dict[str, object]", data).items()
    }


def _begin(work: Work, root: Given, identity: str, beside: Beside) -> None:
    source = ("name",) if root.get("name") is not None else ()
    work.app["id"] = Leaf(identity, source)
    work.app["name"] = Leaf(title(identity), source)
    if source:
        work.ledger.carried(source)
    if (version := root.get("version")) is not None:
        version.neutral()
    services = root.get("services")
    names = [key for key, _ in _real(services, beside)]
    for key in names:
        taken = set(work.names.values())
        work.names[key] = unlike(container_name(key), taken)
    every = [identity, beside.folder, *names]
    letters = {"".join(c for c in name.lower() if c.isalnum()) for name in every}
    work.own_names = frozenset(letters - {""})
    if (include := root.get("include")) is not None:
        include.not_carried(*REASONS["extends"])
    for key, _ in root.pairs():
        if key.startswith("x-") and key != "x-casaos":
            Given(None, (key,), work.ledger).neutral()


def _real(services: Given | None, beside: Beside) -> list[tuple[str, Given]]:
    """Return the services that become containers: not extensions, not the others' proxy."""
    if services is None or not services.is_mapping:
        return []
    return [
        (key, given)
        for key, given in services.pairs()
        if not key.startswith("x-")
        and given.is_mapping
        and not (beside.umbrel is not None and key == umbrel.PROXY)
    ]


def _services(root: Given, work: Work, beside: Beside) -> None:
    services = root.get("services")
    _volumes(root.get("volumes"), work)
    _networks(root.get("networks"))
    pairs = _real(services, beside)
    if services is None or not pairs:
        return
    containers: dict[str, Section] = {work.names[key]: {} for key, _ in pairs}
    work.app["containers"] = containers
    for key, given in pairs:
        if (environment := given.get("environment")) is not None:
            collect_secrets(environment, work.names[key], work)
    for _, given in pairs:
        ask_for_public(given, work)
    learn_contents(root.get("configs"), work)
    learn_contents(root.get("secrets"), work)
    usual: list[str] = []
    for key, given in pairs:
        work.current = work.names[key]
        if carry_service(given, containers[work.current], work):
            usual.append(work.current)
    if usual:
        _tell_capabilities(usual, services)
    add_names_in_use(services, work)
    if beside.umbrel is not None and (proxy := services.get(umbrel.PROXY)) is not None:
        umbrel.publish_proxied(proxy, beside.umbrel, work)
    settle_waiting(work, containers)


def _tell_capabilities(usual: list[str], services: Given) -> None:
    message = (
        f"keeps what Compose gives to everybody, in {', '.join(sorted(usual))}: "
        f"the capabilities {', '.join(DEFAULT_CAPABILITIES)}"
    )
    services.permission(message, "remove those that the app runs without")


def _volumes(given: Given | None, work: Work) -> None:
    """Learn which named volumes are folders in truth; tell those that are another's."""
    for name, value in given.pairs() if given is not None else []:
        if value.value is None or value.is_empty:
            value.neutral()
            continue
        for key, inner in value.pairs():
            match key:
                case "driver" if inner.value == "local":
                    inner.neutral()
                case "name" | "labels":
                    inner.neutral()
                case "external" if str(inner.value).lower() == "false":
                    inner.neutral()
                case "external":
                    message = f"the volume `{name}` is another's: the app gets an empty one"
                    inner.not_carried(message, "copy its data before the first start")
                case "driver_opts":
                    _driver_options(name, inner, work)
                case _:
                    inner.not_carried("a volume is a folder of the engine, without options")


def _driver_options(name: str, given: Given, work: Work) -> None:
    options = dict(given.pairs())
    device = options.get("device")
    kind = str(options["o"].value) if "o" in options else ""
    if device is not None and kind in {"bind", "rbind"} and (path := device.closed_text()):
        work.binds[name] = path
        for key in {"type", "o"} & set(options):
            options[key].neutral()
    else:
        given.not_carried("a volume is a folder of the engine, without options")


def _networks(given: Given | None) -> None:
    """Tell the networks that mean more than that services reach each other."""
    for name, value in given.pairs() if given is not None else []:
        if value.value is None or value.is_empty:
            value.neutral()
            continue
        for key, inner in value.pairs():
            match key:
                case "driver" if str(inner.value) in {"bridge", "default"}:
                    inner.neutral()
                case "name" | "labels" | "attachable" | "enable_ipv6":
                    inner.neutral()
                case "external" | "internal" if str(inner.value).lower() == "false":
                    inner.neutral()
                case "external":
                    message = f"the network `{name}` is another's: its apps are not reached"
                    inner.not_carried(message, "see `dependencies` and `connections`")
                case "internal":
                    message = f"the network `{name}` has no way out, and the app's has one"
                    inner.not_carried(message, "see `network.egress`")
                case _:
                    inner.not_carried("an app has one network of its own, and it is a bridge")
