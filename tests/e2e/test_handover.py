"""An app that hands over loses no request: neither to an update, nor to one that fails."""

import http.client
import threading
import time
from collections import Counter

import pytest
from e2e.box import app

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
