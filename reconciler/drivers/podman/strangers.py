"""Containers of anybody, looked at closely: what adoption is decided by. Touches nothing."""

import re
from urllib.parse import quote

from reconciler.drivers.podman.client import Client, Json, Request
from reconciler.drivers.podman.inspection import container_facts
from reconciler.drivers.podman.liveness import read_all
from reconciler.drivers.podman.lookup import Lookup
from reconciler.model.adoption import ContainerFacts

_ABSENT = frozenset({404})


def examine(client: Client, lookup: Lookup, names: tuple[str, ...]) -> tuple[ContainerFacts, ...]:
    """Return what can be seen of containers that have one of these names or whole ids."""
    if not names:
        return ()
    pattern = f"^({'|'.join(re.escape(name) for name in names)})$"
    ids = [name for name in names if re.fullmatch(r"[0-9a-f]{64}", name)]
    items = lookup.list_raw({"name": [pattern]})
    items += lookup.list_raw({"id": ids}) if ids else []
    refs = dict.fromkeys(str(item["Id"]) for item in items)
    found = [facts for ref in refs if (facts := _facts(client, ref)) is not None]
    return tuple(sorted(found, key=lambda facts: facts.name))


def _facts(client: Client, ref: str) -> ContainerFacts | None:
    container = _inspected(client, "container", ref)
    if container is None:
        return None
    image = _inspected(client, "image", str(container.get("Image", "")))
    state: Json = container.get("State") or {}
    pid = int(state.get("Pid") or 0)
    return container_facts(container, image or {}, read_all(pid, "status") if pid else "")


def _inspected(client: Client, kind: str, ref: str) -> Json | None:
    reply = client.call(
        Request(
            f"inspect_{kind}",
            f"inspect {kind} {ref[:12]}",
            "GET",
            f"/{kind}s/{quote(ref, safe='')}/json",
            expected=_ABSENT,
        )
    )
    return None if reply.status in _ABSENT else reply.object()
