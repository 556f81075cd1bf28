"""An app that hands over loses no request: neither to an update, nor to one that fails."""

import http.client
import random
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest
from e2e.box import app, ready

pytestmark = pytest.mark.e2e

PORT = 18080
WELL = "mkdir -p /tmp/w; echo $COLOUR > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w"
ILL = "mkdir -p /tmp/w; exec busybox httpd -f -p 8080 -h /tmp/w"  # no page: 404
CHECK = {"type": "http", "endpoint": "http://localhost:8080/index.html"}
CHECK |= {"interval": "1s", "timeout": "1s", "retries": 2}
QUICK = {"ARCHIPELAGO_WINDOW": "2"}
AT_ONCE = 4


class Load:
    """Clients that ask one after the other, each request on a connection of its own."""

    def __init__(self, port=PORT):
        self.port, self.answers, self.failures = port, Counter(), []
        self.longest = 0.0
        self._over, self._lock = threading.Event(), threading.Lock()
        self._clients = [threading.Thread(target=self._ask) for _ in range(AT_ONCE)]

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for client in self._clients:
            client.join()

    def _ask(self):
        served = time.monotonic()
        while not self._over.wait(0.002):
            try:
                told = page(self.port)
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(repr(error))
                continue
            now = time.monotonic()
            with self._lock:
                self.answers[told] += 1
                self.longest = max(self.longest, now - served)
            served = now

    def wait(self, colour, patience=45.0):
        """Wait until that is what is answered."""
        ends = time.monotonic() + patience
        while not self.answers[colour] and time.monotonic() < ends:
            time.sleep(0.01)
        assert self.answers[colour], (self.answers, self.failures[:3])


def page(port=PORT):
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        asked.request("GET", "/index.html")
        answer = asked.getresponse()
        told = answer.read().decode().strip()
        if answer.status != 200:
            raise http.client.HTTPException(f"{answer.status} {told}")
        return told
    finally:
        asked.close()


def write(it, colour, command=WELL, strategy="blue-green", **more):
    update = {"strategy": strategy, "health_deadline": "4s"}
    container = {"stop_grace_period": "2s", "ports": [{"host": PORT, "container": 8080}]}
    more = {"environment": {"COLOUR": colour}, "health_check": CHECK, "update": update, **more}
    return it.write("web", command=command, container=container, **more)


def settled(it):
    it.wait(lambda s: len(it.containers()) == 1 and app(s, "web")["reason"] == "InSync", "rest")


def test_no_request_is_lost_by_an_update(box):
    it = box()
    write(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    with Load() as load:
        load.wait("red")
        for colour in ("blue", "green"):
            write(it, colour)
            load.wait(colour)
            settled(it)
    assert load.failures == []
    assert set(load.answers) == {"red", "blue", "green"}
    assert page() == "green"


def test_no_request_is_lost_by_an_update_that_fails(box):
    it = box()
    write(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    first = it.container("web")
    with Load() as load:
        load.wait("red")
        write(it, "blue", ILL)
        it.wait(lambda s: app(s, "web")["reason"] == "RolledBack", "the way back", 60)
        it.wait(lambda s: len(it.containers()) == 1, "its end")
    assert load.failures == []
    assert set(load.answers) == {"red"}
    after = it.container("web")
    assert (after["Id"], after["StartedAt"]) == (first["Id"], first["StartedAt"]), "never stopped"
    assert all(c["status"] for c in app(it.status(), "web")["conditions"] if c["type"] == "Ready")


def test_the_usual_way_loses_some(box):
    """Else the tests above would prove nothing."""
    it = box()
    write(it, "red", strategy="replace")
    it.start(**QUICK)
    it.wait_ready("web")
    with Load() as load:
        load.wait("red")
        write(it, "blue", strategy="replace")
        load.wait("blue")
    assert load.failures


@pytest.mark.parametrize("seed", [1])
def test_no_request_is_lost_when_the_loop_is_killed_on_the_way(box, seed):
    it, chance = box(), random.Random(seed)
    write(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    with Load() as load:
        load.wait("red")
        for number in range(4):
            write(it, f"new{number}")
            it.wait(lambda s: len(it.containers(running=True)) == 2, "both")
            time.sleep(chance.uniform(0, 1.5))  # anywhere between two steps, or in one
            it.stop(signal.SIGKILL)
            it.start(**QUICK)
            load.wait(f"new{number}")
            settled(it)
    assert load.failures == []


def test_a_flush_and_a_death_are_made_good(box):
    it = box()
    write(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    it.podman("kill", it.container("web")["Id"])
    it.wait(lambda s: app(s, "web")["action"] != "keep" or not ready(s, "web"), "its end")
    it.wait_ready("web")
    assert eventually(lambda: page() == "red")
    subprocess.run(["nft", "delete", "table", "inet", f"archipelago-{it.instance}"], check=True)
    assert eventually(lambda: page() == "red")
    it.wait_ready("web")
    it.run("suspend", "web")
    it.wait(lambda s: app(s, "web")["reason"] == "Suspended", "the stop")
    assert eventually(refused), "nobody is led to what does not run"
    it.run("resume", "web")
    assert eventually(lambda: page() == "red")
    it.write("other", command="exec sleep 9999")
    it.delete("web")
    it.wait_gone("web")
    it.wait_ready("other")
    listing = ["nft", "list", "table", "inet", f"archipelago-{it.instance}"]
    table = subprocess.run(listing, capture_output=True, text=True, check=True)
    assert "hook forward" in table.stdout
    assert "hook prerouting" not in table.stdout


def refused():
    try:
        page()
    except ConnectionRefusedError:
        return True
    return False


def eventually(wanted, patience=30.0):
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        try:
            if wanted():
                return True
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.01)
    return False
