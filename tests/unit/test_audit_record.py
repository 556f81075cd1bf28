"""What the log says, as rules are told it: all of it, and by whomever it was written."""

import time
from datetime import timedelta

import pytest
from builders import container
from simulation import ManualClock

from reconciler.model.change import (
    Action,
    Change,
    CreateContainer,
    EnsureNetwork,
    Outcome,
    Reason,
    Result,
)
from reconciler.model.desired import NetworkSpec
from reconciler.model.on_record import OnRecord
from reconciler.report.audit import files
from reconciler.report.audit.log import AuditLog
from reconciler.report.audit.record import MOST_REFUSED, Record
from reconciler.report.event import Event, EventKind

WEB = container("web")
NAME = WEB.container_name
MAKES = (CreateContainer(WEB),)
PATIENCE = 10.0


class Logged:
    def __init__(self, folder, limit=2**20, *, begun=True):
        self.folder, self.clock, self.limit = folder / "audit", ManualClock(), limit
        self.log = self.again()
        if begun:
            self.log.starts(lambda: ["container old"], "1")

    def again(self):
        return AuditLog(self.folder, "box/archipelago/test", self.clock, limit=self.limit)

    def begins(self, *basis, action=Action.INSTALL, steps=MAKES):
        change = Change("web", action, Reason.NOT_INSTALLED, "", "1-a", steps, basis=basis)
        self.log.begins(change)
        return change

    def acts(self, *basis, made=((NAME, "id"),), **more):
        change = self.begins(*basis, **more)
        now = self.clock.now()
        self.log.ended(Outcome(change, Result.APPLIED, "", now, now, 1, made))
        self.clock.advance(60)

    def refuses(self, reason="NotVerified", kind=EventKind.STALLED):
        self.log.told((Event("web", kind, reason, "", self.clock.now()),))

    def record(self):
        record = Record(self.folder)
        ends = time.monotonic() + PATIENCE
        while not record._read:
            assert time.monotonic() < ends
            time.sleep(0.001)
        return record


@pytest.fixture
def box(tmp_path):
    return Logged(tmp_path)


def test_what_was_found_made_and_adopted_is_explained(box):
    box.acts()
    box.again().note({"kind": "operator", "verb": "adopt", "app": "db", "makes": ["container db"]})
    told = box.record()()
    assert told.known
    assert told.complete_from is None
    assert {"container old", f"container {NAME}", "container db"} == told.made
    assert told.ids == {NAME: "id"}
    assert told.is_another(NAME, "other")
    assert not told.is_another(NAME, "id")
    assert not told.is_another("db", "any")


def test_what_is_written_later_is_read_on_by_whomever(box):
    record = box.record()
    before = record()
    assert record() is before
    box.acts()
    assert record().ids == {NAME: "id"}
    box.again().note({"kind": "operator", "verb": "adopt", "app": "db", "makes": ["container db"]})
    assert "container db" in record().made
    assert "container old" in record().made


def test_of_an_act_that_did_not_end_no_id_is_known(box):
    record = box.record()
    box.acts()
    box.begins()
    assert record().ids == {}
    assert f"container {NAME}" in record().made


def test_an_act_that_only_puts_right_leaves_ids_alone(box):
    box.acts()
    box.acts(steps=(EnsureNetwork(NetworkSpec("box-web", "web", "ar-web")),), made=())
    assert box.record()().ids == {NAME: "id"}


def test_a_log_that_is_not_begun_says_nothing(tmp_path):
    box = Logged(tmp_path, begun=False)
    record = box.record()
    assert record() == OnRecord()
    box.acts()
    assert not record().known
    box.log.starts(lambda: ["container old"], "1")
    assert record().known
    assert record().made == {f"container {NAME}", "container old"}


def test_a_full_file_is_read_to_its_end(tmp_path):
    box = Logged(tmp_path, limit=1500)
    record = box.record()
    for number in range(20):
        box.acts(made=((NAME, f"id{number}"),))
        if number % 3:
            assert record().ids == {NAME: f"id{number}"}
    assert len(files.in_order(box.folder)) > 3
    assert record() == box.record()()


def test_what_is_in_older_files_may_be_elsewhere(tmp_path):
    box = Logged(tmp_path, limit=1500)
    for _ in range(20):
        box.acts()
    for file in files.in_order(box.folder)[:-1]:
        file.unlink()
    told = box.record()()
    assert told.known
    assert told.complete_from is not None
    assert "container old" not in told.made


def test_a_log_that_was_put_elsewhere_is_begun_anew(box):
    record = box.record()
    assert record().known
    for file in files.in_order(box.folder):
        file.rename(box.folder / f"{file.name}.old")
    assert record() == OnRecord()
    other = Logged(box.folder.parent)
    assert record().made == {"container old"}
    other.acts()
    assert record().ids == {NAME: "id"}


def test_half_a_line_is_not_read_yet(box):
    record = box.record()
    before = record()
    with (box.folder / files.CURRENT).open("a") as stream:
        stream.write('{"seq": 9')
    assert record() == before


DAMAGE = {
    "no moment": '{"seq": 9, "prev": "", "kind": "begin"}',
    "no kind": '{"seq": 9, "prev": "", "at": "2026-01-01T00:00:00Z"}',
    "no list": '{"seq": 9, "prev": "", "at": "2026-01-01T00:00:00Z", "kind": "end", "makes": 1}',
    "no table": (
        '{"seq": 9, "prev": "", "at": "2026-01-01T00:00:00Z", "kind": "end", "containers": 1}'
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_from_a_damaged_log_nothing_follows(box, case):
    record = box.record()
    with (box.folder / files.CURRENT).open("a") as stream:
        stream.write(DAMAGE[case] + "\n")
    assert record() == OnRecord()
    assert record() == OnRecord()


def test_permissions_are_compared_with_all_that_were_there_before(box):
    def elevated(text, unapproved=""):
        box.acts(("elevated", text), ("unapproved", unapproved))
        return box.record()().elevated["web"]

    began = box.clock.now()
    assert elevated("").before is None
    second = elevated("device /dev/a rwm; capability X", "capability X")
    assert second.before == frozenset()
    assert second.values == {"device /dev/a rwm", "capability X"}
    assert second.unapproved == {"capability X"}
    assert second.at == began + timedelta(seconds=60)
    same = elevated("device /dev/a rwm; capability X")
    assert (same.at, same.unapproved) == (second.at, frozenset())
    assert elevated("capability Y").before == second.values
    assert elevated("").before == {*second.values, "capability Y"}


def test_signers_are_known_by_container(box):
    box.acts(("signers", "main: alice, bob; db: carol"))
    box.acts(("signers", "main: dora"))
    told = box.record()().signers
    assert told["web", "db"].values == {"carol"}
    assert told["web", "main"].values == {"dora"}
    assert told["web", "main"].before == {"alice", "bob"}


def test_signers_of_an_older_version_are_of_no_container(box):
    box.acts(("signers", "alice"))
    assert box.record()().signers == {}


def test_what_makes_no_container_says_nothing_of_permissions(box):
    box.acts(("elevated", "a"), ("signers", "main: alice"), steps=(), made=())
    told = box.record()()
    assert (told.elevated, told.signers) == ({}, {})


def test_an_app_that_was_removed_begins_anew(box):
    box.acts(("elevated", "a"), ("signers", "main: alice"))
    box.acts(action=Action.REMOVE, steps=(), made=())
    told = box.record()()
    assert (told.elevated, told.signers) == ({}, {})


def test_refusals_are_remembered_up_to_a_number(box):
    began = box.clock.now()
    box.refuses()
    box.refuses(reason="Failed")
    box.refuses(kind=EventKind.ACTION)
    assert box.record()().refused == ((began, "web"),)
    for _ in range(2 * MOST_REFUSED):
        box.refuses()
    assert len(box.record()().refused) == MOST_REFUSED
