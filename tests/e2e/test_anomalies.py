"""What is odd on a real machine is told; an ordinary day, with checks of every kind, is not."""

import pytest
from e2e.box import IMAGE, PATIENCE, condition

pytestmark = pytest.mark.e2e

CHECK = {"type": "exec", "command": ["busybox", "true"], "interval": "1s"}
QUIET = 60.0  # for so long after its start a loop takes commands for those of another one


def told(it):
    """What was ever told to be odd, by kind."""
    events = it.json("events", "--tail", "1000")["events"]
    return {e["reason"] for e in events if e["kind"] == "anomaly"}


def runs(it, app):
    """Which containers of an app run, each with its process."""
    containers = it.containers(f"label=io.archipelago.app={app}", running=True).values()
    return {(c["Id"], c["Pid"]) for c in containers}


def test_an_ordinary_day_is_quiet(box):
    it = box()
    it.write("web", health_check=CHECK, resources={"memory_limit": "32Mi", "pids_limit": 20})
    it.write("db", volumes=[{"name": "data", "target": "/data"}])
    it.start()
    it.wait_ready("web", "db")
    first = runs(it, "web")
    it.write("web", health_check=CHECK, version="2", container={"environment": {"A": "1"}})
    it.wait(lambda _: not runs(it, "web") & first, "web is another one")
    it.wait_ready("web")
    first = runs(it, "db")
    it.podman("kill", it.container("db")["Id"])
    it.wait(lambda _: runs(it, "db") - first, "db is started again")
    it.wait_ready("db")
    it.write("bad", command="exit 1")
    it.wait(lambda s: condition(s, "bad", "Stalled")["reason"] == "CrashLoop", "bad keeps ending")
    it.stop()
    it.start()
    it.wait_ready("web", "db")
    it.run("suspend", "db")
    it.wait(lambda s: not condition(s, "db", "Ready")["status"], "db is stopped")
    it.run("resume", "db")
    it.wait_ready("web", "db")
    assert it.status()["anomalies"] == []
    assert told(it) == set()
    it.stop()
    assert it.run("audit", "verify", "--against-runtime").returncode == 0


def test_what_is_odd_is_told(box):
    it = box()
    limits = {"memory_limit": "16Mi", "pids_limit": 30}
    it.write("web", health_check=CHECK, resources=limits)
    it.write("db", resources=limits)
    it.start()
    it.wait_ready("web", "db")
    labels = {"instance": it.instance, "app": "web", "container": "main", "digest": "1-a"}
    ours = [w for k, v in labels.items() for w in ("--label", f"io.archipelago.{k}={v}")]
    it.podman("create", "--name", f"intruder-{it.instance}", *ours, IMAGE, "true")
    it.wait(lambda _: "Unexplained" in told(it), "the intruder is told")
    greedy = "busybox dd if=/dev/zero of=/dev/null bs=64M count=1"
    wanted = {"ForeignExec", "MemoryLimitHit"}

    def seen(status):
        it.podman("exec", it.container("db")["Id"], "busybox", "sh", "-c", greedy, check=False)
        return {a["kind"] for a in status["anomalies"]} >= wanted

    it.wait(seen, "commands and the limit are told", QUIET + PATIENCE)
    shown = it.run("status").stdout
    assert "db: somebody ran a command in main from outside" in shown
    assert {a["app"] for a in it.status()["anomalies"]} == {"db"}
    assert told(it) == {"Unexplained", *wanted}
    on_record = it.json("audit", "--tail", "1000")["entries"]
    assert wanted <= {e["reason"] for e in on_record if e.get("about") == "anomaly"}
