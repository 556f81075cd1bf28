"""What is told to be odd, and that nothing is on an ordinary day."""

import time
from datetime import timedelta

import pytest
from builders import NOW, app, desired, observed, running, situation
from msgspec.structs import replace
from simulation import GivenSignatures, Simulation

from reconciler.core.anomalies import DAY, OFTEN, anomalies
from reconciler.core.backoff import LOOPS_AFTER
from reconciler.core.planner import compare_all
from reconciler.core.recurrence import PERIOD, Recurrence
from reconciler.core.recurrence import seen as looked
from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.evidence import Evidence
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, Hits
from reconciler.model.on_record import OnRecord, Stated
from reconciler.model.pin import Pin, Signer
from reconciler.model.policy import Policy, Review
from reconciler.model.signature import Findings, Signature, SignatureFormat, Subject
from reconciler.model.trust import Mode, Scope, SignatureRecords, Trust, TrustedKey
from reconciler.report.audit.log import AuditLog
from reconciler.report.audit.record import Record
from reconciler.report.audit.things import here
from reconciler.report.transitions import transitions

WEB = app("web")
[RUNNING] = running(WEB)
NAME = RUNNING.container_name
DIGEST = f"sha256:{'a' * 64}"
MINUTE = timedelta(minutes=1)
REPOSITORY = "registry.example/team/web"
KNOWN = OnRecord(known=True, made=frozenset({f"container {NAME}"}))


def found(*containers, record=KNOWN, recurrence=None, before=(), **more):
    given = situation(desired(WEB), observed(*containers), **more)
    told = anomalies(given, record, recurrence or Recurrence(), before)
    return [(str(a.kind), a.app, a.what) for a in told]


def ago(**more):
    return NOW - timedelta(**more)


def stated(values, before, at=NOW, unapproved=()):
    had = None if before is None else frozenset(before)
    return Stated(frozenset(values), had, at, frozenset(unapproved))


UNEXPLAINED = [("Unexplained", "web", NAME)]
EXPLAINED = {
    "one that is on record is no news": (RUNNING, KNOWN, []),
    "one that nobody put on record is told": (
        RUNNING,
        replace(KNOWN, made=frozenset()),
        UNEXPLAINED,
    ),
    "nothing follows from a log that is not read": (RUNNING, OnRecord(), []),
    "what is older than the first entry may be on record elsewhere": (
        replace(RUNNING, created_at=ago(days=2)),
        OnRecord(known=True, complete_from=ago(days=1)),
        [],
    ),
    "so may one of which nobody knows when it was made": (
        RUNNING,
        OnRecord(known=True, complete_from=ago(days=1)),
        [],
    ),
    "what was made later has to be on record here": (
        replace(RUNNING, created_at=NOW),
        OnRecord(known=True, complete_from=NOW),
        UNEXPLAINED,
    ),
    "one that has the id that is on record is no news": (
        RUNNING,
        replace(KNOWN, ids={NAME: RUNNING.ref}),
        [],
    ),
    "another one of that name is told": (RUNNING, replace(KNOWN, ids={NAME: "x"}), UNEXPLAINED),
}


@pytest.mark.parametrize("case", EXPLAINED)
def test_every_container_is_explained(case):
    container, record, expected = EXPLAINED[case]
    assert found(container, record=record) == expected


PINNED = replace(RUNNING, image="example.org/a:1", image_digest=DIGEST, image_id="one")
BY_DIGEST = f"example.org/a@{DIGEST}"
IMAGES = {
    "the image that was verified": (PINNED, {BY_DIGEST: "one"}, []),
    "another image": (PINNED, {BY_DIGEST: "two"}, [("ImageDiffers", "web", "main")]),
    "an image that nobody looked at": (PINNED, {}, []),
    "an image without a digest": (replace(PINNED, image_digest=""), {BY_DIGEST: "two"}, []),
    "an image without an id": (replace(PINNED, image_id=""), {BY_DIGEST: "two"}, []),
}


@pytest.mark.parametrize("case", IMAGES)
def test_an_image_is_the_one_that_was_verified(case):
    container, ids, expected = IMAGES[case]
    assert found(container, evidence=Evidence(image_ids=ids)) == expected


def test_a_command_from_outside_is_told_for_a_while():
    assert found(replace(RUNNING, exec_at=NOW)) == [("ForeignExec", "web", "main")]
    assert found(replace(RUNNING, exec_at=NOW - PERIOD)) == []


GROWN = [("PermissionsGrown", "web", "permissions")]
PERMISSIONS = {
    "the first ones are no news": (stated("a", None, unapproved="a"), []),
    "more than ever, by the policy alone": (stated("ab", "a", unapproved="b"), GROWN),
    "more, and approved": (stated("ab", "a"), []),
    "what it could before": (stated("ab", "abc", unapproved="ab"), []),
    "more, a day ago": (stated("ab", "a", NOW - DAY, unapproved="b"), []),
}


@pytest.mark.parametrize("case", PERMISSIONS)
def test_permissions_that_grew(case):
    said, expected = PERMISSIONS[case]
    assert found(RUNNING, record=replace(KNOWN, elevated={"web": said})) == expected


CHANGED = [("SignerChanged", "web", "main")]
SIGNERS = {
    "the first one is no news": (stated("a", None), []),
    "somebody else": (stated("b", "a"), CHANGED),
    "one of those before": (stated("bc", "ab"), []),
    "somebody else, a day ago": (stated("b", "a", NOW - DAY), []),
}


@pytest.mark.parametrize("case", SIGNERS)
def test_signers_that_changed(case):
    said, expected = SIGNERS[case]
    assert found(RUNNING, record=replace(KNOWN, signers={("web", "main"): said})) == expected


FAILS = [("VerificationFails", "", "images")]
REFUSED = {
    "two are no burst": ((0, 1), []),
    "three within minutes are one": ((0, 5, 10), FAILS),
    "three within an hour are none": ((0, 11, 22), []),
    "one that is over is told for an hour": ((50, 51, 52), FAILS),
    "and no longer": ((59, 60, 61), []),
}


@pytest.mark.parametrize("case", REFUSED)
def test_images_that_are_refused_one_after_the_other(case):
    minutes, expected = REFUSED[case]
    refused = tuple((NOW - each * MINUTE, f"app{each}") for each in minutes)
    assert found(RUNNING, record=replace(KNOWN, refused=refused)) == expected


def test_what_the_log_said_holds_while_it_is_read_again():
    of_the_log = Anomaly(AnomalyKind.SIGNER_CHANGED, "web", "main", "other")
    of_the_moment = Anomaly(AnomalyKind.FOREIGN_EXEC, "web", "main", "somebody")
    before = (of_the_log, of_the_moment)
    assert found(RUNNING, record=OnRecord(), before=before) == CHANGED
    assert found(RUNNING, before=before) == []


class Looks:
    """One look after the other at one container."""

    def __init__(self):
        self.known, self.now = Recurrence(), NOW

    def at(self, container, *, minutes=1.0, starts=0):
        self.now += minutes * MINUTE
        tried = {"web": Attempts(starts=starts)} if starts else {}
        given = situation(desired(WEB), observed(*container), now=self.now, attempts=tried)
        self.known = looked(self.known, given, compare_all(given))
        return [str(a.kind) for a in anomalies(given, KNOWN, self.known)]

    def starts(self, times, *, state=ContainerState.RUNNING, minutes=1.0):
        for _ in range(times):
            began = self.now + minutes * MINUTE
            told = self.at([replace(RUNNING, started_at=began, state=state)], minutes=minutes)
        return told


def test_what_serves_and_is_started_again_and_again_is_told():
    looks = Looks()
    assert looks.starts(1) == []
    assert looks.starts(OFTEN - 1) == []
    assert looks.starts(1) == ["RestartsOften"]
    again = [replace(RUNNING, started_at=looks.now)]
    assert looks.at(again) == ["RestartsOften"]
    assert looks.at(again, minutes=60) == []


def test_starts_that_are_far_apart_are_no_news():
    assert Looks().starts(3 * OFTEN, minutes=20) == []


def test_what_never_served_is_another_matter():
    looks = Looks()
    for _ in range(2 * OFTEN):
        assert looks.starts(1, state=ContainerState.EXITED) == []


def test_what_ends_before_its_window_is_over_is_another_matter():
    """Without a check it serves as soon as it runs: that is a crash loop."""
    looks, second = Looks(), timedelta(seconds=1)
    for _ in range(2 * OFTEN):
        began = looks.now + MINUTE
        assert looks.at([replace(RUNNING, started_at=began)]) == []
        ended = {"state": ContainerState.EXITED, "finished_at": began + 30 * second}
        assert looks.at([replace(RUNNING, started_at=began, **ended)]) == []


def test_what_is_told_as_a_crash_loop_is_not_told_again():
    looks = Looks()
    for _ in range(2 * OFTEN):
        again = [replace(RUNNING, started_at=looks.now + MINUTE)]
        assert looks.at(again, starts=LOOPS_AFTER) == []


def test_what_stands_still_is_no_start():
    looks = Looks()
    for _ in range(2 * OFTEN):
        assert looks.at([RUNNING]) == []
        assert looks.at([replace(RUNNING, state=ContainerState.EXITED)]) == []


def test_what_is_gone_is_forgotten():
    looks = Looks()
    assert looks.at([RUNNING]) == []
    assert list(looks.known.runs) == [RUNNING.ref]
    assert looks.at([]) == []
    assert looks.known.runs == {}
    assert found(RUNNING, recurrence=looks.known) == []


LIMITS = {"MemoryLimitHit": Hits(memory=1), "PidsLimitHit": Hits(pids=1)}


@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_that_is_hit_is_told_for_a_while(kind):
    looks, hit = Looks(), [replace(RUNNING, hits=LIMITS[kind])]
    assert looks.at([replace(RUNNING, hits=Hits())]) == []
    assert looks.at(hit) == [kind]
    assert looks.at(hit) == [kind]
    assert looks.at(hit, minutes=60) == []
    again = [replace(RUNNING, hits=LIMITS[kind], started_at=looks.now)]
    assert looks.at(again) == [kind]  # a new run counts from nothing


def test_what_was_hit_before_the_first_look_is_no_news():
    looks, hit = Looks(), replace(RUNNING, hits=Hits(1, 1))
    assert looks.at([hit]) == []
    new = replace(hit, ref="new")
    assert looks.at([hit, new]) == ["MemoryLimitHit", "PidsLimitHit"]


class Audited(Simulation):
    """A box with a log on disk, which is read as a loop reads it."""

    def __init__(self, folder):
        self.folder_of_log = folder / "audit"
        super().__init__()

    def restart(self):
        self.told, log = None, AuditLog(self.folder_of_log, "box/archipelago/test", self.clock)
        self.world.audit = log
        log.full = ""
        self.on_record = Record(self.folder_of_log)
        while not self.on_record._read:
            time.sleep(0.001)
        super().restart()
        driver = self.reconciler._parts.driver
        log.starts(lambda: here(driver, ()), "1")

    def run(self, passes=1, seconds=1.0):
        """Make passes, and have on record what was decided."""
        for _ in range(passes):
            status = super().run(seconds=seconds)
            self.world.audit.told(tuple(transitions(self.told, status)))
            self.told = status
        return status

    def odd(self, **more):
        return [str(a.kind) for a in self.run(**more).anomalies]

    def quiet(self):
        told = self.settle()
        assert told.anomalies == ()
        return told


def test_an_ordinary_day_is_quiet(tmp_path):
    box = Audited(tmp_path)
    box.folder.write("web")
    box.folder.write("db")
    box.quiet()
    box.folder.write("web", image="localhost/test:2")
    box.quiet()
    box.world.kill("web/main")
    box.quiet()
    box.world.reboot()
    box.quiet()
    box.restart()
    box.quiet()
    box.folder.suspended.add("db")
    box.quiet()
    box.folder.suspended.clear()
    box.quiet()
    box.world.remove_by_hand("web/main")
    box.quiet()
    box.world.exits("web/main", 1)
    box.folder.write("web", image="localhost/test:3")
    for _ in range(60):
        assert box.odd(seconds=10) == []
    box.world.stays("web/main")
    box.folder.delete("db")
    box.quiet()


def test_what_is_odd_is_told(tmp_path):
    box = Audited(tmp_path)
    box.folder.write("web")
    box.quiet()
    name = box.world.find("web/main").name
    box.world.exec_by_hand("web/main")
    box.world.hit("web/main", Hits(1, 1))
    assert box.odd() == ["ForeignExec", "MemoryLimitHit", "PidsLimitHit"]
    box.restart()
    assert box.odd() == ["ForeignExec"]
    box.clock.advance(3600)
    assert box.odd() == []
    box.world.add_intruder(name, like=name)
    assert box.odd() == ["Unexplained"]


def test_an_intruder_is_told_while_it_is_removed(tmp_path):
    box = Audited(tmp_path)
    box.folder.write("web")
    box.quiet()
    box.world.add_intruder("intruder", like="web/main")
    assert box.odd() == ["Unexplained"]
    assert set(box.world.boxes) == {box.world.find("web/main").name}
    assert box.odd() == []


def want(box, *capabilities):
    box.folder.write("web", security={"capabilities": list(capabilities)})


def test_permissions_that_grow_are_told_where_nobody_approved_them(tmp_path):
    box = Audited(tmp_path)
    want(box, "NET_RAW")
    box.folder.approved["web"] = ("capability NET_RAW",)
    box.quiet()
    want(box, "NET_RAW", "SYS_TIME")
    box.folder.approved["web"] = ("capability NET_RAW", "capability SYS_TIME")
    box.quiet()
    box.facts.evidence = replace(box.facts.evidence, policy=Policy(review=Review.NONE))
    want(box, "NET_RAW", "SYS_TIME", "NET_ADMIN")
    [told] = box.settle().anomalies
    assert told.key == ("PermissionsGrown", "web", "permissions")
    assert "capability NET_ADMIN" in told.message
    assert "SYS_TIME" not in told.message
    box.restart()
    assert box.odd() == ["PermissionsGrown"]
    want(box, "NET_RAW")
    box.quiet()
    want(box, "NET_RAW", "NET_ADMIN")
    box.quiet()  # it could that before


ALICE, BOB = (TrustedKey(name, f"{name}-id", "pem") for name in ("alice", "bob"))
BOTH = Scope("registry.example", any_of=("alice", "bob"))


class Signed(Audited):
    """Such a box that asks for signatures, and a registry that signs as a test says."""

    def __init__(self, folder):
        super().__init__(folder)
        self.signatures = Registry(self.world)
        trust = Trust(Mode.ENFORCE, (ALICE, BOB), (BOTH,))
        self.facts.evidence = Evidence(trust=trust, free_bytes=2**40)
        self.restart()

    def publish(self, version, signer):
        """Have an image that somebody signed, and an app that wants it."""
        image = f"{REPOSITORY}:{version}"
        self.world.publish(image)
        proved = Signature(f"{signer}-id", SignatureFormat.CLASSIC, REPOSITORY)
        self.signatures.by_digest[self.world.digests[image]] = (proved,)
        return image


class Registry(GivenSignatures):
    """Answers at once what is signed, by whom."""

    def __init__(self, world):
        super().__init__()
        self.world, self.by_digest, self.found, self.meanings = world, {}, {}, {}

    def watch(self, checks):
        self.meanings = {}
        for check in checks:
            digest = check.subject.digest or self.world.digests[check.image]
            keys = frozenset({ALICE.id, BOB.id})
            found = Findings(keys, self.by_digest.get(digest, ()))
            self.found[Subject(REPOSITORY, digest)] = found
            if not check.subject.digest:
                self.meanings[check.app, check.container] = Pin(check.image, digest)

    def records(self):
        return SignatureRecords(dict(self.found), dict(self.meanings))


def test_another_signer_is_told(tmp_path):
    box = Signed(tmp_path)
    box.folder.write("web", image=box.publish("1", "alice"))
    box.quiet()
    box.folder.write("web", image=box.publish("2", "alice"))
    box.quiet()
    box.folder.write("web", image=box.publish("3", "bob"))
    box.quiet()  # it is held
    both = (Signer(ALICE.id, "alice"), Signer(BOB.id, "bob"))
    box.facts.remember({("web", "main"): both})  # the operator lets him
    [told] = box.settle().anomalies
    assert told.key == ("SignerChanged", "web", "main")
    assert "signed by bob, and was by alice" in told.message
    box.folder.write("web", image=f"{REPOSITORY}:2")
    box.quiet()


def test_refusals_one_after_the_other_are_told(tmp_path):
    box = Signed(tmp_path)
    box.folder.write("web", image=box.publish("1", "alice"))
    box.quiet()
    for number in range(3):
        assert box.odd(passes=3) == []
        box.folder.write(f"bad{number}", image=box.publish(f"bad{number}", "mallory"))
    assert box.odd(passes=3) == ["VerificationFails"]
    box.restart()
    assert box.odd() == ["VerificationFails"]
    assert box.odd(passes=3, seconds=3600) == []


def test_an_image_that_is_not_the_one_that_was_verified_is_told(tmp_path):
    box = Signed(tmp_path)
    box.folder.write("web", image=box.publish("1", "alice"))
    box.quiet()
    box.world.box("web/main").image_id = "evil"
    assert box.odd() == ["ImageDiffers"]
