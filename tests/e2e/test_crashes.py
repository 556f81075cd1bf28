"""
The reconciler and Podman's service are killed in the middle of their work; the apps are not.

Each kill comes at a moment of an update that a seeded draw picks. Afterwards the same is asserted:
what is desired runs, exactly that exists, nothing is doubled, and no data is lost.
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from e2e.box import IMAGE, ready, services

pytestmark = pytest.mark.e2e

CHECK = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s", "timeout": "1s"}
SERVE = (
    "mkdir -p /tmp/w; echo $REVISION > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w"
)
# What the first container ever wrote into the volume, and one line for each that came later.
KEEP_A_LOG = "[ -e /data/born ] || echo $REVISION > /data/born; echo $REVISION >> /data/log; "


def write(it, revision):
    """One edit that changes two apps, of which one has two containers and a volume."""
    it.write("web", command=SERVE, environment={"REVISION": str(revision)}, health_check=CHECK)
    common = {"image": IMAGE, "stop_grace_period": 0, "tmpfs": ["/tmp"]}
    common["environment"] = {"REVISION": str(revision)}
    containers = {
        "main": {
            **common,
            "command": ["sh", "-c", KEEP_A_LOG + SERVE],
            "depends_on": {"db": "started"},
            "volumes": [{"name": "data", "target": "/data"}],
        },
        "db": {**common, "command": ["sh", "-c", "exec sleep 9999"]},
    }
    document = {"app": {"id": "pair", "name": "Pair", "containers": containers}}
    (it.desired / "pair.yml").write_text(json.dumps(document))


def begin(it):
    """A box with the two apps, and a third that no edit concerns."""
    it.write("anchor", command="exec sleep 9999")
    write(it, 0)
    it.start()
    wait_for_revision(it, 0)
    return it.container("anchor")["Pid"]


def wait_for_revision(it, revision):
    it.wait(
        lambda s: (
            all(ready(s, a) for a in ("web", "pair", "anchor"))
            and all(a["action"] == "keep" for a in s["apps"])
            and revisions(it) == everything_at(revision)
        ),
        f"revision {revision}",
        patience=60,
    )


def everything_at(revision):
    return sorted(
        [
            ("anchor", "main", "running", None),
            ("pair", "db", "running", str(revision)),
            ("pair", "main", "running", str(revision)),
            ("web", "main", "running", str(revision)),
        ],
        key=repr,
    )


def revisions(it):
    """Every container there is, dead or alive, with the revision that it was made for."""
    found = it.containers()
    if not found:
        return []
    told = json.loads(it.podman("container", "inspect", *found, check=False) or "[]")
    rows = [
        (
            c["Config"]["Labels"]["io.archipelago.app"],
            c["Config"]["Labels"]["io.archipelago.container"],
            c["State"]["Status"],
            dict(e.split("=", 1) for e in c["Config"]["Env"]).get("REVISION"),
        )
        for c in told
    ]
    return sorted(rows, key=repr)


def assert_nothing_lost_or_doubled(it, revision, anchor):
    assert revisions(it) == everything_at(revision)
    assert all(Path(f"/proc/{c['Pid']}").exists() for c in it.containers().values())
    assert it.container("anchor")["Pid"] == anchor, "an app that nobody edited was touched"
    label = f"label=io.archipelago.instance={it.instance}"
    networks = it.podman("network", "ls", "--filter", label, "--format", "{{.Name}}").split()
    assert sorted(networks) == [f"{it.instance}-{a}" for a in ("anchor", "pair", "web")]
    assert it.podman("volume", "ls", "-q", "--filter", label).split() == [
        f"{it.instance}-pair-data"
    ]
    main = it.container("pair")["Id"]
    assert it.podman("exec", main, "/bin/busybox", "cat", "/data/born") == "0"
    log = it.podman("exec", main, "/bin/busybox", "cat", "/data/log").split()
    assert log[-1] == str(revision)
    assert log == sorted(log, key=int), "an old revision ran after a new one"


def kill_service(it):
    for pid in services(it):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("seed", "kills"), [(1, 8)])
def test_killed_in_the_middle_of_updates_the_next_loop_ends_them(box, seed, kills):
    it, chance = box(), random.Random(seed)
    anchor = begin(it)
    for revision in range(1, kills + 1):
        write(it, revision)
        time.sleep(chance.uniform(0, 0.6))
        it.stop(signal.SIGKILL)
        assert it.container("anchor")["Pid"] == anchor
        it.start()
        wait_for_revision(it, revision)
        assert_nothing_lost_or_doubled(it, revision, anchor)
        assert len(services(it)) == 1


def test_a_service_killed_in_the_middle_of_updates_is_replaced_and_they_are_ended(box):
    """The loop's interval is an hour: it goes on by what it hears and by its own back-off."""
    it, chance = box(), random.Random(2)
    anchor = begin(it)
    loop = it.process.pid
    for revision in range(1, 5):
        write(it, revision)
        time.sleep(chance.uniform(0, 0.6))
        kill_service(it)
        wait_for_revision(it, revision)
        assert_nothing_lost_or_doubled(it, revision, anchor)
        assert len(services(it)) == 1
    assert it.process.poll() is None
    assert it.process.pid == loop


def test_a_service_killed_at_rest_is_replaced_though_nothing_else_happens(box):
    """Else nobody would hear what is done by hand until the next interval, an hour from now."""
    it = box()
    it.write("web", command="exec sleep 9999")
    it.start().wait_ready("web")
    before = it.container("web")["Id"]
    for _ in range(2):
        served = services(it)
        kill_service(it)
        it.wait(lambda _, old=served: len(services(it)) == 1 and services(it) != old, "another")
    it.podman("network", "disconnect", "-f", f"{it.instance}-web", before)
    it.wait(lambda _: it.container("web")["Networks"] == [f"{it.instance}-web"], "the repair")
    assert it.container("web")["Id"] == before


def test_loop_and_service_killed_at_once_the_next_loop_starts_both(box):
    it, chance = box(), random.Random(3)
    anchor = begin(it)
    for revision in range(1, 5):
        write(it, revision)
        time.sleep(chance.uniform(0, 0.6))
        it.stop(signal.SIGKILL)
        kill_service(it)
        assert it.container("anchor")["Pid"] == anchor
        it.start()
        wait_for_revision(it, revision)
        assert_nothing_lost_or_doubled(it, revision, anchor)
        assert len(services(it)) == 1


def test_at_rest_a_killed_loop_leaves_all_running_and_the_next_takes_over_its_service(box):
    it = box()
    it.write("web", command="exec sleep 9999")
    it.start()
    it.wait_ready("web")
    before, serving = it.container("web"), services(it)
    assert len(serving) == 1
    for _ in range(3):
        it.stop(signal.SIGKILL)
        assert services(it) == serving
        it.start()
        it.wait_ready("web")
        assert services(it) == serving
        assert it.container("web")["Pid"] == before["Pid"]
    kill_service(it)
    it.write("late", command="exec sleep 9999")
    it.wait_ready("late")
    assert len(services(it)) == 1
    assert services(it) != serving
    assert it.container("web")["Pid"] == before["Pid"]


def test_killed_in_the_middle_of_a_removal_the_rest_goes_and_nothing_else(box):
    it, chance = box(), random.Random(4)
    anchor = begin(it)
    for round_ in range(3):
        it.delete("web")
        it.delete("pair")
        time.sleep(0.5 + chance.uniform(0, 0.5))  # a file is believed gone after half a second
        it.stop(signal.SIGKILL)
        it.start()
        it.wait_gone("web", "pair")
        assert revisions(it) == [("anchor", "main", "running", None)]
        write(it, round_ + 1)
        wait_for_revision(it, round_ + 1)
        assert_nothing_lost_or_doubled(it, round_ + 1, anchor)


def test_a_loop_that_starts_while_a_file_is_being_written_removes_nothing(box):
    """Dated in the future, a file looks as if it were being written at this moment."""
    it = box()
    it.write("anchor", command="exec sleep 9999")
    path = it.write("web", command="exec sleep 9999")
    it.start()
    it.wait_ready("web", "anchor")
    before = it.container("web")["Id"]
    it.stop(signal.SIGKILL)
    later = time.time() + 3600
    os.utime(path, (later, later))
    it.start()
    it.wait_ready("web", "anchor")
    assert it.container("web")["Id"] == before


def test_what_is_removed_by_force_is_not_started_in_between_and_nothing_runs_on(box):
    """Started while `podman rm -f` is at work, it would lose its container and run for ever."""
    it = box()
    it.write("web", command="exec sleep 4747")
    it.start()
    for _ in range(6):
        it.wait(lambda s: ready(s, "web") and len(it.containers(running=True)) == 1, "web")
        before = it.container("web")["Id"]
        it.podman("rm", "-f", "-t", "0", before)
        it.wait(
            lambda s, b=before: any(c["Id"] != b for c in it.containers(running=True).values()),
            "another container",
        )
        # The shell has become what it runs a moment after Podman says "running".
        it.wait(lambda _: sleeping(b"4747") >= 1, "its process")
        assert sleeping(b"4747") == 1
        it.stop()  # patience would grow
        it.start()


def sleeping(seconds):
    return sum(seconds in words for words in processes())


def processes():
    """The command line of every process here, conmon's and Podman's own apart."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:
            continue
        if words.startswith(b"sleep\0"):
            yield words
