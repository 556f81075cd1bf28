"""Who reaches whom, tried from inside the apps: what was declared and nothing else."""

import json
import subprocess
import time

import pytest
from e2e.box import IMAGE, app, condition, ready

pytestmark = [pytest.mark.podman, pytest.mark.e2e]

# Two doors, of which others may be let in by one.
TWO_DOORS = (
    "mkdir -p /tmp/w; echo ok > /tmp/w/index.html; busybox httpd -p 9090 -h /tmp/w;"
    " exec busybox httpd -f -p 8080 -h /tmp/w"
)
CHECK = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s"}
WAIT = 15.0
PORT = 18087


def inside(box, app, *command, container="main"):
    """Run a command in an app's container; return its exit code and what it printed."""
    ref = box.container(app, container)["Id"]
    done = subprocess.run(
        ["podman", "exec", ref, "busybox", *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def reaches(box, app, host, port, container="main"):
    """Whether a program in the app gets an answer; 4 s are for the name server to give up."""
    code, told = inside(
        box,
        app,
        "timeout",
        "4",
        "busybox",
        "wget",
        "-qO-",
        f"http://{host}:{port}",
        container=container,
    )
    return code == 0 and told == "ok\n"


def becomes(box, wanted, *where, seconds=WAIT):
    ends = time.monotonic() + seconds
    while reaches(box, *where) is not wanted and time.monotonic() < ends:
        time.sleep(0.1)
    return reaches(box, *where) is wanted


def address(box, app, container="main"):
    ref = box.container(app, container)["Id"]
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    found = subprocess.run(
        ["podman", "inspect", "--format", form, ref], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def started(box, app):
    container = box.container(app)
    return container["Id"], container["StartedAt"]


@pytest.fixture
def street(box, busybox_image):
    """`db` with two doors, `shop` that may come in by one, `thief` who may not."""
    made = box()
    made.write("db", command=TWO_DOORS, health_check=CHECK)
    made.write(
        "shop",
        command=TWO_DOORS,
        health_check=CHECK,
        dependencies=[{"app_id": "db", "ports": [8080]}],
        ports=[{"host": PORT, "container": 9090, "bind": "0.0.0.0"}],
    )
    made.write("thief", command=TWO_DOORS, health_check=CHECK)
    made.approve("shop")  # its port is open to other machines
    made.start().wait_ready("db", "shop", "thief")
    return made


def test_the_declared_port_is_reached_and_nothing_else(street):
    box, db = street, address(street, "db")
    assert reaches(box, "shop", "db", 8080)
    assert reaches(box, "shop", "main.db", 8080)
    assert reaches(box, "shop", db, 8080)
    assert not reaches(box, "shop", "db", 9090)
    for host in (db, address(box, "shop")):
        for port in (8080, 9090):
            assert not reaches(box, "thief", host, port)
    # Not the other way, not by name, and not by the published port of another app.
    assert not reaches(box, "db", address(box, "shop"), 8080)
    assert not reaches(box, "thief", "db", 8080)
    gateway = address(box, "thief").rpartition(".")[0] + ".1"
    assert not reaches(box, "thief", gateway, PORT)
    assert reaches(box, "thief", "localhost", 9090)
    assert reaches(box, "thief", "main", 9090)
    fetched = ["timeout", "5", "busybox", "wget", "-qO-", f"http://127.0.0.1:{PORT}"]
    assert subprocess.run(fetched, capture_output=True, check=True).stdout == b"ok\n"


def test_connections_change_without_a_restart(street):
    box, before = street, started(street, "thief")
    box.write(
        "thief",
        command=TWO_DOORS,
        health_check=CHECK,
        connections=[{"to": "shop", "ports": [8080, 9090]}],
    )
    box.approve("thief")
    assert becomes(box, True, "thief", "shop", 8080)
    assert becomes(box, True, "thief", "shop", 9090)
    assert not reaches(box, "thief", address(box, "db"), 8080)
    box.write("thief", command=TWO_DOORS, health_check=CHECK)
    assert becomes(box, False, "thief", "shop", 8080)
    assert started(box, "thief") == before
    events = [
        e["message"] for e in box.json("events", "thief")["events"] if e["reason"] == "Applied"
    ]
    assert sum("isolated" in message for message in events) == 2


def test_an_open_connection_ends_with_its_passage(street):
    """Every packet is judged, not only the first."""
    box = street
    ref = box.container("shop")["Id"]
    talk = subprocess.Popen(
        ["podman", "exec", "-i", ref, "busybox", "nc", "db", "8080"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    time.sleep(1)
    box.write(
        "shop",
        command=TWO_DOORS,
        health_check=CHECK,
        dependencies=["db"],
        ports=[{"host": PORT, "container": 9090, "bind": "0.0.0.0"}],
    )
    assert becomes(box, False, "shop", address(box, "db"), 8080)
    talk.stdin.write("GET / HTTP/1.0\r\n\r\n")
    talk.stdin.flush()
    time.sleep(2)
    talk.kill()
    assert "ok" not in talk.communicate()[0]


def test_the_name_outlives_the_dependency_and_its_address(street):
    box, db = street, address(street, "db")
    before = started(box, "shop")
    ref = box.container("db")["Id"]
    subprocess.run(["podman", "rm", "-f", "-t", "0", ref], check=True, capture_output=True)
    box.wait(lambda s: ready(s, "db") and app(s, "db")["containers"][0]["id"] != ref, "db again")
    assert address(box, "db") == db
    assert becomes(box, True, "shop", "db", 8080)
    # Somebody else has its address now: it gets another one, and the name follows.
    box.run("suspend", "db")
    box.wait(lambda s: app(s, "db")["containers"][0]["state"] == "exited", "db suspended")
    taker = ["run", "-d", "--network", f"{box.instance}-db", "--ip", db, "--pull", "never"]
    box.podman(*taker, "--name", f"{box.instance}-taker", IMAGE, "busybox", "sleep", "1000")
    try:
        box.run("resume", "db")
        box.wait_ready("db")
        assert address(box, "db") != db
        assert becomes(box, True, "shop", "db", 8080)
        assert started(box, "shop") == before
    finally:
        box.podman("rm", "-f", "-t", "0", f"{box.instance}-taker")


def test_rules_that_somebody_flushed_come_back_by_themselves(street):
    box, table = street, f"archipelago-{street.instance}"
    db = address(box, "db")
    subprocess.run(["nft", "delete", "table", "inet", table], check=True)
    assert becomes(box, False, "thief", db, 8080)
    assert becomes(box, True, "shop", "db", 8080)
    assert not reaches(box, "shop", db, 9090)
    rules = subprocess.run(
        ["nft", "-a", "list", "chain", "inet", table, "forward"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    handle = next(r.rpartition(" ")[2] for r in rules.splitlines() if "@members oifname" in r)
    one = ["nft", "delete", "rule", "inet", table, "forward", "handle", handle]
    subprocess.run(one, check=True)
    assert becomes(box, False, "thief", db, 8080)


def test_at_rest_and_for_a_second_look_there_is_nothing_to_do(street):
    plan = street.run("plan", "--detailed-exitcode", check=False)
    assert plan.returncode == 0, plan.stdout
    street.stop()
    plan = street.run("plan", "--detailed-exitcode", check=False)
    assert plan.returncode == 0, plan.stdout


def test_rules_go_with_their_apps(street):
    box = street
    for gone in ("shop", "db", "thief"):
        box.delete(gone)
    (box.desired / "other.yml").write_text(
        json.dumps(
            {
                "app": {
                    "id": "other",
                    "name": "other",
                    "container": {
                        "image": "localhost/test/busybox:1",
                        "command": ["busybox", "sleep", "1000"],
                        "stop_grace_period": 0,
                    },
                }
            }
        )
    )
    box.wait(lambda s: [a["id"] for a in s["apps"]] == ["other"], "the others to go")
    box.wait_ready("other")
    listed = subprocess.run(
        ["nft", "-j", "list", "table", "inet", f"archipelago-{box.instance}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "other" in listed
    assert "thief" not in listed
    assert "shop" not in listed


def test_a_container_that_was_connected_by_hand_is_put_right(street):
    """No event of Podman's tells of it; the kernel does, since its rules change."""
    box, before = street, started(street, "thief")
    name = box.container("thief")["Names"][0]
    own = f"{box.instance}-thief"
    box.podman("network", "connect", f"{box.instance}-db", name)
    box.wait(lambda s: box.container("thief")["Networks"] == [own], "out of the other network")
    assert not reaches(box, "thief", address(box, "db"), 8080)
    box.podman("network", "disconnect", own, name)
    box.wait(lambda s: box.container("thief")["Networks"] == [own], "in its own network again")
    assert reaches(box, "thief", "main", 8080)
    assert started(box, "thief") == before


def test_who_has_no_way_out_knows_its_own_and_whom_it_is_connected_to(street):
    """Nobody is asked for a name: it would be passed on."""
    box = street
    parts = {
        name: {
            "image": IMAGE,
            "command": ["busybox", "sh", "-c", TWO_DOORS],
            "stop_grace_period": 0,
            "tmpfs": ["/tmp"],
            "network_aliases": [f"{name}-too"],
        }
        for name in ("web", "cache")
    }
    safe = {"id": "safe", "name": "safe", "containers": parts}
    safe |= {"network": {"egress": "none"}, "dependencies": [{"app_id": "db", "ports": [8080]}]}
    (box.desired / "safe.yml").write_text(json.dumps({"app": safe}))
    box.wait_ready("safe")
    before = started_part(box, "safe", "web")
    for host in ("web", "web-too", "cache", "cache-too"):
        assert becomes(box, True, "safe", host, 9090, "web"), host
    assert reaches(box, "safe", "db", 8080, "web")
    assert not reaches(box, "safe", "db", 9090, "web")
    asked = ("timeout", "3", "busybox", "nslookup", "cache")
    assert inside(box, "safe", *asked, container="web")[0] != 0
    # The name server of its network answers again; nothing was restarted.
    del safe["network"]
    (box.desired / "safe.yml").write_text(json.dumps({"app": safe}))
    ends = time.monotonic() + WAIT
    while inside(box, "safe", *asked, container="web")[0] and time.monotonic() < ends:
        time.sleep(0.1)
    assert inside(box, "safe", *asked, container="web")[0] == 0
    assert started_part(box, "safe", "web") == before
    plan = box.run("plan", "--detailed-exitcode", check=False)
    assert plan.returncode == 0, plan.stdout


def started_part(box, app, container):
    found = box.container(app, container)
    return found["Id"], found["StartedAt"]


def lines(box, app):
    told = box.run("isolation", app, "--output", "json", check=False)
    found = json.loads(told.stdout)["lines"]
    return told.returncode, {x["to"]: (x["declared"], x["as_declared"]) for x in found}


def test_what_is_reached_is_tried_and_told(street):
    box = street
    box.wait(
        lambda s: all(
            condition(s, a, "NetworkIsolated")["status"] for a in ("db", "shop", "thief")
        ),
        "every app to be tried",
    )
    told = condition(box.status(), "shop", "NetworkIsolated")
    assert (told["reason"], told["message"]) == ("Isolated", "")
    code, found = lines(box, "shop")
    assert code == 0
    assert found == {
        "addresses of links": (False, True),
        "this machine": (False, True),
        "db:8080": (True, True),
        "db:9": (False, True),
        "thief:8080": (False, True),
    }
    # Rules of others: what we let pass they may refuse.
    block = f"add rule inet others f ip daddr {address(box, 'db')} drop"
    hook = "add chain inet others f { type filter hook forward priority 0; }"
    script = f"add table inet others\n{hook}\n{block}\n"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    try:
        code, found = lines(box, "shop")
        assert (code, found["db:8080"]) == (1, (True, False))
        box.podman("restart", "-t", "0", box.container("shop")["Id"])
        words = "it does not reach db:8080"
        box.wait(
            lambda s: condition(s, "shop", "NetworkIsolated")["message"] == words, "to be told"
        )
        assert words in box.run("status").stdout
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "others"], check=True)
    box.podman("restart", "-t", "0", box.container("shop")["Id"])
    box.wait(lambda s: condition(s, "shop", "NetworkIsolated")["status"], "to be fine again")
    events = [e for e in box.json("events", "shop")["events"] if e["kind"] == "isolation"]
    assert [e["reason"] for e in events] == ["CutOff", "Isolated"]
