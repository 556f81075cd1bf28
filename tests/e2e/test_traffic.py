"""What is asked of Podman at rest, and by verbs that only look: nothing that changes anything."""

import re
import signal
import time
from collections import Counter

import pytest
from e2e.box import app, condition, ready
from e2e.proxy import Proxy

pytestmark = pytest.mark.e2e

HTTP = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s", "timeout": "1s"}


@pytest.fixture
def proxy(tmp_path, podman_socket):
    made = Proxy(tmp_path / "proxy.sock", podman_socket)
    yield made
    made.close()


@pytest.fixture
def it(box, proxy):
    made = box()
    made.flags["podman"] = f"unix://{proxy.path}"
    volumes, key = [{"name": "data", "target": "/data"}], {"name": "key", "kind": "hex32"}
    made.write("web", health_check=HTTP, volumes=volumes, generated_secrets=[key])
    made.write("db")
    made.write("shop", dependencies=["db"])
    return made


def eventually(wanted, patience=10.0):
    ends = time.monotonic() + patience
    while not wanted() and time.monotonic() < ends:
        time.sleep(0.01)
    return wanted()


def lists(asked):
    """How often all containers and all networks were asked for."""
    return Counter(a.what for a in asked if a.what in {"/containers/json", "/networks/json"})


def at_rest(it, *apps):
    """Wait until all are ready, and were measured and tried for the first time."""
    it.wait_ready(*apps)
    it.wait(
        lambda s: all(condition(s, a, "NetworkIsolated")["status"] for a in apps),
        "what they reach to be tried",
    )
    it.wait(lambda s: app(s, "web")["disk"]["bytes"] is not None, "its volume to be measured")


def test_at_rest_a_pass_asks_for_one_list_of_containers_and_one_of_networks(it, proxy):
    it.start(ARCHIPELAGO_INTERVAL="1")
    at_rest(it, "web", "db", "shop")
    number = it.status()["pass"]["number"]
    it.wait(lambda s: s["pass"]["number"] > number, "rest")
    with proxy.recording() as asked:
        before = it.status()["pass"]["number"]
        it.wait(lambda s: s["pass"]["number"] >= before + 5, "five passes", patience=30)
        after = it.status()["pass"]["number"]
    mutating = [a for a in asked if a.mutates]
    assert mutating == []
    told = lists(asked)
    # A pass that had begun, or had not yet been told of, when the recording began or ended.
    for what in ("/containers/json", "/networks/json"):
        assert after - before <= told[what] <= after - before + 1, told
    assert {a.what for a in asked} == {"/containers/json", "/networks/json"}


def test_forced_passes_change_nothing_either(it, proxy):
    """A signal asks for a pass, and for the size of the volumes; an hour is the interval."""
    it.start()
    at_rest(it, "web", "db", "shop")
    proxy.wait_until_quiet()
    with proxy.recording() as asked:
        begun = lists(proxy.asked)
        for number in range(1, 6):
            it.process.send_signal(signal.SIGHUP)
            looks = {what: begun[what] + number for what in begun}
            assert eventually(lambda n=looks: lists(proxy.asked) == n), f"pass {number}"
    assert [a for a in asked if a.mutates] == []
    assert lists(asked) == {"/containers/json": 5, "/networks/json": 5}
    others = {a.what for a in asked} - {"/containers/json", "/networks/json"}
    assert all(re.fullmatch(r"/volumes/[^/]+-web-data/json", what) for what in others)


@pytest.mark.parametrize("loop", [True, False], ids=["beside a loop", "without a loop"])
def test_plan_and_status_only_look(it, proxy, loop):
    it.start()
    at_rest(it, "web", "db", "shop")
    if not loop:
        it.process.terminate()  # its status stays: it knows what is healthy
        it.process.wait(30)
        # Something to plan, that nobody may act on.
        it.write("new")
        it.delete("shop")
    before = sorted(it.containers())
    proxy.wait_until_quiet()
    with proxy.recording() as asked:
        planned = it.json("plan")
        told = it.json("status")
        it.run("plan")
        it.run("status")
        it.run("status", "web")
    assert [a for a in asked if a.mutates] == []
    assert sorted(it.containers()) == before
    assert ready(told, "web")
    acts = {c["app"]: c["action"] for c in planned["changes"] if c["action"] != "keep"}
    assert acts == ({} if loop else {"new": "install", "shop": "remove"})
    # Beside a loop, its status is read from a file: only the two plans ask.
    looks = 2 if loop else 5
    assert lists(asked) == {"/containers/json": looks, "/networks/json": looks}


def test_the_proxy_hears_what_changes_things(it, proxy):
    """Else the tests above would prove nothing."""
    with proxy.recording() as asked:
        it.start()
        it.wait_ready("web", "db", "shop")
    words = {(a.method, a.what.rpartition("/")[2]) for a in asked if a.mutates}
    assert {("POST", "create"), ("POST", "start")} <= words
