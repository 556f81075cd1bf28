"""Containers that were made by hand become an app's, as they run."""

import json
import threading
import time
import urllib.request

import pytest
from e2e.box import IMAGE, PATIENCE, app
from git_server import free_port as any_port

pytestmark = [pytest.mark.podman, pytest.mark.e2e]
SERVE = "echo hello > /www/index.html; exec busybox httpd -f -p 8080 -h /www"


@pytest.fixture
def free_port():
    return any_port()


def by_hand(it, *, port, command=SERVE, name="web", more=()):
    """Run a container as somebody would who confines it as manifests do."""
    volume = f"{it.instance}-web-data:/www"
    confined = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    where = ("--publish", f"127.0.0.1:{port}:8080", "--volume", volume)
    it.podman("run", "-d", "--name", name, *confined, *where, *more, IMAGE, "sh", "-c", command)
    return inspected(it, name)


def inspected(it, name):
    return json.loads(it.podman("inspect", name))[0]


def write(it, port, **container):
    """Write the manifest that says the same."""
    volumes = [{"type": "volume", "name": "data", "target": "/www"}]
    ports = [{"host": port, "container": 8080}]
    container = {"volumes": volumes, "ports": ports, "tmpfs": [], **container}
    return it.write("web", command=SERVE, container=container)


def leave_alone(it):
    """Say that the app is left as it is, before the loop ever sees it."""
    word = {"suspend": {"app": "web", "keep_running": True}}
    (it.desired / "web.suspend.yml").write_text(json.dumps(word))


def served(port, path="index.html"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=2) as reply:
        return reply.read().decode().strip()


class Visitor(threading.Thread):
    """Asks again and again, and remembers the longest time without an answer."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.gap, self.answers = port, threading.Event(), 0.0, 0

    def run(self):
        last = time.monotonic()
        while not self.over.wait(0.02):
            try:
                served(self.port)
            except OSError:
                continue
            now = time.monotonic()
            self.gap, last, self.answers = max(self.gap, now - last), now, self.answers + 1

    def stop(self):
        self.over.set()
        self.join(5)
        return self.gap


def adopted(it, port, **more):
    """Have a container that was made by hand adopted; return it as it was before."""
    before = by_hand(it, port=port, **more)
    leave_alone(it)
    write(it, port)
    it.start()
    told = it.json("adopt", "web", "--yes")
    assert [c["standing"] for c in told["containers"]] == ["same"], told
    assert told["changed"]
    it.run("resume", "web")
    it.wait_ready("web")
    it.wait(lambda s: app(s, "web")["reason"] == "InSync", "rest")
    assert it.status()["anomalies"] == []
    return before


def same_run(it, before):
    after = inspected(it, "web")
    assert after["Id"] == before["Id"]
    return after["State"]["Pid"] == before["State"]["Pid"]


def test_a_container_made_by_hand_is_taken_over_as_it_runs(box, free_port):
    it = box()
    visitor = Visitor(free_port)
    visitor.start()
    before = adopted(it, free_port)
    gap = visitor.stop()
    assert same_run(it, before)
    networks = inspected(it, "web")["NetworkSettings"]["Networks"]
    assert list(networks) == [f"{it.instance}-web"]
    assert visitor.answers > 0
    assert gap < PATIENCE, "nobody was answered for long"
    print(f"the longest time without an answer: {gap:.3f} s")
    assert served(free_port) == "hello"
    assert app(it.status(), "web")["containers"][0]["id"] == before["Id"]
    assert it.run("adopt", "web", "--yes").stdout.strip().endswith("web is ours.")
    it.run("audit", "verify", "--against-runtime")


def test_what_was_adopted_is_kept_running_updated_and_removed_as_ours(box, free_port):
    it = box()
    before = adopted(it, free_port)
    it.stop()
    it.start().wait_ready("web")
    assert same_run(it, before), "a new loop knows it as well"
    it.podman("kill", "web")
    it.wait(lambda s: app(s, "web")["containers"][0]["pid"] != before["State"]["Pid"], "a start")
    it.wait_ready("web")
    assert not same_run(it, before)
    assert it.status()["anomalies"] == []
    it.podman("exec", "web", "sh", "-c", "echo kept > /www/kept")
    write(it, free_port, environment={"A": "b"})
    it.wait(lambda s: app(s, "web")["containers"][0]["id"] != before["Id"], "one of ours")
    it.wait(lambda _: "web" not in it.podman("ps", "-a", "--format", "{{.Names}}").split(), "end")
    it.wait_ready("web")
    assert served(free_port, "kept") == "kept"
    volume = f"{it.instance}-web-data"
    inventory = json.loads((it.state / it.instance / "adopted/inventory.json").read_text())
    assert inventory == {"format": 1, "containers": {}, "volumes": {volume: "web"}}
    it.delete("web")
    it.run("confirm", "removal", "--yes")
    it.wait_gone("web")
    it.run("purge", "web", "--yes")
    assert volume not in it.podman("volume", "ls", "-q").split()


def test_what_differs_is_named_and_left_alone(box, free_port):
    it = box()
    told = {"command": f"true; {SERVE}", "more": ("--env", "SECRET=x1y2", "--restart", "always")}
    before = by_hand(it, port=free_port, name="old", **told)
    leave_alone(it)
    write(it, free_port)
    it.start()
    done = it.run("adopt", "web", "--yes", check=False)
    assert done.returncode == 1
    assert "main: no container was found for it; say --container main=CONTAINER" in done.stdout
    done = it.run("adopt", "web", "--container", "main=old", "--yes", check=False)
    assert done.returncode == 1
    assert "it runs `sh -c true; echo hello" in done.stdout
    assert "it has the variable SECRET, the manifest does not set it" in done.stdout
    assert "note: Podman restarts it by itself (always)" in done.stdout
    assert "x1y2" not in done.stdout + done.stderr
    assert "Nothing is changed" in done.stdout
    assert not (it.state / it.instance / "adopted/inventory.json").exists()
    it.stop()
    after = inspected(it, "old")
    assert (after["Id"], after["State"]["Pid"]) == (before["Id"], before["State"]["Pid"])
    it.podman("rm", "-f", "-t", "0", "old")


def test_nobody_is_asked_where_nobody_can_answer(box, free_port):
    it = box()
    by_hand(it, port=free_port)
    leave_alone(it)
    write(it, free_port)
    done = it.run("adopt", "web", check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "cannot ask whether to adopt web: nobody is there to answer; say --yes",
    )
    assert "main: web (" in done.stdout
    done = it.run("adopt", "nobody", "--yes", check=False)
    assert "cannot find the app `nobody`: there are web" in done.stderr
    done = it.run("adopt", "web", "--container", "other=web", "--yes", check=False)
    assert "cannot adopt web: it has no container other" in done.stderr
    for wrong in ("web", "=web", "main="):
        done = it.run("adopt", "web", "--container", wrong, check=False)
        assert f"cannot use --container {wrong}" in done.stderr
    it.podman("rm", "-f", "-t", "0", "web")
