"""What a user does, with the installed command, on real Podman."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from e2e.box import COMMAND, SERVE, app, condition, ready

pytestmark = pytest.mark.e2e
CHECK = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s", "timeout": "1s"}


def test_a_file_becomes_a_healthy_container_and_follows_the_file(box):
    it = box()
    it.write("anchor", command="exec sleep 9999")
    it.start()
    path = it.write("web", health_check=CHECK, environment={"COLOUR": "red"})
    status = it.wait_ready("web")
    first = it.container("web")
    assert app(status, "web")["health"] == "healthy"
    assert app(status, "web")["containers"][0]["id"] == first["Id"]

    it.write("web", health_check=CHECK, environment={"COLOUR": "blue"})
    it.wait(
        lambda s: (
            ready(s, "web")
            and app(s, "web")["containers"][0]["id"] != first["Id"]
            and len(app(s, "web")["containers"]) == 1
        ),
        "the update",
    )
    second = it.container("web")
    assert second["Id"] != first["Id"]
    assert it.podman("exec", second["Id"], "/bin/busybox", "sh", "-c", "echo $COLOUR") == "blue"

    text = path.read_text()
    path.write_text(text.replace('"container"', '"contaner"'))
    status = it.wait(lambda s: condition(s, "web", "Stalled")["status"], "the mistake")
    line = next(i for i, row in enumerate(text.splitlines(), 1) if '"container"' in row)
    assert f"{path}:{line}:" in app(status, "web")["message"]
    assert "did you mean `container`" in json.dumps(status["problems"])
    assert ready(status, "web")
    assert it.container("web")["Id"] == second["Id"]

    path.write_text("app: {id: web\n  name: [")
    status = it.wait(lambda s: any(p["line"] for p in s["problems"]), "the syntax error")
    assert it.container("web")["Id"] == second["Id"]

    path.write_text(text)
    it.wait_ready("web")
    assert it.container("web")["Id"] == second["Id"]

    it.delete("web")
    it.wait_gone("web")
    assert {c["Labels"]["io.archipelago.app"] for c in it.containers().values()} == {"anchor"}


def test_what_others_need_stays_and_goes_last_and_volumes_stay(box):
    it = box()
    it.write("anchor", command="exec sleep 9999")
    volume = [{"name": "data", "target": "/data"}]
    it.write("db", command="echo kept > /data/f; exec sleep 9999", volumes=volume)
    it.write("shop", dependencies=["db"])
    it.start()
    it.wait_ready("anchor", "db", "shop")
    before = it.container("db")["Id"]
    it.delete("db")
    status = it.wait(lambda s: app(s, "db")["reason"] == "RequiredBy", "the hold")
    assert app(status, "db")["message"] == "is required by shop"
    assert it.container("db")["Id"] == before
    it.delete("shop")
    it.wait_gone("db", "shop")
    ended = [
        (e["app"], e["reason"])
        for e in map(
            json.loads, (it.state / it.instance / "events.jsonl").read_text().splitlines()
        )
        if e.get("reason") == "NotDesired"
    ]
    order = list(dict.fromkeys(a for a, _ in ended))
    assert order.index("shop") < order.index("db")
    mounted = it.podman(
        "volume", "inspect", "--format", "{{.Mountpoint}}", f"{it.instance}-db-data"
    )
    assert (Path(mounted) / "f").read_text() == "kept\n"
    it.write("db", command="exec sleep 9999", volumes=volume)
    it.wait_ready("db")
    found = it.podman("exec", it.container("db")["Id"], "/bin/busybox", "cat", "/data/f")
    assert found == "kept"


@pytest.mark.parametrize("drift", ["rm", "stop", "kill"])
def test_drift_is_repaired_by_event_not_by_interval(box, drift):
    """The interval is an hour here."""
    it = box()
    it.write("web", health_check=CHECK)
    it.start()
    it.wait_ready("web")
    before = it.container("web")
    match drift:
        case "rm":
            it.podman("rm", "-f", "-t", "0", before["Id"])
        case "stop":
            # We may be quicker than its clean-up, of which it then complains.
            it.podman("stop", "-t", "0", before["Id"], check=False)
        case "kill":
            os.kill(before["Pid"], signal.SIGKILL)
    it.wait(
        lambda s: (
            ready(s, "web") and app(s, "web")["containers"][0]["pid"] not in {0, before["Pid"]}
        ),
        "the repair",
    )
    assert it.container("web")["Pid"] != before["Pid"]
    assert len(it.containers()) == 1
    with urllib_in(it.container("web")) as reply:
        assert reply.status == 200


def pid_of(status, name, container="main"):
    """The process of an app's container, 0 while it has none."""
    return next(c["pid"] for c in app(status, name)["containers"] if c["name"] == container)


def urllib_in(container):
    """Ask the container from the host, over its own address."""
    networks = container["Networks"]
    told = subprocess.run(
        ["podman", "inspect", "--format", "{{json .NetworkSettings.Networks}}", container["Id"]],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout
    address = json.loads(told)[networks[0]]["IPAddress"]
    return urllib.request.urlopen(f"http://{address}:8080/", timeout=5)


def test_several_containers_reach_each_other_by_name_and_start_in_order(box):
    it = box()
    container = {"image": "localhost/test/busybox:1", "stop_grace_period": 0, "tmpfs": ["/tmp"]}
    (it.desired / "pair.yml").write_text(
        json.dumps(
            {
                "app": {
                    "id": "pair",
                    "name": "Pair",
                    "containers": {
                        "main": {
                            **container,
                            "depends_on": {"db": "healthy", "init": "completed"},
                            "command": [
                                "sh",
                                "-c",
                                f"busybox timeout 2 busybox nc db 9000 > /data/said; {SERVE}",
                            ],
                            "volumes": [{"name": "data", "target": "/data"}],
                            "health_check": CHECK,
                        },
                        "db": {
                            **container,
                            "command": ["sh", "-c", "exec busybox nc -ll -p 9000 -e echo hello"],
                            "health_check": {"type": "tcp", "port": 9000, "interval": "1s"},
                        },
                        "init": {
                            **container,
                            "command": ["sh", "-c", "echo once >> /data/init"],
                            "restart": "no",
                            "volumes": [{"name": "data", "target": "/data"}],
                        },
                    },
                }
            }
        )
    )
    it.start()
    it.wait_ready("pair")
    main = it.container("pair")["Id"]
    assert it.podman("exec", main, "/bin/busybox", "cat", "/data/said") == "hello"
    pid = it.container("pair")["Pid"]
    it.podman("kill", main)
    it.wait(lambda s: ready(s, "pair") and pid_of(s, "pair") not in {0, pid}, "the repair")
    main = it.container("pair")["Id"]
    assert it.podman("exec", main, "/bin/busybox", "cat", "/data/init") == "once"


def test_strangers_are_never_touched(box):
    it = box()
    strange = f"{it.instance}-stranger"
    it.podman("network", "create", f"{strange}-net")
    it.podman("volume", "create", f"{strange}-vol")
    run = ("run", "-d", "--network", f"{strange}-net", "-v", f"{strange}-vol:/v")
    it.podman(*run, "--name", strange, "localhost/test/busybox:1", "/bin/busybox", "sleep", "9999")
    other = box("other")
    try:
        before = it.podman(
            "inspect", strange, "--format", "{{.Id}} {{.State.Pid}} {{.State.StartedAt}}"
        )
        for each in (it, other):
            each.write("web")
            each.start()
            each.wait_ready("web")
        assert it.run("remove", "web").returncode == 0
        it.wait_gone("web")
        assert it.containers() == {}
        assert len(other.containers(running=True)) == 1
        after = it.podman(
            "inspect", strange, "--format", "{{.Id}} {{.State.Pid}} {{.State.StartedAt}}"
        )
        assert after == before
        assert f"{strange}-vol" in it.podman("volume", "ls", "-q")
        assert f"{strange}-net" in it.podman("network", "ls", "--format", "{{.Name}}")
    finally:
        it.podman("rm", "-f", "-t", "0", strange, check=False)
        it.podman("network", "rm", "-f", f"{strange}-net", check=False)
        it.podman("volume", "rm", "-f", f"{strange}-vol", check=False)


def test_stopping_the_loop_leaves_the_apps_running(box):
    it = box()
    it.write("web")
    it.start()
    it.wait_ready("web")
    before = it.container("web")
    assert it.stop(signal.SIGINT) == 0
    assert it.container("web")["Pid"] == before["Pid"]
    it.start()
    it.wait_ready("web")
    assert it.container("web")["Pid"] == before["Pid"]


def test_a_second_loop_is_told_who_holds_the_lock(box):
    it = box()
    it.start()
    second = it.run("run", check=False)
    assert second.returncode == 1
    assert f"process {it.process.pid} since" in second.stderr


def test_a_second_loop_with_folders_of_its_own_is_told_as_well(box):
    it, other = box(), box("other")
    other.instance = it.instance
    it.write("web")
    it.start().wait_ready("web")
    before = it.container("web")["Id"]
    other.write("db")
    for verb in ("run", "apply"):
        second = other.run(verb, check=False)
        assert second.returncode == 1
        assert "another loop of this instance runs already" in second.stderr
        assert f"(process {it.process.pid} since 20" in second.stderr
    assert [c["Id"] for c in it.containers().values()] == [before]
    it.process.kill()
    it.process.wait(30)
    it.process = None
    it.write("db")
    it.start().wait_ready("web", "db")
    assert it.container("web")["Id"] == before


def test_a_vanished_directory_removes_nothing(box):
    it = box()
    it.write("web")
    it.start()
    it.wait_ready("web")
    before = it.container("web")["Pid"]
    it.desired.rename(it.root / "away")
    it.wait(lambda s: s["problems"], "the problem")
    time.sleep(1)
    assert it.container("web")["Pid"] == before
    (it.root / "away").rename(it.desired)
    it.wait(lambda s: not s["problems"], "the directory")
    it.delete("web")
    status = it.wait(lambda s: app(s, "web")["reason"] == "MassRemoval", "the hold")
    assert "confirm removal" in app(status, "web")["message"]
    assert it.container("web")["Pid"] == before
    told = it.run("confirm", "removal", "--yes")
    assert "web" in told.stdout
    it.wait_gone("web")


def test_a_folder_that_is_replaced_by_an_empty_one_removes_nothing_without_a_word(box):
    it = box()
    apps = ("a", "b", "c", "d")
    for name in apps:
        it.write(name)
    it.start().wait_ready(*apps)
    ids = {c["Id"] for c in it.containers(running=True).values()}
    away = it.root / "away"
    it.desired.rename(away)
    it.desired.mkdir()
    it.wait(lambda s: {app(s, a)["reason"] for a in apps} == {"MassRemoval"}, "the hold")
    assert {c["Id"] for c in it.containers(running=True).values()} == ids
    assert "a, b, c, d" in it.run("confirm", "removal", check=False).stdout
    it.desired.rmdir()
    away.rename(it.desired)
    it.wait_ready(*apps)
    assert {c["Id"] for c in it.containers(running=True).values()} == ids
    for name in apps[1:]:
        it.delete(name)
    it.wait_gone("b", "c", "d")
    assert it.container("a")["Id"] in ids


def test_a_word_on_a_removal_is_used_up_when_the_app_comes_back(box):
    it = box()
    it.write("web")
    it.start().wait_ready("web")
    it.run("remove", "web")
    it.wait_gone("web")
    word = it.state / it.instance / "confirmed/removals.json"
    told = json.loads(word.read_text())
    earlier = datetime.fromisoformat(told["confirmed"]["web"]) - timedelta(minutes=5)
    word.write_text(json.dumps({"confirmed": {"web": earlier.isoformat()}}))
    it.write("web")
    it.wait_ready("web")
    it.delete("web")
    it.wait(lambda s: app(s, "web")["reason"] == "MassRemoval", "the hold")
    it.container("web")


def test_suspend_and_resume(box):
    it = box()
    it.write("web")
    it.start()
    it.wait_ready("web")
    it.run("suspend", "web")
    it.wait(
        lambda s: app(s, "web")["action"] == "hold" and not it.containers(running=True), "the stop"
    )
    it.run("resume", "web")
    it.wait_ready("web")


def test_apply_plan_and_status_work_without_a_loop(box):
    it = box()
    it.write("web", health_check=CHECK)
    assert it.run("plan", "--detailed-exitcode", check=False).returncode == 2
    assert it.containers() == {}
    it.run("apply", "--timeout", "60s")
    assert it.run("plan", "--detailed-exitcode", check=False).returncode == 0
    status = it.json("status")
    assert ready(status, "web")
    assert app(status, "web")["containers"][0]["state"] == "running"
    it.write("bad", image="localhost/test/nowhere:1")
    done = it.run("apply", "--timeout", "3s", check=False)
    assert done.returncode == 1
    assert "localhost/test/nowhere:1" in done.stdout + done.stderr


def test_validate_tells_all_mistakes_at_once(box):
    it = box()
    one = it.write("web", image="nginx; rm -rf /")
    it.write("web", file="two.yml", resources={"memory_limit": "2Gigs"}, colour="red")
    done = it.run("validate", str(it.desired), check=False)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert f"{one}:" in told
    for word in ("`;`", "2Gigs", "colour"):
        assert word in told, told


def test_the_command_is_the_installed_one():
    assert COMMAND.exists()
    told = subprocess.run(
        [COMMAND, "--version"], capture_output=True, text=True, check=True, timeout=20
    )
    assert told.stdout.strip() == "0.1.0"
