"""Looking at signatures beside the loop: when, what becomes of trouble, and what is remembered."""

import threading

import pytest
from simulation import ManualClock

from reconciler.errors import RegistryError
from reconciler.model.pin import Pin
from reconciler.model.signature import Denial, Findings, Signature, SignatureFormat, Subject
from reconciler.model.trust import Check, TrustedKey
from reconciler.security.proofs import MOST, ProofFile
from reconciler.signatures import (
    FIRST_BACKOFF_SECONDS,
    INTERVAL_SECONDS,
    Memory,
    SignatureWorkers,
)

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
KEYS = (TrustedKey("alice", "alice-id", "pem"),)
UNSIGNED = Findings(frozenset({"alice-id"}))
SIGNED = Findings(
    frozenset({"alice-id"}),
    (Signature("alice-id", SignatureFormat.CLASSIC, "r.example/web"),),
    (Denial.NOT_A_SIGNATURE,),
)


def check(app="web", digest=DIGEST, image="r.example/web:1", keys=KEYS):
    subject = Subject("r.example/web", digest) if digest else Subject(image, "")
    return Check(app, "main", image, subject, keys)


def until(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("waited in vain")


class Rig:
    def __init__(self, folder):
        self.clock = ManualClock()
        self.proofs = ProofFile(folder / "proved.json")
        self.asked, self.bugs, self.woken = [], [], threading.Semaphore(0)
        self.answer = lambda _check: UNSIGNED
        memory = Memory(self.proofs.found, self.proofs.keep)
        self.workers = SignatureWorkers(
            self.look, memory, self.clock, self.woken.release, self.bugs.append
        )

    def look(self, check):
        self.asked.append(check)
        found = self.answer(check)
        return found if isinstance(found, tuple) else (check.subject, found)

    def watch(self, *checks):
        self.workers.watch(checks)

    def found(self, subject=None):
        return self.workers.records().found.get(subject or check().subject)

    def later(self, seconds, *checks):
        before = len(self.asked)
        self.clock.advance(seconds)
        self.watch(*checks)
        threading.Event().wait(0.05)
        return len(self.asked) - before

    def came(self):
        return self.woken.acquire(timeout=5)


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.workers.close()


def test_what_is_found_wakes_the_loop(rig):
    rig.watch(check())
    assert rig.came()
    assert rig.found() == UNSIGNED
    assert rig.asked == [check()]
    assert not rig.workers.records().meanings


def test_what_is_not_trusted_is_looked_at_again_and_the_same_wakes_nobody(rig):
    rig.watch(check())
    assert rig.came()
    assert rig.later(INTERVAL_SECONDS * 0.5, check()) == 0
    assert rig.later(INTERVAL_SECONDS, check()) == 1
    assert not rig.woken.acquire(timeout=0.1)


def test_a_name_is_asked_about_and_its_meaning_told(rig):
    rig.answer = lambda _: (Subject("r.example/web", OTHER), SIGNED)
    rig.watch(check(digest=""))
    assert rig.came()
    told = rig.workers.records()
    assert told.meanings == {("web", "main"): Pin("r.example/web:1", OTHER)}
    assert told.found[Subject("r.example/web", OTHER)] == SIGNED
    rig.answer = lambda _: (Subject("r.example/web", DIGEST), SIGNED)
    assert rig.later(INTERVAL_SECONDS * 1.2, check(digest="")) == 1
    assert rig.workers.records().meanings["web", "main"].digest == DIGEST
    rig.watch()
    assert not rig.workers.records().meanings


def fail(_check):
    raise RegistryError("cannot ask r.example about it: it is gone")


def test_who_does_not_answer_is_asked_again_with_patience(rig):
    rig.answer = fail
    rig.watch(check())
    assert rig.came()
    assert rig.found().error == "cannot ask r.example about it: it is gone"
    assert rig.later(FIRST_BACKOFF_SECONDS * 0.8, check()) == 0
    assert rig.later(FIRST_BACKOFF_SECONDS * 0.4, check()) == 1
    assert rig.later(FIRST_BACKOFF_SECONDS * 1.5, check()) == 0
    assert rig.later(FIRST_BACKOFF_SECONDS, check()) == 1
    assert not rig.woken.acquire(timeout=0.1)
    rig.answer = lambda _: SIGNED
    assert rig.later(INTERVAL_SECONDS, check()) == 1
    assert rig.came()
    assert rig.found() == SIGNED


def test_an_error_does_not_undo_what_is_proved(rig):
    rig.answer = lambda _: SIGNED
    rig.watch(check())
    assert rig.came()
    rig.answer = fail
    more = check(keys=(*KEYS, TrustedKey("bob", "bob-id", "pem")))
    rig.watch(more)
    assert rig.came()
    assert rig.found().signatures == SIGNED.signatures
    assert rig.found().error
    rig.watch()
    assert rig.found() == SIGNED


def test_other_keys_are_tried_at_once(rig):
    rig.watch(check())
    assert rig.came()
    more = check(keys=(*KEYS, TrustedKey("bob", "bob-id", "pem")))
    assert rig.later(0, more) == 1


def test_a_bug_harms_nobody_else(rig):
    def broken(found):
        if found.app == "web":
            raise KeyError("what")
        return SIGNED

    rig.answer = broken
    rig.watch(check(), check("db"))
    until(lambda: rig.bugs and rig.found().signatures)
    assert isinstance(rig.bugs[0], KeyError)


def test_slow_ones_delay_no_others(rig):
    stop = threading.Event()
    rig.answer = lambda found: stop.wait(20) and UNSIGNED if "slow" in found.app else SIGNED
    rig.watch(*(check(f"slow{n}", OTHER) for n in range(3)), check("web"))
    assert rig.came()
    assert rig.found() == SIGNED
    assert rig.found(check(digest=OTHER).subject) is None
    stop.set()


def test_what_nobody_wants_to_know_any_more_is_not_told(rig):
    began, stop = threading.Event(), threading.Event()

    def slow(_check):
        began.set()
        stop.wait(20)
        return SIGNED

    rig.answer = slow
    rig.watch(check())
    assert began.wait(5)
    rig.watch()
    stop.set()
    assert not rig.woken.acquire(timeout=0.2)
    assert rig.found() is None


def test_nothing_is_looked_at_after_the_end(rig):
    rig.workers.close()
    rig.watch(check())
    threading.Event().wait(0.05)
    assert rig.asked == []


# What is remembered


def test_what_is_proved_outlives_the_loop(tmp_path):
    file = tmp_path / "signatures" / "proved.json"
    made = ProofFile(file)
    made.keep(check().subject, SIGNED)
    made.keep(Subject("r.example/db", OTHER), UNSIGNED)
    made.keep(check().subject, SIGNED)
    assert ProofFile(file).found() == made.found()
    assert ProofFile(file).found()[check().subject] == SIGNED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2}',
        '{"format": 1, "found": [{}]}',
        (
            '{"format": 1, "found": [{"repository": "r", "digest": "d", "tried": [], '
            '"signatures": [["a", "gpg", "b"]], "refused": []}]}'
        ),
        (
            '{"format": 1, "found": [{"repository": "r", "digest": "d", "tried": [], '
            '"signatures": [], "refused": ["nonsense"]}]}'
        ),
    ],
)
def test_what_cannot_be_read_proves_nothing(tmp_path, text):
    (tmp_path / "proved.json").write_text(text)
    assert ProofFile(tmp_path / "proved.json").found() == {}


def test_only_so_many_are_remembered(tmp_path):
    made = ProofFile(tmp_path / "proved.json")
    made._found = {Subject(f"r.example/{n}", DIGEST): UNSIGNED for n in range(MOST)}
    made.keep(check().subject, SIGNED)
    assert len(made.found()) == MOST
    assert made.found()[check().subject] == SIGNED
    assert Subject("r.example/0", DIGEST) not in made.found()


def test_what_cannot_be_written_is_said_and_known(tmp_path):
    (tmp_path / "signatures").write_text("no folder")
    warned = []
    made = ProofFile(tmp_path / "signatures" / "proved.json", warned.append)
    made.keep(check().subject, SIGNED)
    assert made.found() == {check().subject: SIGNED}
    assert warned[0].startswith("cannot write what is known of signatures to ")
