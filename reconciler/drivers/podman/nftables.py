"""
The rules of all apps as one table of nftables, and what such a table says. Pure.

The chains are the same whatever runs; what changes are sets. They are keyed by the names of
bridges, so they can be in force before a bridge is there, and outlive it. Every packet is judged,
not only the first of a connection: a passage that is taken away is shut at once. Netavark's own
rules come after ours; what we accept they may still refuse, what we refuse is refused.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from reconciler.model.isolation import LAN_RANGES, Egress, IsolationSpec, Lead, Passage

Json = dict[str, Any]
Ranges = tuple[str, ...]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What is no public address: of the private ones, of links, of groups, and of no use. Of IPv6 all
# but 2000::/3, and of that not what stands for an address of IPv4.
_PRIVATE4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
)
_PRIVATE6 = ("::/3", "2001::/32", "2002::/16", "4000::/2", "8000::/1")
_NAMES = "meta l4proto { tcp, udp } ct original proto-dst 53"
_REFUSE = "reject with icmpx type admin-prohibited"
# A packet to an own port of the machine that leads on into a container has `dnat`: that is a
# detour by the host. Names are asked at the own bridge, at the port to which they were sent:
# with `dns_bind_port` netavark leads them to another one.
_CHAINS = f"""\
  chain outward {{
    ct status dnat {_REFUSE}
    iifname != @outward {_REFUSE}
    iifname @lan ip daddr @lan4 accept
    iifname @lan ip6 daddr @lan6 accept
    ip daddr @lan4 {_REFUSE}
    ip6 daddr @lan6 {_REFUSE}
    ip daddr {{ {", ".join(_PRIVATE4)} }} {_REFUSE}
    ip6 daddr {{ {", ".join(_PRIVATE6)} }} {_REFUSE}
  }}
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    ct direction reply ct state established,related accept
    iifname . oifname @inside accept
    iifname . oifname . meta l4proto . th dport @passages accept
    iifname @members oifname @members {_REFUSE}
    iifname @members jump outward
    oifname @members ct status dnat accept
    oifname @members {_REFUSE}
  }}
  chain input {{
    type filter hook input priority filter - 5; policy accept;
    ct direction reply ct state established,related accept
    iifname @members icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
    iifname @outward {_NAMES} fib daddr . iif type local accept
    iifname @members {_REFUSE}
  }}
"""
# Before netavark's own: a port that leads by our rules leads by no others. An app is no way round
# for another one, and a packet that says it comes to the loopback from outside is not led on.
_LEADING = """\
  chain arriving {
    type nat hook prerouting priority dstnat - 5; policy accept;
    iifname @members accept
    ip daddr 127.0.0.0/8 accept
    dnat ip to ip daddr . tcp dport map @there
    fib daddr type local dnat ip to tcp dport map @everywhere
  }
  chain departing {
    type nat hook output priority -105; policy accept;
    dnat ip to ip daddr . tcp dport map @there
    fib daddr type local dnat ip to tcp dport map @everywhere
  }
  chain answered {
    type nat hook postrouting priority srcnat - 5; policy accept;
    ip saddr 127.0.0.0/8 oifname @members masquerade
  }
"""
_RANGES = "    flags interval\n"
_HOOKS = [None, "forward", "input"]
_RULES = _CHAINS.count("\n") - 8  # heads, hooks and ends are no rules
_LEADING_HOOKS = ["prerouting", "output", "postrouting"]
_LEADING_RULES = _LEADING.count("\n") - 9
_ALL = "0.0.0.0"  # noqa: S104 - written into rules, not listened on


def table_name(instance: str) -> str:
    """Return the name of an instance's table."""
    return f"archipelago-{instance}"


def script(instance: str, isolations: Iterable[IsolationSpec], lan: Ranges = LAN_RANGES) -> str:
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
    outward = [f'"{i.interface}"' for i in apps if i.egress is not Egress.NONE]
    wide = [f'"{i.interface}"' for i in apps if i.egress is Egress.LAN]
    four, six = ([str(n) for n in each] for each in _networks(lan))
    return (
        f"{clear}table inet {name} {{\n"
        + _set("members", "ifname", members)
        + _set("inside", "ifname . ifname", inside)
        + _set("passages", "ifname . ifname . inet_proto . inet_service", passages)
        + _set("outward", "ifname", outward)
        + _set("lan", "ifname", wide)
        + _set("lan4", "ipv4_addr", four, _RANGES)
        + _set("lan6", "ipv6_addr", six, _RANGES)
        + _CHAINS
        + _leading(apps)
        + "}\n"
    )


def _leading(apps: Iterable[IsolationSpec]) -> str:
    """Return what leads ports to containers; nothing where none is led."""
    leads = [(i.app, i.lead) for i in apps if i.lead is not None]
    if not leads:
        return ""
    target = "ipv4_addr . inet_service"
    everywhere = [
        f'{e.host} comment "{app} {e.ref}" : {e.address} . {e.port}'
        for app, e in leads
        if e.bind == _ALL
    ]
    there = [
        f'{e.bind} . {e.host} comment "{app} {e.ref}" : {e.address} . {e.port}'
        for app, e in leads
        if e.bind != _ALL
    ]
    return (
        _set("everywhere", f"inet_service : {target}", everywhere, kind="map")
        + _set("there", f"ipv4_addr . inet_service : {target}", there, kind="map")
        + _LEADING
    )


def _set(name: str, type_: str, elements: list[str], more: str = "", kind: str = "set") -> str:
    listed = ",\n      ".join(elements)
    filled = f"    elements = {{\n      {listed}\n    }}\n" if elements else ""
    return f"  {kind} {name} {{\n    type {type_}\n{more}{filled}  }}\n"


def _networks(ranges: Iterable[str]) -> tuple[list[Network], list[Network]]:
    """Return ranges of which none contains or continues another: a set takes no others."""
    found = [ipaddress.ip_network(each) for each in ranges]
    four = [n for n in found if isinstance(n, ipaddress.IPv4Network)]
    six = [n for n in found if isinstance(n, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four)], [*ipaddress.collapse_addresses(six)]


def isolations(listing: str, lan: Ranges = LAN_RANGES) -> tuple[IsolationSpec, ...] | None:
    """Return what a table, as `nft -j` lists it, enforces; None where it is not as we make it."""
    try:
        items = cast("list[Json]", json.loads(listing)["nftables"])
        sets = {s["name"]: s.get("elem", []) for s in _of(items, "set")}
        chains = _of(items, "chain")
        leads = _leads(items)
        hooks = _HOOKS + (_LEADING_HOOKS if leads else [])
        rules_ = _RULES + (_LEADING_RULES if leads else 0)
        if [c.get("hook") for c in chains] != hooks or len(_of(items, "rule")) != rules_:
            return None
        if _networks((*_listed(sets["lan4"]), *_listed(sets["lan6"]))) != _networks(lan):
            return None
        found = _read(sets, leads)
        if leads.keys() - {i.app for i in found}:
            return None
        if {tuple(e["concat"]) for e in sets["inside"]} != {(i.interface,) * 2 for i in found}:
            return None
        named = {*_passages(sets["passages"]), *sets["outward"], *sets["lan"]}
    except (ValueError, KeyError, TypeError):
        return None
    if named - {i.interface for i in found} or {*sets["lan"]} - {*sets["outward"]}:
        return None
    return found


def of_another_make(listing: str) -> tuple[IsolationSpec, ...]:
    """
    Return what can be read of a table of another version, or of other settings.

    It counts as no rules, and is replaced: with these, so that nobody is let out meanwhile.
    """
    try:
        items = cast("list[Json]", json.loads(listing)["nftables"])
        sets = {s["name"]: s.get("elem", []) for s in _of(items, "set")}
        before = {"outward": [_value(e) for e in sets["members"]], "lan": [], **sets}
        return _read(before, _leads(items))
    except (ValueError, KeyError, TypeError):
        return ()


def _read(sets: Mapping[str, list[Any]], leads: Mapping[str, Lead]) -> tuple[IsolationSpec, ...]:
    outward, wide = frozenset(sets["outward"]), frozenset(sets["lan"])
    passages = _passages(sets["passages"])
    apps = {str(_value(e)): _comment(e) for e in sets["members"]}
    found = (
        IsolationSpec(
            app, i, tuple(passages.get(i, ())), _egress(i, outward, wide), leads.get(app)
        )
        for i, app in apps.items()
    )
    return tuple(sorted(found, key=lambda i: i.app))


def _leads(items: list[Json]) -> Mapping[str, Lead]:
    """Return where ports lead, by app."""
    maps = {m["name"]: m.get("elem", []) for m in _of(items, "map")}
    asked = [((_ALL, _value(key)), key, value) for key, value in maps.get("everywhere", [])]
    asked += [(_value(key)["concat"], key, value) for key, value in maps.get("there", [])]
    found: dict[str, Lead] = {}
    for (bind, host), key, value in asked:
        app, _, ref = _comment(key).partition(" ")
        address, port = value["concat"]
        found[app] = Lead(ref, str(bind), int(host), str(address), int(port))
    return found


def _egress(interface: str, outward: frozenset[str], wide: frozenset[str]) -> Egress:
    if interface in wide:
        return Egress.LAN
    return Egress.INTERNET if interface in outward else Egress.NONE


def _listed(elements: list[Any]) -> Iterator[str]:
    """Yield the ranges of a set; one that is no prefix is none that we wrote."""
    for element in elements:
        if isinstance(element, str):
            yield element
        else:
            yield f"{element['prefix']['addr']}/{element['prefix']['len']}"


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
