"""What an app may do, from the question to the word and back, on real containers."""

import json
import urllib.request
from pathlib import Path

from e2e.box import PATIENCE, app, condition

from reconciler.model.permission import parse_permission

PORT = 18431
ASK = "`archipelago approve web` shows it, and asks"


def write(it, page, *capabilities, network="isolated"):
    """An app that serves a page, on a port of its own or on the machine's network."""
    security = {"capabilities": list(capabilities), "network_policy": network}
    ports = [] if network == "host" else [{"host": PORT, "container": 8080}]
    serve = f"mkdir -p /tmp/w; echo {page} > /tmp/w/index.html; exec busybox httpd -f -h /tmp/w -p"
    command = f"{serve} {PORT if network == 'host' else 8080}"
    it.write("web", command=command, security=security, ports=ports)


def page():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
        return answer.read().decode().strip()


def serves(wanted):
    """Whether the page is there, without a complaint while it is not yet."""

    def asked(_status):
        try:
            return page() == wanted
        except OSError:
            return False

    return asked


def held(it, reason="ApprovalRequired"):
    return it.wait(lambda s: app(s, "web")["reason"] == reason, f"held as {reason}")


def capabilities(it):
    """What the kernel lets the process have."""
    pid = json.loads(it.podman("inspect", it.container("web")["Id"]))[0]["State"]["Pid"]
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd"))


NET_RAW, SYS_TIME = 1 << 13, 1 << 25


def approved(it):
    it.approve("web")
    return it.wait_ready("web")


def test_what_nobody_approved_is_held_until_somebody_does(box):
    it = box()
    write(it, "one", "NET_RAW")
    it.start()
    told = app(held(it), "web")
    assert told["message"] == f"asks for what nobody approved: capability NET_RAW; {ASK}"
    assert it.containers() == {}
    alone = it.run("approve", "web", check=False)
    assert alone.returncode == 1
    assert "nobody is there to answer" in alone.stderr
    status = approved(it)
    assert condition(status, "web", "Approved")["status"]
    assert capabilities(it) == NET_RAW
    assert page() == "one"


def test_an_update_that_asks_for_more_waits_and_the_one_before_serves(box):
    it = box()
    write(it, "one", "NET_RAW")
    it.approve("web")
    it.start().wait_ready("web")
    it.wait(lambda _: (it.state / it.instance / "revisions" / "web.json").exists(), "its memory")
    before = it.container("web")["Id"]
    write(it, "two", "NET_RAW", network="host")
    told = app(held(it), "web")
    assert (
        told["message"] == f"an update waits: asks for what nobody approved: network host; {ASK}"
    )
    assert condition(it.status(), "web", "Ready")["status"]
    assert condition(it.status(), "web", "Stalled")["status"]
    assert it.container("web")["Id"] == before
    assert page() == "one"
    # It is repaired meanwhile, as it was.
    it.podman("kill", before)
    it.wait(lambda s: app(s, "web")["containers"][0]["pid"] and serves("one")(s), "its new start")
    it.podman("rm", "-f", "-t", "0", before)
    it.wait(serves("one"), "it made anew")
    it.stop()
    it.start()
    held(it)
    assert page() == "one"
    it.approve("web")
    it.wait(serves("two"), "the update", PATIENCE)
    it.wait_ready("web")
    assert "host" in json.dumps(json.loads(it.podman("inspect", it.container("web")["Id"])))


def test_less_is_asked_of_nobody_and_a_word_that_is_taken_back_is_shown(box):
    it = box()
    write(it, "one", "NET_RAW", "SYS_TIME")
    it.approve("web")
    it.start().wait_ready("web")
    assert capabilities(it) == NET_RAW | SYS_TIME
    write(it, "two", "NET_RAW")
    it.wait(serves("two"), "the narrower update")
    it.wait_ready("web")
    assert capabilities(it) == NET_RAW
    before = it.container("web")["Id"]
    it.run("approve", "web", "--revoke")
    it.wait(lambda s: not condition(s, "web", "Approved")["status"], "the revocation")
    told = condition(it.status(), "web", "Approved")
    assert told["reason"] == "ApprovalRequired"
    assert told["message"] == f"runs with what nobody approved: capability NET_RAW; {ASK}"
    it.podman("kill", before)
    it.wait(lambda s: app(s, "web")["containers"][0]["pid"] and serves("two")(s), "its new start")
    assert it.container("web")["Id"] == before
    kinds = [e["kind"] for e in it.json("events", "web")["events"]]
    assert "approval" in kinds


def test_the_policy_denies_by_name_and_may_have_stopped_what_is_not_approved(box):
    it = box()
    (it.root / "settings.toml").write_text("")
    policy = it.root / "policy.toml"
    it.flags["config"] = it.root / "settings.toml"
    policy.write_text('[[rule]]\nname = "calm"\nnever_capabilities = ["NET_RAW"]\n')
    policy.chmod(0o600)
    write(it, "one", "NET_RAW")
    it.start()
    told = app(held(it, "PolicyDenied"), "web")
    assert told["message"].startswith("the rule `calm` of the policy allows no capability NET_RAW")
    refused = it.run("approve", "web", "--yes", "--accept-permissions", "1-0", check=False)
    assert "cannot approve web: the rule `calm`" in refused.stderr
    policy.write_text('revoked = "stop"\n')
    approved(it)
    it.run("approve", "web", "--revoke")
    it.wait(lambda s: app(s, "web")["action"] == "hold", "it stopped")
    assert it.containers(running=True) == {}
    approved(it)
    policy.chmod(0o666)
    write(it, "two")
    told = app(held(it, "PolicyDenied"), "web")
    assert "may be written by others" in told["message"]
    assert page() == "one"


def test_an_install_is_asked_for_before_anything_is_written(box):
    it = box()
    manifest = it.root / "mine.yml"
    write(it, "one", "NET_RAW")
    (it.desired / "web.yml").rename(manifest)
    it.start()
    refused = it.run("install", "--manifest", str(manifest), check=False)
    assert "web requests:\n  - Capability: NET_RAW" in refused.stdout
    assert "nothing was written" in refused.stderr
    assert list(it.desired.iterdir()) == []
    (asked,) = it.json("permissions", str(manifest))["apps"]
    assert [parse_permission(p["permission"]).text for p in asked["permissions"]]
    it.run("install", "--manifest", str(manifest), "--yes", "--accept-permissions", asked["hash"])
    it.wait_ready("web")
    assert capabilities(it) == NET_RAW
