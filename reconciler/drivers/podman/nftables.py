"""
The rules of all apps as one table of nftables, and what such a table says. Pure.

The chain is the same whatever runs; what changes are three sets. They are keyed by the names of
bridges, so they can be in force before a bridge is there, and outlive it. Every packet is judged,
not only the first of a connection: a passage that is taken away is shut at once. Netavark's own
rules come after ours; what we accept they may still refuse, what we refuse is refused.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from reconciler.model.isolation import IsolationSpec, Passage

Json = dict[str, Any]

_CHAIN = """\
  chain forward {
    type filter hook forward priority filter - 5; policy accept;
    ct direction reply ct state established,related accept
    iifname . oifname @inside accept
    iifname . oifname . meta l4proto . th dport @passages accept
    iifname @members oifname @members reject with icmpx type admin-prohibited
    oifname @members ct status dnat accept
    oifname @members reject with icmpx type admin-prohibited
  }
"""
_RULES = _CHAIN.count("\n") - 3  # its head, its hook and its end are no rules


def table_name(instance: str) -> str:
    """Return the name of an instance's table."""
    return f"archipelago-{instance}"


def script(instance: str, isolations: Iterable[IsolationSpec]) -> str:
    """
    Return what `nft -f` loads: in one transaction the table is as it should be.

    Without apps there is no table.
    """
    name, apps = table_name(instance), sorted(isolations, key=lambda i: i.app)
    # Made first, since only a table that is there can be deleted.
    clear = f"table inet {name}\ndelete table inet {name}\n"
    if not apps:
        return clear
    members = [f'"{i.interface}" comment "{i.app}"' for i in apps]
    inside = [f'"{i.interface}" . "{i.interface}"' for i in apps]
    passages = [
        f'"{i.interface}" . "{p.interface}" . {p.protocol} . {p.port} comment "{p.app}"'
        for i in apps
        for p in i.passages
    ]
    return (
        f"{clear}table inet {name} {{\n"
        + _set("members", "ifname", members)
        + _set("inside", "ifname . ifname", inside)
        + _set("passages", "ifname . ifname . inet_proto . inet_service", passages)
        + _CHAIN
        + "}\n"
    )


def _set(name: str, kind: str, elements: list[str]) -> str:
    listed = ",\n      ".join(elements)
    filled = f"    elements = {{\n      {listed}\n    }}\n" if elements else ""
    return f"  set {name} {{\n    type {kind}\n{filled}  }}\n"


def isolations(listing: str) -> tuple[IsolationSpec, ...] | None:
    """Return what a table, as `nft -j` lists it, enforces; None where it is not as we make it."""
    try:
        items = cast("list[Json]", json.loads(listing)["nftables"])
        sets = {s["name"]: s.get("elem", []) for s in _of(items, "set")}
        chains = _of(items, "chain")
        if [c.get("hook") for c in chains] != ["forward"] or len(_of(items, "rule")) != _RULES:
            return None
        apps = {str(_value(e)): _comment(e) for e in sets["members"]}
        if {tuple(e["concat"]) for e in sets["inside"]} != {(i, i) for i in apps}:
            return None
        passages = _passages(sets["passages"])
    except (ValueError, KeyError, TypeError):
        return None
    if passages.keys() - apps.keys():
        return None
    found = (IsolationSpec(app, i, tuple(passages.get(i, ()))) for i, app in apps.items())
    return tuple(sorted(found, key=lambda i: i.app))


def rules(listing: str) -> str:
    """Return the listed rules alone, without what counts or numbers them, to be compared."""
    try:
        items = cast("list[Json]", json.loads(listing)["nftables"])
        return json.dumps([rule["expr"] for rule in _of(items, "rule")])
    except (ValueError, KeyError, TypeError):
        return ""


def _passages(elements: list[Any]) -> Mapping[str, list[Passage]]:
    found: dict[str, list[Passage]] = {}
    for element in elements:
        source, target, protocol, port = _value(element)["concat"]
        passage = Passage(_comment(element), str(target), int(port), str(protocol))
        found.setdefault(str(source), []).append(passage)
    return {source: sorted(each, key=lambda p: p.key) for source, each in found.items()}


def _of(items: list[Json], kind: str) -> list[Json]:
    return [item[kind] for item in items if kind in item]


def _value(element: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    return element["elem"]["val"]


def _comment(element: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return str(element["elem"]["comment"])
