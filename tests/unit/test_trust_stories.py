"""Stories of whole loops before a tag that moves between any two steps: what was verified runs."""

import pytest
from msgspec.structs import replace
from simulation import GivenSignatures, Simulation

from reconciler.model.evidence import Evidence
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.pin import Pin
from reconciler.model.signature import Findings, Signature, SignatureFormat, Subject
from reconciler.model.trust import Mode, Scope, SignatureRecords, Trust, TrustedKey

REPOSITORY = "registry.example/team/web"
IMAGE = f"{REPOSITORY}:1"
KEY = TrustedKey("alice", "alice-id", "pem")
TRUST = Trust(Mode.ENFORCE, (KEY,), (Scope("registry.example", any_of=("alice",)),))
PROVED = Signature("alice-id", SignatureFormat.CLASSIC, REPOSITORY)


class Registry(GivenSignatures):
    """Answers at once what the world's registry has, of which only some digests are signed."""

    def __init__(self, world):
        super().__init__()
        self.world, self.signed, self.found, self.meanings = world, set(), {}, {}

    def watch(self, checks):
        self.checks = checks
        self.meanings = {}
        for check in checks:
            digest = check.subject.digest or self.world.digests[check.image]
            subject = Subject(REPOSITORY, digest)
            signatures = (PROVED,) if digest in self.signed else ()
            self.found[subject] = Findings(frozenset({KEY.id}), signatures)
            if not check.subject.digest:
                self.meanings[check.app, check.container] = Pin(check.image, digest)

    def records(self):
        return SignatureRecords(dict(self.found), dict(self.meanings))


@pytest.fixture
def box():
    made = Simulation()
    made.world.publish(IMAGE, version="good")
    made.good = made.world.digests[IMAGE]
    made.signatures = Registry(made.world)
    made.signatures.signed.add(made.good)
    made.facts.evidence = Evidence(trust=TRUST, free_bytes=2**40)
    made.restart()
    made.folder.write("web", container={"image": IMAGE})
    return made


def runs(box):
    return [b for b in box.world.boxes.values() if b.state == "running"]


def only_good_images_are_made(box):
    wanted = box.good.removeprefix("sha256:")
    return all(b.image_id == wanted for b in box.world.boxes.values())


def swap(box, version="evil"):
    box.world.publish(IMAGE, version=version)


def test_what_is_signed_is_looked_for_and_then_runs(box):
    status = box.run()
    assert status.of("web").reason == "SignaturePending"
    box.settle()
    assert [b.image_id for b in runs(box)] == [box.good.removeprefix("sha256:")]
    assert box.world.ledger.pins()["web", "main"] == Pin(IMAGE, box.good)


@pytest.mark.parametrize("step", range(14))
def test_a_tag_that_is_swapped_before_any_step_brings_nothing_else(box, step):
    """From the first look to the start: whenever the tag moves, only what is signed is made."""
    count = 0

    def meet(_moment):
        nonlocal count
        if count == step:
            swap(box)
        count += 1
        assert only_good_images_are_made(box)

    box.world.hook = meet
    for _ in range(6):
        box.run()
    assert count > step
    assert only_good_images_are_made(box)


def test_a_tag_that_is_swapped_all_the_time_brings_nothing_else(box):
    count = 0

    def meet(_moment):
        nonlocal count
        count += 1
        box.world.publish(IMAGE, version="good" if count % 2 else f"evil {count}")

    box.world.hook = meet
    box.run(40)
    assert only_good_images_are_made(box)


def test_what_is_not_signed_is_held_until_it_is(box):
    swap(box)
    status = box.settle()
    assert (status.of("web").action, status.of("web").reason) == ("hold", "NotVerified")
    assert not box.world.boxes
    assert box.world.ledger.pins() == {}
    box.signatures.signed.add(box.world.digests[IMAGE])
    status = box.settle()
    assert status.of("web").ready
    assert box.world.ledger.pins()["web", "main"].digest == box.world.digests[IMAGE]


def test_an_update_to_what_is_not_signed_leaves_what_runs(box):
    box.settle()
    before = [b.ref for b in runs(box)]
    swap(box)
    box.world.ledger.pin(("web", "main"), Pin(IMAGE, box.world.digests[IMAGE]))
    status = box.settle()
    assert (status.of("web").action, status.of("web").reason) == ("hold", "NotVerified")
    assert [b.ref for b in runs(box)] == before


def test_a_key_that_is_taken_away_stops_nothing(box):
    box.settle()
    box.facts.evidence = replace(box.facts.evidence, trust=replace(TRUST, scopes=()))
    before = [b.ref for b in runs(box)]
    status = box.settle()
    assert [b.ref for b in runs(box)] == before
    assert status.of("web").ready
    box.world.kill("web/main")
    status = box.settle()
    assert status.of("web").ready
    assert only_good_images_are_made(box)


def test_what_is_known_needs_no_registry_after_a_start(box):
    box.settle()
    proved = dict(box.signatures.found)
    box.signatures = GivenSignatures()
    box.signatures.told = SignatureRecords(proved)
    box.world.unpublish(IMAGE)
    for name in list(box.world.boxes):
        del box.world.boxes[name]
    box.restart()
    status = box.settle()
    assert status.of("web").ready
    assert box.signatures.checks == ()


def test_another_image_under_the_verified_name_is_not_run(box):
    box.settle()
    name = parse_image_reference(IMAGE).at(box.good)
    for made in list(box.world.boxes):
        del box.world.boxes[made]
    box.world.images[name] = "evil"
    box.run(20)
    told = {outcome.message for outcome in box.diary.outcomes if outcome.message}
    assert any("not the one that was prepared" in message for message in told)
    assert not box.world.boxes
