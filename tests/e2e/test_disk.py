"""What an app holds is measured, and more than its limit is said, while it goes on serving."""

import json
import signal

import pytest
from e2e.box import SERVE, app, condition

pytestmark = pytest.mark.e2e
WRITE = "busybox dd if=/dev/zero of=/data/big bs=1024 count=3000 2>/dev/null;"


def within(status):
    return condition(status, "web", "WithinDiskLimit")


def told(it):
    lines = (it.state / it.instance / "events.jsonl").read_text().splitlines()
    return [e["reason"] for e in map(json.loads, lines) if e["kind"] == "disk"]


def it_tells(it, *reasons):
    """Wait until it told exactly these: events are written after the status."""
    it.wait(lambda _: told(it) == [*reasons], f"{reasons} told")


def measured(it, wanted, what):
    """Have volumes measured at once, and wait for what is wanted."""
    it.process.send_signal(signal.SIGHUP)
    return it.wait(lambda s: wanted(app(s, "web")["disk"]["bytes"] or 0, within(s)), what)


def start(it):
    """Have an app that writes three times as much as it may."""
    it.write(
        "web",
        command=WRITE + SERVE,
        volumes=[{"name": "data", "target": "/data"}],
        resources={"disk_limit": "1Mi"},
    )
    it.start()
    it.wait_ready("web")


def crash(it):
    """End the loop without a word; what it wrote down stays."""
    it.process.kill()
    it.process.wait(30)
    it.process = None


def test_an_app_over_its_disk_limit_serves_and_is_told_of_once(box):
    it = box()
    start(it)
    first = it.container("web")["Id"]
    full = measured(it, lambda size, c: size > 3_000_000 and not c["status"], "the overrun")
    assert within(full)["reason"] == "DiskLimitExceeded"
    assert within(full)["message"] == "its volumes hold more than its disk limit of 1 MiB"
    assert app(full, "web")["disk"]["limit"] == 2**20
    assert condition(full, "web", "Ready")["status"]
    assert not condition(full, "web", "Stalled")["status"]
    it_tells(it, "DiskLimitExceeded")
    page = it.run("status", "web").stdout
    assert "MiB of 1 MiB" in page
    assert "holds more" not in page
    assert "its volumes hold more than its disk limit of 1 MiB" in it.run("status").stdout

    it.podman("exec", first, "/bin/busybox", "sh", "-c", "echo more > /data/more")
    before = app(full, "web")["disk"]["bytes"]
    measured(it, lambda size, c: size > before and not c["status"], "a little more")
    crash(it)
    it.start()
    again = it.wait(lambda s: s["pass"]["number"] < full["pass"]["number"], "the next loop")
    assert app(again, "web")["disk"]["bytes"] > before
    measured(it, lambda size, c: size > before and not c["status"], "a measurement of its own")
    assert within(it.status())["reason"] == "DiskLimitExceeded"
    assert within(again)["last_transition"] == within(full)["last_transition"]
    it_tells(it, "DiskLimitExceeded")

    it.podman("exec", first, "/bin/busybox", "rm", "/data/big")
    roomy = measured(it, lambda size, c: size < 2**20 and c["status"], "the end of the overrun")
    assert within(roomy)["reason"] == "WithinLimit"
    it_tells(it, "DiskLimitExceeded", "WithinLimit")
    assert it.container("web")["Id"] == first, "it was never touched"


def test_apply_is_content_with_an_app_over_its_limit(box):
    it = box()
    start(it)
    measured(it, lambda size, c: size > 3_000_000 and not c["status"], "the overrun")
    it.stop()
    assert it.run("apply").returncode == 0
