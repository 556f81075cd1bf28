"""`archipelago audit`, and that what an operator does is on record."""

import base64
import json

import pytest
from builders import container
from full_disk import full_disk
from unit.test_cli import Box, box, manifest

from reconciler.clock import SystemClock
from reconciler.model.change import (
    Action,
    Change,
    CreateContainer,
    Outcome,
    Reason,
    Result,
)
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.report.audit import merkle
from reconciler.report.audit.log import AuditLog

__all__ = ["box"]  # the fixture


def log_of(box: Box):
    return AuditLog(box.own("audit"), "box/archipelago/archipelago", SystemClock())


def acts(box, *apps):
    log = log_of(box)
    for app in apps:
        change = Change(app, Action.INSTALL, Reason.NOT_INSTALLED, "because", "v1:abc")
        log.begins(change)
        now = SystemClock().now()
        log.ended(Outcome(change, Result.APPLIED, "", now, now, 0))
    log.close()


def entries(box, *options):
    return box.json("audit", *options)["entries"]


def test_what_happened_is_shown_in_its_order(box):
    acts(box, "web", "db")
    shown = box.run("audit").stdout.splitlines()
    assert len(shown) == 5
    assert "loop     begin     web                  install NotInstalled because" in shown[1]
    assert "loop     end       web                  install applied" in shown[2]
    assert [e["kind"] for e in entries(box, "--app", "db")] == ["begin", "end"]
    assert [e["seq"] for e in entries(box, "--tail", "1")] == [4]
    assert entries(box, "--tail", "0") == []
    assert len(entries(box, "--since", "1h")) == 5
    assert entries(box, "--since", "2999-01-01T00:00") == []
    assert "write for example 2h" in box.run("audit", "--since", "when?").stderr


def test_before_anything_happened(box):
    assert "Nothing of that is on record." in box.run("audit").stdout
    verdict = box.run("audit", "verify")
    assert verdict.exit_code == 1
    assert "there is no checkpoint" in verdict.stdout


def test_a_sound_log_and_one_that_is_not(box):
    acts(box, "web", "db")
    verdict = box.run("audit", "verify")
    assert verdict.exit_code == 0
    assert "Sound: 5 entries in 1 file." in verdict.stdout
    assert "Signed up to entry 4, by box/archipelago/archipelago." in verdict.stdout
    file = box.own("audit") / "audit.jsonl"
    file.write_text(file.read_text().replace('"db"', '"dc"'))
    verdict = box.run("audit", "verify")
    assert verdict.exit_code == 1
    assert "the entry before it is not the one that it follows" in verdict.stdout
    told = box.run("audit", "verify", "--output", "json")
    assert json.loads(told.stdout)["sound"] is False


def test_it_is_held_to_what_was_exported(box, tmp_path):
    acts(box, "web")
    for name in ("checkpoint", "key.pub"):
        (tmp_path / name).write_bytes((box.own("audit") / name).read_bytes())
    for file in box.own("audit").iterdir():
        file.unlink()
    acts(box, "innocent")
    assert box.run("audit", "verify").exit_code == 0  # all of it is new, and so is the key
    exported = ("--key", str(tmp_path / "key.pub"), "--checkpoint", str(tmp_path / "checkpoint"))
    verdict = box.run("audit", "verify", *exported)
    assert verdict.exit_code == 1
    assert "was written anew" in verdict.stdout
    for option in ("--key", "--checkpoint"):
        refused = box.run("audit", "verify", option, str(tmp_path / "none"))
        assert refused.exit_code == 1
        assert "cannot" in refused.stderr


def test_what_nobody_put_on_record_is_named(box):
    acts(box, "web")
    box.engine.ensure_volume(VolumeSpec("archipelago-web-data", "web"))
    verdict = box.run("audit", "verify", "--against-runtime")
    assert verdict.exit_code == 1
    assert "volume archipelago-web-data is there, and no entry says" in verdict.stdout
    log_of(box).note({"kind": "found", "makes": ["volume archipelago-web-data"]})
    assert box.run("audit", "verify", "--against-runtime").exit_code == 0


def test_another_container_of_a_known_name_is_named(box):
    web = container("web")
    box.engine.world.publish(web.image)
    box.engine.prepare_image(web, lambda _: None)
    box.engine.ensure_network(NetworkSpec(web.network, "web", "ar-web"))
    change = Change("web", Action.INSTALL, Reason.NOT_INSTALLED, steps=(CreateContainer(web),))
    made = ((web.container_name, box.engine.create(web)),)
    log, now = log_of(box), SystemClock().now()
    log.note({"kind": "found", "makes": [f"network {web.network}"]})
    log.begins(change)
    log.ended(Outcome(change, Result.APPLIED, "", now, now, 1, made))
    log.close()
    assert box.run("audit", "verify", "--against-runtime").exit_code == 0
    box.engine.world.add_intruder(web.container_name, like="web/main")
    verdict = box.run("audit", "verify", "--against-runtime")
    assert verdict.exit_code == 1
    assert f"container {web.container_name} is there, and no entry says" in verdict.stdout


def test_a_proof_can_be_checked_by_anybody(box):
    acts(box, "web", "db", "c")
    proof = json.loads(box.run("audit", "prove", "3").stdout)
    line = (box.own("audit") / "audit.jsonl").read_bytes().splitlines()[3]
    assert json.loads(line) == proof["entry"]
    leaf, *path = (base64.b64decode(text) for text in (proof["leaf"], *proof["path"]))
    root = base64.b64decode(proof["checkpoint"].splitlines()[2])
    assert leaf == merkle.leaf(line)
    assert merkle.leads_to(root, proof["size"], 3, leaf, path)
    refused = box.run("audit", "prove", "7")
    assert refused.exit_code == 1
    assert "cannot prove entry 7: entries 0 to 6 are signed" in refused.stderr


OPERATOR = {
    "install": (("install", "db"), "db", ""),
    "suspend": (("suspend", "web"), "web", "the loop stops web"),
    "suspend all": (("suspend", "--all"), "*", "the loop stops everything"),
    "resume": (("resume", "web"), "web", ""),
    "remove": (("remove", "web"), "web", ""),
}


@pytest.mark.parametrize("case", OPERATOR)
def test_what_an_operator_does_is_on_record(box, case):
    arguments, app, told = OPERATOR[case]
    catalogue = box.root / "apps" / "db"
    catalogue.mkdir(parents=True)
    (catalogue / "manifest.yml").write_text(manifest("db"))
    box.write("web.yml", manifest("web"))
    assert box.run(*arguments).exit_code == 0
    [entry] = [e for e in entries(box) if e["kind"] == "operator"]
    assert (entry["verb"], entry["app"]) == (arguments[0], app)
    assert entry["actor"]
    assert told in entry.get("message", "")


def test_who_became_root_for_it_is_named(box, monkeypatch):
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("LOGNAME", "root")
    box.write("web.yml", manifest("web"))
    box.run("suspend", "web")
    assert entries(box)[-1]["actor"] == "alice as root"


def test_what_only_writes_a_document_goes_on_without_a_record_and_says_so(box):
    """Its own file cannot be written on a full disk either: the log alone is out of reach here."""
    box.own("").mkdir(parents=True)
    box.own("audit").write_text("a file where a folder should be")
    box.write("web.yml", manifest("web"))
    done = box.run("suspend", "web")
    assert done.exit_code == 0
    assert "This is not on record: cannot write the audit log" in done.stderr


def test_what_deletes_data_is_not_done_without_a_record(box):
    box.engine.ensure_volume(VolumeSpec("archipelago-web-data", "web"))
    box.own("").mkdir(parents=True)
    box.own("audit").write_text("a file where a folder should be")
    refused = box.run("purge", "web", "--yes")
    assert refused.exit_code == 1
    assert "cannot write the audit log" in refused.stderr
    assert "archipelago-web-data" in box.engine.world.volumes


def test_a_full_disk_is_said(box):
    box.engine.ensure_volume(VolumeSpec("archipelago-web-data", "web"))
    log_of(box).note({"kind": "operator"})
    with full_disk():
        refused = box.run("purge", "web", "--yes")
    assert "cannot write the audit log" in refused.stderr
    assert "archipelago-web-data" in box.engine.world.volumes
