"""What a box did is on record before it was done, and nobody can change that unseen."""

import subprocess
from contextlib import contextmanager

import pytest
from e2e.box import IMAGE, app, condition

pytestmark = pytest.mark.e2e


def sound(it, *options):
    done = it.run("audit", "verify", *options, check=False)
    return done.returncode == 0, done.stdout


def entries(it, *options):
    return it.json("audit", "--tail", "1000", *options)["entries"]


def test_everything_that_is_there_is_on_record(box, podman_cli):
    it = box()
    it.write("web", volumes=[{"name": "data", "target": "/data"}])
    it.start()
    it.wait_ready("web")
    assert sound(it, "--against-runtime") == (True, sound(it)[1])
    told = [(e["kind"], e.get("action"), e.get("result")) for e in entries(it, "--app", "web")]
    assert ("begin", "install", None) in told
    assert told.index(("begin", "install", None)) < told.index(("end", "install", "applied"))
    it.stop()  # it would remove at once what is under its label and not desired
    labels = {"instance": it.instance, "app": "web", "container": "main", "digest": "1-a"}
    ours = [w for k, v in labels.items() for w in ("--label", f"io.archipelago.{k}={v}")]
    podman_cli("create", "--name", "intruder", *ours, IMAGE, "true")
    try:
        good, words = sound(it, "--against-runtime")
    finally:
        podman_cli("rm", "-f", "intruder")
    assert not good
    assert "container intruder is there, and no entry says that we made it" in words
    assert sound(it, "--against-runtime")[0]
    (name,) = it.containers()
    podman_cli("rm", "-f", "-t", "0", name)
    podman_cli("create", "--name", name, *ours, IMAGE, "true")
    good, words = sound(it, "--against-runtime")
    assert not good
    assert f"container {name} is there, and no entry says that we made it" in words


def test_a_loop_that_was_killed_leaves_a_sound_log(box):
    it = box()
    it.write("web")
    it.start()
    it.wait_ready("web")
    it.process.kill()
    it.process.wait(30)
    it.process = None
    assert sound(it)[0]
    it.run("suspend", "web")
    it.start()
    it.wait(lambda s: app(s, "web")["reason"] == "Suspended", "it is stopped")
    it.stop()
    kinds = [e["kind"] for e in entries(it)]
    assert kinds.count("start") == 2
    assert kinds.count("found") == 1
    assert kinds.count("operator") == 1
    assert sound(it, "--against-runtime")[0]


@contextmanager
def small_disk(folder):
    folder.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(file):
    with file.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_on_a_full_disk_nothing_changes_what_runs_serves_and_both_are_said(box):
    it = box()
    folder = it.state / it.instance / "audit"
    with small_disk(folder):
        it.write("web")
        it.start()
        it.wait_ready("web")
        fill(folder / "filler")
        for number in range(30):  # what is left of the last block of the log is used up, too
            it.write(f"more{number}")
        held = it.wait(
            lambda s: any(a["reason"] == "NotOnRecord" for a in s["apps"]), "an app is held"
        )
        assert condition(held, "web", "Ready")["status"]
        assert any("cannot write the audit log" in notice for notice in held["notices"])
        for number in range(30):
            it.delete(f"more{number}")
        it.write("late")
        (folder / "filler").unlink()
        it.wait_ready("web", "late")
        it.wait(lambda s: not s["notices"], "nothing more to be said")
        it.stop()
        assert sound(it, "--against-runtime")[0]
