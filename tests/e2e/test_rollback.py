"""An update that never gets well is taken back, and tells why; whoever is killed meanwhile."""

import json
import random
import signal
import time

import pytest
from e2e.box import IMAGE, app, condition, ready

pytestmark = pytest.mark.e2e

WELL = "mkdir -p /tmp/w; echo $COLOUR > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w"
ILL = "mkdir -p /tmp/w; exec busybox httpd -f -p 8080 -h /tmp/w"  # no page: 404
CHECK = {"type": "http", "endpoint": "http://localhost:8080/index.html"}
CHECK |= {"interval": "1s", "timeout": "1s", "retries": 2}
UPDATE = {"health_deadline": "4s"}
QUICK = {"ARCHIPELAGO_WINDOW": "2"}


def write(it, colour, command=WELL, **more):
    environment = {"COLOUR": colour}
    more = {"update": UPDATE, **more}
    return it.write("web", command=command, environment=environment, health_check=CHECK, **more)


def rolled_back(it, name="web", patience=60):
    return it.wait(
        lambda s: (
            condition(s, name, "Ready")["reason"] == "RolledBack"
            and condition(s, name, "Ready")["status"]
            and app(s, name)["action"] == "keep"
        ),
        f"{name} rolled back",
        patience,
    )


def page(it, name="web", container="main"):
    """What is served now."""
    found, asks = it.container(name, container)["Id"], ("/bin/busybox", "wget", "-qO-")
    return it.podman("exec", found, *asks, "http://127.0.0.1:8080/", check=False)


def events(it, name="web"):
    told = it.json("events", name, "--tail", "1000")["events"]
    return [(e["kind"], e["reason"], e["level"]) for e in told]


def test_an_update_that_never_gets_well_is_rolled_back_and_retried_when_asked(box):  # noqa: PLR0915 - one story
    it = box()
    write(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    first = it.container("web")["Id"]
    write(it, "blue", ILL)
    status = rolled_back(it)
    assert it.container("web")["Id"] == first, "the very container of before"
    assert len(it.containers()) == 1, "the failed one is gone"
    assert page(it) == "red"
    told = condition(status, "web", "Stalled")
    assert (told["status"], told["reason"]) == (True, "RolledBack")
    assert "404" in told["message"]
    assert "`archipelago retry web`" in told["message"]
    assert condition(status, "web", "Ready")["message"] == told["message"]
    assert [e for e in events(it) if e[0] == "stalled"] == [("stalled", "RolledBack", "error")]

    it.stop(signal.SIGKILL)  # it is remembered, also by the next life
    it.start(**QUICK)
    rolled_back(it)
    assert it.container("web")["Id"] == first

    it.podman("kill", first)  # and drift is repaired to what is good
    it.wait(lambda s: ready(s, "web") and it.containers(running=True), "the repair")
    assert it.container("web")["Id"] == first

    retried = it.json("retry", "web")
    assert retried["changed"] is True
    it.wait(lambda s: len(it.containers()) == 2, "another try")
    rolled_back(it)
    assert page(it) == "red"

    write(it, "green")
    it.wait(lambda s: ready(s, "web") and page_is(it, "green"), "the edit")
    it.wait(lambda s: len(it.containers()) == 1 and app(s, "web")["reason"] == "InSync", "one")
    assert it.run("retry", "web").stdout.startswith("web has nothing to be tried again")


def page_is(it, colour):
    """Whether one container runs and serves that; it may be gone the moment after."""
    running = [c["Id"] for c in it.containers(running=True).values()]
    asks = ("/bin/busybox", "wget", "-qO-", "http://127.0.0.1:8080/")
    return len(running) == 1 and it.podman("exec", *running, *asks, check=False) == colour


def test_the_one_before_is_kept_until_the_new_one_has_served_for_its_window(box):
    it = box()
    write(it, "red")
    it.start(ARCHIPELAGO_WINDOW="6")
    it.wait_ready("web")
    first = it.container("web")["Id"]
    write(it, "blue")
    status = it.wait(lambda s: ready(s, "web") and page_is(it, "blue"), "the update")
    status = it.wait(lambda s: app(s, "web")["reason"] == "PreviousKept", "the wait")
    assert first in {c["Id"] for c in it.containers().values()}
    assert not condition(status, "web", "Reconciling")["status"]
    it.wait(lambda s: app(s, "web")["reason"] == "InSync", "the end of the window")
    assert {c["Id"] for c in it.containers().values()} == {it.container("web")["Id"]}


def test_a_newer_edit_ends_the_wait_for_the_older_at_once(box):
    it = box()
    write(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    write(it, "blue", ILL, update={"health_deadline": "1h"})
    it.wait(lambda s: app(s, "web")["reason"] in {"Starting", "Unhealthy", "BackOff"}, "the try")
    write(it, "green", update={"health_deadline": "1h"})
    it.wait(lambda s: ready(s, "web") and page_is(it, "green"), "the newer edit")
    it.wait(lambda s: len(it.containers()) == 1, "one container")


def pair(it, revision, *, ill=False):
    """An app of two containers, of which the second waits for the first to be healthy."""
    common = {"image": IMAGE, "stop_grace_period": 0, "tmpfs": ["/tmp"]}
    common |= {"environment": {"COLOUR": revision}}
    containers = {
        "db": {**common, "command": ["sh", "-c", ILL if ill else WELL], "health_check": CHECK},
        "main": {
            **common,
            "command": ["sh", "-c", "echo $COLOUR >> /data/log; " + WELL],
            "depends_on": {"db": "healthy"},
            "volumes": [{"name": "data", "target": "/data"}],
        },
    }
    document = {"app": {"id": "web", "name": "Web", "containers": containers, "update": UPDATE}}
    (it.desired / "web.yml").write_text(json.dumps(document))


def assert_both_are(it, colour):
    assert page(it, container="db") == colour
    assert page(it, container="main") == colour
    label = "label=io.archipelago.app=web"
    assert len(it.containers(label)) == 2


def test_all_containers_of_an_app_go_back_together_and_its_data_stays(box):
    it = box()
    pair(it, "red")
    it.write("shop", command="exec sleep 9999", dependencies=["web"])
    it.start(**QUICK)
    it.wait_ready("web", "shop")
    shop = it.container("shop")["Id"]
    pair(it, "blue", ill=True)
    rolled_back(it)
    assert_both_are(it, "red")
    assert it.container("shop")["Id"] == shop
    it.wait_ready("shop")
    main = it.container("web")["Id"]
    assert it.podman("exec", main, "/bin/busybox", "cat", "/data/log").split() == ["red", "red"]


def failures(it, name="web"):
    """How many revisions were given up."""
    told = json.loads((it.state / it.instance / "failed" / "failed.json").read_text())
    return len(told["failed"][name])


@pytest.mark.parametrize("seed", [1])
def test_killed_in_the_middle_of_a_rollback_the_next_loop_ends_it(box, seed):
    it, chance = box(), random.Random(seed)
    pair(it, "red")
    it.start(**QUICK)
    it.wait_ready("web")
    for turn in range(3):
        pair(it, f"ill-{turn}", ill=True)
        it.wait(lambda s: condition(s, "web", "Stalled")["status"] is False, "the edit")
        it.wait(lambda s, n=turn: failures(it) == n + 1, "the decision", 60)
        time.sleep(chance.uniform(0, 0.6))
        it.stop(signal.SIGKILL)
        it.start(**QUICK)
        rolled_back(it)
        assert_both_are(it, "red")


def test_without_rollback_it_stays_and_asks_for_a_person(box):
    it = box()
    write(it, "red", update={"rollback": False, **UPDATE})
    it.start(**QUICK)
    it.wait_ready("web")
    write(it, "blue", ILL, update={"rollback": False, **UPDATE})
    status = it.wait(lambda s: condition(s, "web", "Stalled")["status"], "the deadline", 60)
    assert not ready(status, "web")
    assert condition(status, "web", "Stalled")["reason"] in {"HealthDeadline", "CrashLoop"}


def test_apply_tells_that_an_update_was_rolled_back(box):
    it = box()
    write(it, "red")
    assert it.run("apply").returncode == 0
    write(it, "blue", ILL)
    done = it.run("apply", check=False)
    assert done.returncode == 1
    assert "was rolled back" in done.stdout
    assert page(it) == "red"


def test_a_crash_loop_is_told_once_with_its_last_words_and_without_secrets(box):
    it = box()
    it.write(
        "bad",
        container={
            "image": IMAGE,
            "command": ["sh", "-c", 'echo begins; echo "the token is $TOKEN"; exit 7'],
            "secret_env": [{"key": "TOKEN", "secret": "token"}],
        },
        generated_secrets=[{"name": "token", "kind": "hex32"}],
    )
    it.start()
    status = it.wait(lambda s: condition(s, "bad", "Stalled")["status"], "the loop", 60)
    secret = it.json("secret", "bad", "token")["value"]
    told = condition(status, "bad", "Stalled")
    assert told["reason"] == "CrashLoop"
    assert told["message"].startswith("main ended with exit code 7; it printed last: ")
    assert told["message"].endswith("begins / the token is ***")
    assert [e for e in events(it, "bad") if e[0] == "stalled"] == [
        ("stalled", "CrashLoop", "error")
    ]
    kept = [f for f in it.state.rglob("*") if f.is_file() and "secrets" not in f.parts]
    assert all(secret not in f.read_text(errors="replace") for f in kept)
    assert secret not in it.output.read_text()
    assert status["anomalies"] == [], "it is told as what it is, and no more"
    it.write("bad", command="exec sleep 9999")
    it.wait_ready("bad")
