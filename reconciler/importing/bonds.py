"""What binds the services of a file: who waits for whom, and by which names they meet."""

import re
from collections.abc import Iterator
from typing import Final, cast

from reconciler.importing.given import Given
from reconciler.importing.ledger import branches
from reconciler.importing.names import container_name
from reconciler.importing.rights import use_host_network
from reconciler.importing.tree import Leaf, Section, listed, part
from reconciler.importing.work import Work

_CONDITIONS: Final = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_IN_USE: Final = r"(?://|[@=,\s]|^){}(?::[0-9]|[/,\s]|$)"  # as a host stands in a text
_UNREAD: Final = frozenset(
    ["container_name", "image", "hostname", "x-casaos", "networks", "labels", "volumes"]
)
_SHARED: Final = (
    "a container has its own network here, and cannot sit in that of another",
    "this changes which way the traffic goes: do not run it without thinking of that",
)


def carry_depends_on(given: Given, container: Section, work: Work) -> None:
    """Write what is waited for."""
    pairs = _conditions(given)
    for name, condition, place in pairs:
        other = work.names.get(name)
        if other is None:
            place.not_carried(f"there is no service `{name[:60]}` in the file")
        else:
            part(container, "depends_on")[other] = Leaf(condition, place.path)


def _conditions(given: Given) -> Iterator[tuple[str, str, Given]]:
    if given.is_list:
        for entry in given.entries():
            if (text := entry.closed_text()) is not None:
                yield text, "started", entry
        return
    for name, value in given.pairs():
        if value.value is None:
            given.ledger.carried(value.path)
            yield name, "started", value
            continue
        written = value.get("condition")
        word = (written.closed_text() if written else None) or "service_started"
        condition = _CONDITIONS.get(word)
        if condition is None:
            (written or value).not_carried(f"`{word[:60]}` is not something to wait for")
            continue
        if required := value.get("required"):
            required.neutral()
        if (again := value.get("restart")) and again.boolean():
            again.not_carried("a container is not started again because another one was")
        yield name, condition, written or value


def settle_waiting(work: Work, containers: dict[str, Section]) -> None:
    """Let what is waited for be what it must: a job that ends, or one that can be well."""
    for container in containers.values():
        for name, leaf in cast("dict[str, Leaf]", container.get("depends_on", {})).items():
            other = containers.get(name)
            if other is None:
                continue
            if leaf.value == "completed" and not _ends(other):
                other["restart"] = Leaf("no", leaf.source)
            if leaf.value == "healthy" and "health_check" not in other:
                leaf.value = "started"
                message = f"`{name}` has no health check of its own, so only its start is awaited"
                work.ledger.changed(leaf.source, message, f"give `{name}` a `health_check`")


def _ends(container: Section) -> bool:
    restart = container.get("restart")
    return isinstance(restart, Leaf) and restart.value in {"no", "on-failure"}


def carry_links(given: Given, container: Section, work: Work) -> None:
    """Write old links: the order, and another name for the other container."""
    for entry in given.entries():
        text = entry.closed_text()
        if text is None:
            continue
        service, _, alias = text.partition(":")
        other = work.names.get(service)
        if other is None:
            entry.not_carried(f"there is no service `{service[:60]}` in the file")
            continue
        part(container, "depends_on").setdefault(other, Leaf("started", entry.path))
        if alias and alias != other:
            add_alias(work, other, alias, entry.path)


def carry_network_mode(given: Given, container: Section, work: Work) -> None:
    """Write a network of the machine, or none; the usual one is ours."""
    text = given.closed_text()
    match text:
        case None:
            return
        case "host":
            use_host_network(given.path, work, f"`{work.current}`")
            if container.pop("ports", None):
                return
        case "none" if len(work.names) == 1:
            part(work.app, "security")["network_policy"] = Leaf("none", given.path)
        case "none":
            given.not_carried("the containers of an app share one network")
        case _ if text.startswith(("service:", "container:")):
            given.not_carried(*_SHARED)
        case "bridge" | "default":
            return
        case _:
            given.not_carried("an app has a network of its own, and this one is another's")


def carry_networks(given: Given, container: Section, work: Work) -> None:
    """Write the names that a service has in its networks; the networks become one."""
    del container
    if given.is_list:
        for entry in given.entries():
            entry.neutral()
        return
    for _, value in given.pairs():
        if value.value is None:
            value.neutral()
            continue
        for key, inner in value.pairs():
            _in_network(key, inner, work)


def _in_network(key: str, given: Given, work: Work) -> None:
    match key:
        case "aliases":
            for entry in given.entries():
                if (alias := entry.closed_text()) and alias != work.current:
                    add_alias(work, work.current, alias, entry.path)
        case "priority" | "gw_priority" | "interface_name":
            given.neutral()
        case _:
            given.not_carried("addresses within the app's network are given by the engine")


def add_alias(work: Work, name: str, alias: str, path: tuple[str | int, ...]) -> None:
    """Let a container be found by another name."""
    containers = cast("dict[str, Section]", work.app["containers"])
    aliases = listed(containers[name], "network_aliases")
    if all(not isinstance(leaf, Leaf) or leaf.value != alias for leaf in aliases):
        aliases.append(Leaf(alias, path))


def add_names_in_use(services: Given, work: Work) -> None:
    """Keep the names by which services really find each other."""
    everything = "\n".join(_texts(services.value))
    alone = len(work.names) == 1
    for service, given in services.pairs():
        container = work.names.get(service)
        if container is None:
            continue
        named = given.get("container_name")
        other = str(named.value) if named is not None else ""
        for name, path in ((service, given.path), (other, named.path if named else ())):
            known = {container_name(key) for key in work.names} if not alone else set[str]()
            if not name or name == ("main" if alone else container) or name in known:
                continue
            if re.search(_IN_USE.format(re.escape(name)), everything, re.MULTILINE):
                add_alias(work, container, name, path)


def _texts(data: object) -> Iterator[str]:
    """Return the texts that may name a service: of environments and commands."""
    if isinstance(data, str):
        yield data
    for key, value in branches(data):
        if key not in _UNREAD:
            yield from _texts(value)
