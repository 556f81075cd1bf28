"""The data of an app outlives it, comes back with it, and is deleted when somebody says so."""

import json
import os
import pty
import subprocess

import pytest
from e2e.box import COMMAND, SERVE, app, condition

pytestmark = [pytest.mark.podman, pytest.mark.e2e]
KEYED = {
    "volumes": [{"name": "data", "target": "/data"}],
    "generated_secrets": [{"name": "key", "kind": "hex32"}],
}


def write(it):
    container = {"secret_env": [{"key": "KEY", "secret": "key"}]}
    it.write("web", command=f"echo $KEY >> /data/keys; {SERVE}", container=container, **KEYED)


def keys(it):
    inside = it.container("web")["Id"]
    return it.podman("exec", inside, "busybox", "cat", "/data/keys").split()


def removed(it):
    it.run("remove", "web")
    it.wait_gone("web")


def purges(it):
    events = (it.state / it.instance / "events.jsonl").read_text().splitlines()
    return [e["reason"] for e in map(json.loads, events) if e["kind"] == "purge"]


def at_a_terminal(it, *arguments, typed):
    """Use a verb with a terminal as its standard input."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    done = subprocess.run(
        [COMMAND, *arguments, *it._common()],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=it.root,
    )
    os.close(ours)
    os.close(theirs)
    return done


def test_from_a_removal_to_the_same_data_and_to_its_end(box):
    it = box()
    write(it)
    it.write("db")
    it.start().wait_ready("web", "db")
    (first,) = keys(it)
    name = f"{it.instance}-web-data"
    assert "it is desired, by" in it.run("purge", "web", "--yes", check=False).stderr

    removed(it)
    write(it)
    it.wait_ready("web")
    assert keys(it) == [first, first], "its data, and the secret that it was made with"

    removed(it)
    refused = at_a_terminal(it, "purge", "web", typed="db")
    assert refused.returncode == 1
    assert "nothing is deleted" in refused.stderr
    done = at_a_terminal(it, "purge", "web", typed="web")
    assert done.returncode == 0, done.stderr
    assert f"  volume {name} (" in done.stdout
    assert "  secret key\n" in done.stdout
    assert first not in done.stdout + done.stderr
    assert it.json("volumes") == {"volumes": []}
    assert it.json("secret", "web")["secrets"] == []
    assert purges(it) == ["Purged"]
    write(it)
    it.wait_ready("web")
    (second,) = keys(it)
    assert second != first


def test_volumes_are_listed_with_what_they_hold_and_whose_they_are(box):
    it = box()
    write(it)
    it.write("db")
    it.start().wait_ready("web", "db")
    [volume] = it.json("volumes")["volumes"]
    name = f"{it.instance}-web-data"
    assert (volume["name"], volume["app"], volume["state"]) == (name, "web", "running")
    assert volume["bytes"] > 0
    removed(it)
    [row] = [line for line in it.run("volumes").stdout.splitlines() if name in line]
    assert " removed " in row


def test_data_whose_secret_was_lost_while_its_app_was_away_is_held(box):
    it = box()
    write(it)
    it.write("db")
    it.start().wait_ready("web", "db")
    (first,) = keys(it)
    removed(it)
    secret = it.state / it.instance / "secrets" / "web" / "key"
    kept = secret.read_text()
    secret.unlink()
    write(it)
    told = it.wait(lambda s: app(s, "web")["reason"] == "SecretLost", "the hold")
    assert condition(told, "web", "Stalled")["status"]
    assert "archipelago purge web" in app(told, "web")["message"]
    secret.write_text(kept)
    it.run("suspend", "db")
    it.wait_ready("web")
    assert keys(it) == [first, first]


def test_a_strangers_container_and_a_volume_without_our_label_keep_everything(box):
    it = box()
    write(it)
    it.write("db")
    it.start().wait_ready("web", "db")
    removed(it)
    stranger, foreign = f"{it.instance}-stranger", f"{it.instance}-db-data"
    mount = f"{it.instance}-web-data:/data"
    it.podman("create", "--name", stranger, "-v", mount, "localhost/test/busybox:1", "true")
    it.podman("volume", "create", foreign)
    try:
        told = it.run("purge", "web", "--yes", check=False)
        assert told.returncode == 1
        assert f"is used by {stranger}; remove that first" in told.stderr
        assert it.json("secret", "web")["secrets"] == ["key"]
        removed_db = it.run("remove", "db")
        assert "purge db" in removed_db.stdout
        it.wait_gone("db")
        refused = it.run("purge", "db", "--yes", check=False).stderr
        assert f"{foreign} is named as its volumes are, and does not carry our label" in refused
    finally:
        it.podman("rm", "-f", stranger)
        it.podman("volume", "rm", foreign)
    assert it.run("purge", "web", "--yes").returncode == 0
