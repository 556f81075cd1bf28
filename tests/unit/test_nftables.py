"""The table of rules as text, and read back from what nft prints."""

import json
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.drivers.podman import nftables
from reconciler.drivers.podman.addresses import address_in
from reconciler.model.isolation import LAN_RANGES, Egress, IsolationSpec, Lead, Passage

WEB = IsolationSpec("web", "ar1", (Passage("db", "ar2", 53, "udp"), Passage("db", "ar2", 5432)))
DB = IsolationSpec("db", "ar2")
HOME = IsolationSpec("home", "ar3", (), Egress.LAN)
SAFE = IsolationSpec("safe", "ar4", (Passage("db", "ar2", 5432),), Egress.NONE)
ALL = (DB, HOME, SAFE, WEB)
GOLDEN = Path(__file__).parent.parent / "golden" / "firewall.nft"


def test_the_table_is_written_as_it_always_was(request):
    text = nftables.script("box", ALL)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


LED = Lead("0" * 64, "0.0.0.0", 80, "10.89.0.195", 8080)
HERE = Lead("1" * 64, "127.0.0.1", 8081, "10.89.1.196", 8080)
LEADING = (replace(DB, lead=HERE), HOME, replace(WEB, app="w" * 63, lead=LED))
LED_TABLE = GOLDEN.with_name("firewall-led.nft")


def test_a_table_that_leads_ports_is_written_as_it_always_was(request):
    text = nftables.script("box", LEADING)
    if request.config.getoption("--update-golden"):
        LED_TABLE.write_text(text)
    assert text == LED_TABLE.read_text()


def test_where_no_port_is_led_nothing_of_it_is_in_the_table():
    assert "type nat" not in nftables.script("box", ALL)
    assert "map" not in nftables.script("box", ALL)


@pytest.fixture(scope="module")
def led():
    """What nft 1.0.6 printed of the table that leads ports."""
    return json.loads((GOLDEN.parent / "firewall-led.json").read_text())


def test_where_ports_lead_is_read_back(led):
    assert nftables.isolations(json.dumps(led)) == LEADING
    assert nftables.of_another_make(json.dumps(led)) == LEADING


@pytest.mark.parametrize("kind", ["chain", "rule"])
def test_a_table_that_leads_and_lacks_anything_is_no_table_of_ours(led, kind):
    items = led["nftables"]
    for number, item in enumerate(items):
        if kind in item:
            less = {"nftables": items[:number] + items[number + 1 :]}
            assert nftables.isolations(json.dumps(less)) is None


def test_a_table_that_leads_for_nobody_or_a_stranger_is_no_table_of_ours(led):
    text = json.dumps(led)
    assert nftables.isolations(text.replace('"db ' + "1" * 64, '"other ' + "1" * 64)) is None
    items = [item for item in led["nftables"] if "map" not in item]
    assert nftables.isolations(json.dumps({"nftables": items})) is None


def test_the_order_of_apps_means_nothing():
    assert nftables.script("box", ALL) == nftables.script("box", ALL[::-1])


def test_without_apps_there_is_no_table():
    text = nftables.script("box", ())
    assert text.splitlines() == ["table inet archipelago-box", "delete table inet archipelago-box"]


@pytest.fixture(scope="module")
def listing():
    """What nft 1.0.6 printed of that table, and what of it may be taken away."""
    return json.loads((GOLDEN.parent / "firewall.json").read_text())


def test_what_is_listed_is_what_was_written(listing):
    assert nftables.isolations(json.dumps(listing)) == ALL
    assert nftables.rules(json.dumps(listing))


@pytest.mark.parametrize("kind", ["chain", "rule", "set"])
def test_a_table_that_lacks_anything_is_no_table_of_ours(listing, kind):
    items = listing["nftables"]
    for number, item in enumerate(items):
        if kind in item:
            less = {"nftables": items[:number] + items[number + 1 :]}
            assert nftables.isolations(json.dumps(less)) is None


@pytest.mark.parametrize("name", ["members", "inside", "outward", "lan", "lan4", "lan6"])
def test_what_is_not_in_every_set_is_not_isolated_so(listing, name):
    changed = json.loads(json.dumps(listing))
    found = next(i["set"] for i in changed["nftables"] if i.get("set", {}).get("name") == name)
    found["elem"].pop()
    assert nftables.isolations(json.dumps(changed)) != ALL


def test_a_table_for_another_local_network_is_none_of_ours(listing):
    told = json.dumps(listing)
    assert nftables.isolations(told, ("192.168.7.0/24",)) is None
    assert nftables.isolations(told, (*reversed(LAN_RANGES), "10.1.0.0/16")) == ALL


def test_what_an_earlier_version_enforced_is_not_lost_while_it_is_replaced(listing):
    """Of a table with another chain nothing counts, and everybody in it stays shut in."""
    before = (GOLDEN.parent / "firewall-v1.json").read_text()
    assert nftables.isolations(before) is None
    kept = nftables.of_another_make(before)
    assert kept == (DB, WEB)
    assert {i.egress for i in kept} == {Egress.INTERNET}
    assert nftables.of_another_make(json.dumps(listing)) == ALL
    assert nftables.of_another_make("{}") == ()


def test_ranges_are_written_as_one_where_they_meet():
    halves = ("10.0.0.0/9", "10.128.0.0/9", "192.168.7.9")
    assert nftables.script("box", ALL, halves) == nftables.script(
        "box", ALL, ("10.0.0.0/8", "192.168.7.9/32")
    )


def test_a_single_address_is_read_back(listing):
    changed = json.loads(json.dumps(listing))
    sets = {i["set"]["name"]: i["set"] for i in changed["nftables"] if "set" in i}
    sets["lan4"]["elem"], sets["lan6"]["elem"] = ["192.168.7.9"], []
    assert nftables.isolations(json.dumps(changed), ("192.168.7.9",)) == ALL
    sets["lan4"]["elem"] = [{"range": ["192.168.7.9", "192.168.7.11"]}]
    assert nftables.isolations(json.dumps(changed), ("192.168.7.9",)) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nftables": [{"set": {}}]}', "null"])
def test_what_is_no_listing_is_no_table(text):
    assert nftables.isolations(text) is None
    assert nftables.rules(text) in {"", "[]"}


def test_a_changed_rule_is_seen(listing):
    changed = json.loads(json.dumps(listing))
    rule = next(i["rule"] for i in changed["nftables"] if "rule" in i)
    rule["expr"] = [{"accept": None}]
    assert nftables.rules(json.dumps(changed)) != nftables.rules(json.dumps(listing))


@pytest.mark.podman
def test_nft_takes_it_and_prints_what_is_in_the_golden_file(listing):
    try:
        text = nftables.script("box", ALL)
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
        printed = subprocess.run(
            ["nft", "-j", "list", "table", "inet", "archipelago-box"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert nftables.isolations(printed) == ALL
        # Of a port before it was led elsewhere, older ones do not know what it is.
        odd, known = '"0x35 [invalid type]"', nftables.rules(json.dumps(listing))
        assert nftables.rules(printed).replace(odd, "53") == known.replace(odd, "53")
    finally:
        subprocess.run(["nft", "-f", "-"], input=nftables.script("box", ()), text=True, check=True)


def test_the_address_is_the_one_that_is_not_the_loopbacks():
    table = """\
Local:
  +-- 0.0.0.0/1 2 0 2
        +-- 10.89.0.0/24 2 0 2
              |-- 10.89.0.253
                 /32 host LOCAL
              |-- 10.89.0.255
                 /32 link BROADCAST
        |-- 127.0.0.1
           /32 host LOCAL
"""
    assert address_in(table) == "10.89.0.253"
    assert address_in(table.partition("        +--")[0] + "        |-- 127.0.0.1\n") == ""
    assert address_in("") == ""
