"""The main job as an ordinary user, with Podman of that user: all the same but what is told."""

import os
import signal
import urllib.request
from pathlib import Path

import pytest
from e2e.box import SERVE, Box, app, condition, ready
from e2e.second_user import SecondUser

pytestmark = [pytest.mark.podman, pytest.mark.e2e]
CHECK = {"type": "http", "endpoint": "http://localhost:8080/index.html"}
CHECK |= {"interval": "1s", "timeout": "1s", "retries": 2}
ILL = "mkdir -p /tmp/w; exec busybox httpd -f -p 8080 -h /tmp/w"  # no page: 404
DATA = [{"name": "data", "target": "/data"}]


@pytest.fixture(scope="module")
def user(podman_cli, busybox_image, tmp_path_factory):
    """Somebody else than root, who has the image."""
    if os.geteuid() != 0:
        pytest.skip("only root can make another user")
    second = SecondUser()
    try:
        if why := second.why_not():
            pytest.skip(f"another user cannot have containers here: {why}")
        image = second.home / "image.tar"
        podman_cli("save", "-o", image, busybox_image)
        second.podman("load", "-i", image)
        yield second
    finally:
        second.leave()


@pytest.fixture
def box(user):
    """A box of that user."""
    made = []

    def make(name="box", **flags):
        root = user.home / f"{name}{len(list(user.home.iterdir()))}"
        it = Box(root, user.podman, **flags)
        it.command, it.environment, it.who = user.command, user.environment, user.who
        for folder in (root, it.desired, it.catalogue):
            user.own(folder)
        made.append(it)
        return it

    yield make
    leaks = [leak for each in made for leak in each.leaks()]
    for each in made:
        each.clean()
    assert not leaks


def inside(it, name, *command):
    """What a command prints in an app's container."""
    return it.podman("exec", it.container(name)["Id"], "/bin/busybox", *command)


def test_a_file_becomes_a_healthy_container_and_drift_is_repaired(box, user):
    it = box()
    it.write("anchor", command="exec sleep 9999")
    it.start()
    it.write("web", health_check=CHECK, volumes=DATA, environment={"COLOUR": "red"})
    status = it.wait_ready("web", "anchor")
    assert app(status, "web")["health"] == "healthy"
    first = it.container("web")
    assert Path(f"/proc/{first['Pid']}").stat().st_uid == user.who["user"]

    it.write("web", health_check=CHECK, volumes=DATA, environment={"COLOUR": "blue"})
    it.wait(
        lambda s: (
            ready(s, "web")
            and app(s, "web")["reason"] == "InSync"
            and app(s, "web")["containers"][0]["id"] != first["Id"]
        ),
        "the update",
    )
    assert inside(it, "web", "sh", "-c", "echo $COLOUR") == "blue"

    second = it.container("web")
    os.kill(second["Pid"], signal.SIGKILL)
    it.wait(
        lambda s: (
            ready(s, "web") and app(s, "web")["containers"][0]["pid"] not in {0, second["Pid"]}
        ),
        "the repair of a killed process",
    )
    it.podman("rm", "-f", "-t", "0", it.container("web")["Id"])
    it.wait(
        lambda s: (
            ready(s, "web") and app(s, "web")["containers"][0]["id"] not in {"", second["Id"]}
        ),
        "the repair of a removed container",
    )
    it.wait_ready("web")


def test_suspend_remove_and_what_verbs_say(box):
    it = box()
    it.write("anchor", command="exec sleep 9999")
    it.write("web", health_check=CHECK, volumes=DATA)
    it.start().wait_ready("web", "anchor")
    inside(it, "web", "sh", "-c", "echo kept > /data/f")

    it.run("suspend", "web")
    it.wait(
        lambda s: (
            app(s, "web")["action"] == "hold"
            and not it.containers("label=io.archipelago.app=web", running=True)
        ),
        "the stop",
    )
    it.run("resume", "web")
    it.wait_ready("web")

    it.run("remove", "web")
    it.wait_gone("web")
    assert f"{it.instance}-web-data" in it.podman("volume", "ls", "-q").split()
    networks = it.podman("network", "ls", "--format", "{{.Name}}").split()
    assert f"{it.instance}-web" not in networks
    it.write("web", health_check=CHECK, volumes=DATA)
    it.wait_ready("web")
    assert inside(it, "web", "cat", "/data/f") == "kept"

    for verb in (
        ["doctor"],
        ["permissions", "web"],
        ["isolation"],
        ["audit", "verify"],
        ["events"],
    ):
        it.run(*verb)
    assert "for this user alone (rootless)" in it.said
    assert "Sound:" in it.said


def test_an_update_that_never_gets_well_is_rolled_back(box):
    it = box()
    more = {"health_check": CHECK, "update": {"health_deadline": "4s"}}
    it.write("web", **more)
    it.start(ARCHIPELAGO_WINDOW="2")
    it.wait_ready("web")
    first = it.container("web")["Id"]
    it.write("web", command=ILL, **more)
    status = it.wait(
        lambda s: (
            condition(s, "web", "Ready")["reason"] == "RolledBack"
            and condition(s, "web", "Ready")["status"]
            and app(s, "web")["action"] == "keep"
        ),
        "the rollback",
    )
    assert it.container("web")["Id"] == first, "the very container of before"
    assert len(it.containers()) == 1
    assert "404" in condition(status, "web", "Stalled")["message"]


def test_order_secrets_files_and_names(box):
    it = box()
    it.write(
        "db",
        health_check=CHECK,
        generated_secrets=[{"name": "key", "kind": "hex32"}],
        files=[{"path": "/data/conf", "content": "key = {{ secrets.key }}\n"}],
        container={"secret_env": [{"key": "KEY", "secret": "key"}], "volumes": DATA},
    )
    once = f"busybox cat /data/conf > /data/seen; {SERVE}"
    it.write("shop", command=once, volumes=DATA, dependencies=["db"], health_check=CHECK)
    it.start()
    status = it.wait_ready("db", "shop")
    began = {name: app(status, name)["containers"][0]["started_at"] for name in ("db", "shop")}
    assert began["db"] <= began["shop"]
    key = (it.state / it.instance / "secrets/db/key").read_text().strip()
    assert inside(it, "db", "sh", "-c", "echo $KEY") == key
    assert inside(it, "db", "cat", "/data/conf") == f"key = {key}"
    assert inside(it, "db", "wget", "-qO-", "http://main:8080") == "ok"


def test_after_a_loss_of_power_all_are_started_again(box, user):
    it = box()
    data = f"echo life >> /data/lives; {SERVE}"
    it.write("db", command=data, health_check=CHECK, volumes=DATA)
    it.write("web", dependencies=["db"])
    it.start().wait_ready("db", "web")
    before = {name: it.container(name)["Id"] for name in ("db", "web")}
    user.lose_power()
    it.stop()
    assert it.containers(running=True) == {}
    it.start().wait_ready("db", "web")
    assert {name: it.container(name)["Id"] for name in before} == before
    assert inside(it, "db", "cat", "/data/lives").split() == ["life", "life"]


def test_what_is_not_enforced_for_a_user_is_told(box):
    it = box()
    it.write("db", container={"resources": {"memory_limit": "64Mi", "pids_limit": 64}})
    it.write("web", container={"ports": [{"host": 18080, "container": 8080}]})
    it.write("shop", dependencies=[{"app_id": "db", "ports": [8080]}])
    it.write("home", network={"egress": "none"})
    it.write("low", container={"ports": [{"host": 81, "container": 8080}]})
    it.start()
    status = it.wait(
        lambda s: (
            ready(s, "db")
            and ready(s, "web")
            and "ip_unprivileged_port_start" in app(s, "low")["message"]
        ),
        "what can run",
    )
    for name, message in (
        ("shop", "cannot be connected to db: firewall rules need root"),
        ("home", "its way out cannot be kept to none: firewall rules need root"),
    ):
        assert (app(status, name)["reason"], app(status, name)["message"]) == (
            "NotEnforceable",
            message,
        )
    assert condition(status, "db", "NetworkIsolated")["reason"] == "NotEnforceable"
    assert any("kept apart by Podman's networks alone" in n for n in status["notices"])
    assert "Nothing is enforced" in it.run("isolation").stdout
    confined = condition(status, "db", "Confined")
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        assert "whether the limits of main are in force is not known" in confined["message"]
    else:
        why = "control groups of version 1 are root's alone"
        assert confined["reason"] == "NotEnforceable"
        assert confined["message"] == f"the limits of main are not in force: {why}"
        assert [n for n in status["notices"] if n.startswith("no limit of an app") and why in n]
    # Podman's networks do keep apart, and the published port is there.
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = it.podman("inspect", "--format", form, it.container("db")["Id"])
    ask = f"timeout 2 busybox wget -qO- http://{address}:8080 || echo refused"
    assert inside(it, "db", "sh", "-c", ask) == "ok"
    assert inside(it, "web", "sh", "-c", ask).endswith("refused")
    with urllib.request.urlopen("http://127.0.0.1:18080", timeout=5) as page:
        assert page.read() == b"ok\n"


def test_files_of_other_users_in_a_container_are_measured_and_purged(box):
    it = box()
    write = "mkdir -m 700 /data/own; busybox dd if=/dev/zero of=/data/own/big bs=1M count=3; "
    container = {"user": "33:33", "volumes": DATA}
    it.write("anchor", command="exec sleep 9999")
    it.write("db", command=write + SERVE, container=container, health_check=CHECK)
    it.start().wait_ready("db", "anchor")
    (volume,) = [v for v in it.json("volumes")["volumes"] if v["app"] == "db"]
    assert volume["bytes"] > 3 * 2**20
    it.run("remove", "db")
    it.wait_gone("db")
    it.run("purge", "db", "--yes")
    assert f"{it.instance}-db-data" not in it.podman("volume", "ls", "-q").split()
