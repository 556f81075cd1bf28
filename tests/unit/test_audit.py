"""The audit log: nothing is lost from it, and nothing is changed in it, without its showing."""

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from full_disk import full_disk
from simulation import ManualClock

from reconciler.errors import AuditError, DriverUnavailable
from reconciler.model.change import Action, Change, EnsureVolume, Outcome, Reason, Result
from reconciler.model.desired import VolumeSpec
from reconciler.report.audit import files, merkle
from reconciler.report.audit.box_key import check, verifier_of
from reconciler.report.audit.export import CheckpointExport, hand_over
from reconciler.report.audit.log import AuditLog
from reconciler.report.audit.note import Checkpoint, opened, parse_verifier, signed
from reconciler.report.audit.things import unexplained
from reconciler.report.audit.verify import verify
from reconciler.report.event import Event, EventKind

INSTALL = Change(
    "web",
    Action.INSTALL,
    Reason.NOT_INSTALLED,
    "",
    "v1:abc",
    (EnsureVolume(VolumeSpec("box-web-data", "web")),),
)


class Log:
    """A folder, its clock, and the log that writes there."""

    def __init__(self, folder, **more):
        self.folder = folder / "audit"
        self.clock = ManualClock()
        self.exported = []
        self.more = more
        self.log = self.again()

    def again(self):
        return AuditLog(
            self.folder, "box/archipelago/test", self.clock, self.exported.append, **self.more
        )

    def acts(self, times=1, log=None):
        log = log or self.log
        for _ in range(times):
            log.begins(INSTALL)
            now = self.clock.now()
            log.ended(Outcome(INSTALL, Result.APPLIED, "", now, now, 1))

    def lines(self):
        return [line for file in files.in_order(self.folder) for line in files.lines(file)]

    def entries(self):
        return [json.loads(line) for line in self.lines()]

    def kinds(self):
        return [entry["kind"] for entry in self.entries()]

    def found(self, note=None):
        note = (self.folder / files.CHECKPOINT).read_text() if note is None else note
        return verify(self.folder, verifier_of(self.folder), note)

    def rewrite(self, change):
        """Let somebody change the lines of the present file."""
        file = self.folder / files.CURRENT
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(change(lines)))


@pytest.fixture
def kept(tmp_path):
    return Log(tmp_path)


def test_an_act_is_on_disk_before_it_begins_and_after_it_ended(kept):
    kept.log.begins(INSTALL)
    assert kept.kinds() == ["key", "begin"]
    now = kept.clock.now()
    kept.log.ended(Outcome(INSTALL, Result.FAILED, "cannot", now, now + timedelta(seconds=2), 0))
    begin, end = kept.entries()[1:]
    assert begin["app"] == "web"
    assert begin["makes"] == ["volume box-web-data"]
    assert begin["digest"] == "v1:abc"
    assert (end["of"], end["result"], end["message"]) == (begin["seq"], "failed", "cannot")
    assert end["seconds"] == 2


def test_what_is_sound_is_found_sound(kept):
    kept.acts(20)
    kept.log.close()
    found = kept.found()
    assert found.problems == []
    assert found.size == len(kept.lines()) == found.signed.size == 41


def test_it_ends_unended_where_a_crash_was(kept):
    kept.acts()
    kept.log.begins(INSTALL)
    again = kept.again()
    again.note({"kind": "operator"})
    again.close()
    found = kept.found()
    assert found.problems == []
    assert found.unended == [3]


def _edited(lines):
    return [line.replace(b'"web"', b'"wab"') if n == 4 else line for n, line in enumerate(lines)]


def _exchanged(lines):
    return [*lines[:4], lines[5], lines[4], *lines[6:]]


TAMPERED = {
    "an entry was edited": (_edited, "line 6: the entry before it is not the one"),
    "an entry was cut out": (lambda ls: [*ls[:4], *ls[5:]], "line 5 is entry 5, expected 4"),
    "two were exchanged": (_exchanged, "line 5 is entry 5, expected 4"),
    "the end was cut off": (lambda ls: ls[:-3], "the end of the log is missing"),
    "all of it is gone": (lambda _: [], "the end of the log is missing"),
    "a line is no entry": (lambda ls: [*ls[:4], b"{}\n", *ls[5:]], "line 5 is no entry"),
    "the beginning is gone": (lambda ls: ls[2:], "line 1 is entry 2, expected 0"),
    "one was added": (lambda ls: [*ls, ls[-1]], "is entry 20, expected 21"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_change_shows(kept, case):
    kept.acts(10)
    kept.log.close()
    change, told = TAMPERED[case]
    kept.rewrite(change)
    assert told in "; ".join(kept.found().problems)


def test_a_log_that_was_written_anew_shows(kept):
    """Whoever can write can make all the hashes right again, but for the signed one."""
    kept.acts(10)
    kept.log.close()
    note = (kept.folder / files.CHECKPOINT).read_text()
    forged = Log(kept.folder / "forged")
    forged.acts(4)
    forged.log.note({"kind": "operator", "actor": "nobody"})
    forged.acts(6)
    (kept.folder / files.CURRENT).write_bytes((forged.folder / files.CURRENT).read_bytes())
    assert "was written anew" in "; ".join(kept.found(note).problems)


def test_a_checkpoint_of_somebody_else_is_not_believed(kept, tmp_path):
    kept.acts(2)
    kept.log.close()
    other = Log(tmp_path / "other")
    other.acts(2)
    other.log.close()
    note = (other.folder / files.CHECKPOINT).read_text()
    assert kept.found(note).problems == ["the checkpoint is not signed by this key"]
    assert kept.found("").problems[0].startswith("there is no checkpoint")
    assert verify(kept.folder, None, note).problems[0].startswith("the public key cannot be read")


def test_two_who_write_make_one_chain(kept):
    other = kept.again()
    for _ in range(5):
        kept.acts(1)
        other.note({"kind": "operator", "actor": "alice", "verb": "install", "app": "db"})
    other.close()
    kept.log.close()
    assert kept.found().problems == []
    assert kept.kinds() == ["key", *["begin", "end", "operator"] * 5]


def test_a_full_file_is_set_aside_and_the_chain_goes_on(tmp_path):
    kept = Log(tmp_path, limit=3000)
    kept.acts(40)
    kept.log.close()
    kept.acts(40, log=kept.again())
    last = kept.again()
    last.close()
    found = kept.found()
    assert found.problems == []
    assert found.files > 3
    oldest = files.in_order(kept.folder)[0]
    assert oldest.name == "audit-000000000000.jsonl"
    oldest.unlink()
    without = kept.found()
    assert without.problems == []
    assert without.first > 0
    files.in_order(kept.folder)[1].unlink()  # but none may be missing in between
    assert "expected" in "; ".join(kept.found().problems)


def test_it_goes_on_from_old_files_alone(tmp_path):
    """A crash between setting a file aside and beginning the next one."""
    kept = Log(tmp_path)
    kept.acts(3)
    (kept.folder / files.CURRENT).rename(files.set_aside(kept.folder, 0))
    kept.acts(3)
    kept.log.close()
    assert kept.kinds()[7] == "continued"
    assert kept.found().problems == []


def test_half_a_line_of_a_crash_is_cut_off_and_said(kept):
    kept.acts(2)
    with (kept.folder / files.CURRENT).open("ab") as file:
        file.write(b'{"seq":5,"prev"')
    kept.log.begins(INSTALL)
    kept.log.close()
    assert kept.kinds()[-2:] == ["cut", "begin"]
    assert kept.entries()[-2]["bytes"] == 15
    assert kept.found().problems == []


def test_on_a_full_disk_nothing_begins_and_nothing_is_lost(kept):
    kept.log.begins(INSTALL)
    told = f"cannot write the audit log in {kept.folder}: file too large"
    with full_disk():
        now = kept.clock.now()
        kept.log.ended(Outcome(INSTALL, Result.APPLIED, "", now, now, 1))
        with pytest.raises(AuditError, match=re.escape(told)):
            kept.log.begins(INSTALL)
        kept.clock.advance(6)
        assert kept.log.trouble() == told
        assert kept.kinds() == ["key", "begin"]
    assert kept.log.trouble() == told  # it is not asked again at once
    kept.clock.advance(6)
    assert kept.log.trouble() == ""
    assert kept.kinds() == ["key", "begin", "end", "missed"]
    kept.log.begins(INSTALL)
    kept.log.close()
    assert kept.found().problems == []


def test_a_clock_that_is_set_back_does_not_keep_it_from_trying_again(kept):
    kept.log.begins(INSTALL)
    with full_disk(), pytest.raises(AuditError):
        kept.log.begins(INSTALL)
    kept.clock.at -= timedelta(hours=1)
    kept.clock.advance(6)
    assert kept.log.trouble() == ""


def test_at_rest_nothing_is_opened(kept):
    kept.acts()
    kept.clock.advance(61)
    assert kept.log.trouble() == ""
    kept.clock.advance(61)
    assert kept.log.trouble() == ""  # looked at once more, and found signed
    moved = kept.folder.rename(kept.folder.with_name("elsewhere"))
    assert kept.log.trouble() == ""
    assert not kept.folder.exists()  # it would have been made
    assert moved.exists()


def test_what_waits_for_a_full_disk_is_bounded_and_counted(kept):
    kept.acts()
    event = Event("web", EventKind.ACTION, "BackOff", "waits", kept.clock.now())
    with full_disk():
        for _ in range(300):
            kept.log.told((event,))
    kept.log.begins(INSTALL)
    assert kept.kinds().count("decision") == 256
    assert [e["entries"] for e in kept.entries() if e["kind"] == "missed"] == [44]


def test_only_decisions_are_taken_from_events(kept):
    at = kept.clock.now()
    kept.log.told((Event("web", EventKind.HEALTH, "Healthy", "", at),))
    kept.log.told((Event("web", EventKind.ACTION, "ApprovalRequired", "asks for more", at),))
    kept.log.told((Event("web", EventKind.STALLED, "PolicyDenied", "a rule says no", at),))
    assert [(e["kind"], e["about"], e["reason"]) for e in kept.entries()[1:]] == [
        ("decision", "action", "ApprovalRequired"),
        ("decision", "stalled", "PolicyDenied"),
    ]


def test_a_loop_begins_with_what_was_there_once(kept):
    kept.log.starts(lambda: ["volume old", "container old"], "1.0")
    kept.again().starts(lambda: pytest.fail("asked twice"), "1.1")
    told = [(e["kind"], e.get("makes"), e.get("version")) for e in kept.entries()[1:]]
    assert told == [
        ("found", ["container old", "volume old"], None),
        ("start", None, "1.0"),
        ("start", None, "1.1"),
    ]


def test_without_knowing_what_is_there_nothing_begins(kept):
    answers = [DriverUnavailable("cannot reach Podman"), ["volume old"]]

    def here():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kept.log.starts(here, "1.0")
    assert "cannot reach podman" in kept.log.trouble()
    kept.log.begins(INSTALL)
    assert kept.kinds() == ["key", "found", "start", "missed", "begin"]


def test_a_lost_key_is_replaced_on_record(kept):
    kept.acts()
    before = verifier_of(kept.folder)
    (kept.folder / "key").unlink()
    again = kept.again()
    again.begins(INSTALL)
    again.close()
    assert verifier_of(kept.folder) != before
    assert kept.kinds() == ["key", "begin", "end", "key", "begin"]
    assert kept.found().problems == []


def test_a_key_that_is_none_is_not_written_over(kept):
    kept.folder.mkdir(parents=True)
    (kept.folder / "key").write_text("not hex")
    with pytest.raises(AuditError, match="it is no key; bring it back from a backup"):
        kept.log.begins(INSTALL)
    assert (kept.folder / "key").read_text() == "not hex"


def test_key_and_log_are_for_the_owner_alone(kept):
    kept.acts()
    kept.log.close()
    modes = {f.name: f.stat().st_mode & 0o077 for f in kept.folder.iterdir()}
    assert set(modes.values()) == {0}
    assert set(modes) == {"key", "key.pub", "audit.jsonl", "checkpoint"}


def test_it_is_signed_now_and_then_and_given_away(kept):
    kept.acts(1)
    assert len(kept.exported) == 1  # the first entry: from then on it cannot vanish unseen
    kept.acts(31)
    assert len(kept.exported) == 1
    kept.acts(2)
    assert len(kept.exported) == 2
    kept.clock.advance(61)
    kept.log.trouble()
    assert len(kept.exported) == 3
    kept.log.trouble()
    kept.log.close()
    assert len(kept.exported) == 3


ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
LEAVES += ("606162636465666768696a6b6c6d6e6f",)


def test_the_tree_is_that_of_certificate_transparency():
    tree = merkle.Tree()
    assert tree.root() == merkle.EMPTY
    for entry, root in zip(LEAVES, ROOTS, strict=True):
        tree = tree.with_leaf(merkle.leaf(bytes.fromhex(entry)))
        assert tree.root().hex() == root
        assert tree.sound


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 64, 100])
def test_a_proof_shows_that_one_entry_is_there_and_no_other(size):
    leaves = [merkle.leaf(bytes([n])) for n in range(size)]
    tree = merkle.Tree()
    for each in leaves:
        tree = tree.with_leaf(each)
    for index, each in enumerate(leaves):
        path = merkle.proof(leaves, index)
        assert merkle.leads_to(tree.root(), size, index, each, path)
        assert not merkle.leads_to(tree.root(), size, index, merkle.leaf(b"other"), path)
        assert not merkle.leads_to(tree.root(), size, size, each, path)
        assert not merkle.leads_to(tree.root(), size, index, each, (*path, each))
        assert not path or not merkle.leads_to(tree.root(), size, index, each, path[:-1])


NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_keys_of_others_are_understood():
    """The example of the format's own library, in Go."""
    verifier = parse_verifier(NEUMANN + "\n")
    assert verifier.text == NEUMANN
    assert parse_verifier(NEUMANN.replace("c74f20a3", "c74f20a4")) is None
    assert parse_verifier("PeterNeumann") is None
    assert parse_verifier("a+b+!!!") is None


def test_a_note_is_opened_by_its_own_key_only(kept, tmp_path):
    kept.acts()
    kept.log.close()
    note = (kept.folder / files.CHECKPOINT).read_text()
    verifier = verifier_of(kept.folder)
    assert opened(note, verifier, check).size == 3
    assert opened(note.replace("\n3\n", "\n2\n"), verifier, check) is None
    assert opened(note.partition("\n\n")[0], verifier, check) is None
    assert opened(note, parse_verifier(NEUMANN), check) is None
    checkpoint = Checkpoint("box", 1, b"x" * 32)
    forged = signed(checkpoint, verifier, lambda _: b"y" * 64)
    assert opened(forged, verifier, check) is None


def test_a_checkpoint_goes_into_a_file_and_into_git(tmp_path):
    note = "box\n7\nAAAA\n\nsigned\n"
    hand_over(f"file:{tmp_path}/copy", "name", note)
    assert (tmp_path / "copy").read_text() == note
    tree = tmp_path / "tree"
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    for key, value in (("user.name", "box"), ("user.email", "box@example.org")):
        subprocess.run([*git, "config", key, value], check=True)
    hand_over(f"git:{tree}", "box.checkpoint", note)
    log = subprocess.run([*git, "log", "--format=%s"], check=True, capture_output=True, text=True)
    assert log.stdout == "Checkpoint 7\n"


def test_a_place_that_fails_is_told_of_once_and_hurts_no_other(tmp_path):
    told = []
    places = (f"file:{tmp_path}/not/there", f"git:{tmp_path}/none", f"file:{tmp_path}/copy")
    export = CheckpointExport(places, "box", told.append)
    for number in range(3):
        export(f"box\n{number}\nAAAA\n\nsigned\n")
    export.close()
    assert Path(tmp_path / "copy").read_text().splitlines()[1] == "2"
    assert len(told) == 2
    assert "cannot export a checkpoint of the audit log to file:" in told[0]


def test_what_no_entry_speaks_of_is_unexplained():
    entries = [{"kind": "found", "makes": ["volume a"]}, {"kind": "begin", "makes": ["rules a"]}]
    assert unexplained(["volume a", "rules a", "container x"], entries) == ["container x"]
