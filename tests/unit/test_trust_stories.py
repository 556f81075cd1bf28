"""Stories of whole loops before a tag that moves between any two steps: what was verified runs."""

import re
from pathlib import Path

import pytest
import signer
from msgspec.structs import replace
from simulation import IMAGE as LOCAL
from simulation import GivenSignatures, Simulation

from reconciler.config import load_settings
from reconciler.model.evidence import Evidence
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.pin import Pin, Signer
from reconciler.model.signature import Findings, Signature, SignatureFormat, Subject
from reconciler.model.trust import Mode, Scope, SignatureRecords, Trust, TrustedKey
from reconciler.security.signing_keys import key_id
from reconciler.sources import trust_edit
from reconciler.sources.trust_file import TrustFile

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


BOB = TrustedKey("bob", "bob-id", "pem")
EITHER = Trust(Mode.ENFORCE, (KEY, BOB), (Scope("registry.example", any_of=("alice", "bob")),))


class TwoSigners(Registry):
    """As above, where bob signs what alice did not."""

    def watch(self, checks):
        super().watch(checks)
        both = frozenset({"alice-id", "bob-id"})
        for subject, found in list(self.found.items()):
            by = found.signatures or (replace(PROVED, key="bob-id"),)
            self.found[subject] = replace(found, signatures=by, tried=both)


def test_another_signer_waits_for_a_word_and_what_runs_goes_on(box):
    signed = box.signatures.signed
    box.signatures = TwoSigners(box.world)
    box.signatures.signed = signed
    box.facts.evidence = replace(box.facts.evidence, trust=EITHER)
    box.restart()
    box.settle()
    before = [b.ref for b in runs(box)]
    assert box.facts.past["web", "main"].signers == (Signer("alice-id", "alice"),)
    swap(box)
    box.folder.write("web", container={"image": IMAGE, "environment": {"A": "1"}})
    box.world.ledger.pin(("web", "main"), Pin(IMAGE, box.world.digests[IMAGE]))
    status = box.settle()
    assert (status.of("web").action, status.of("web").reason) == ("hold", "SignerChanged")
    assert [b.ref for b in runs(box)] == before
    box.facts.remember({("web", "main"): (Signer("alice-id", "alice"), Signer("bob-id", "bob"))})
    status = box.settle()
    assert status.of("web").ready
    assert [b.image_id for b in runs(box)] == [box.world.digests[IMAGE].removeprefix("sha256:")]


# What is shipped

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def shipped(name, tmp_path):
    """Read it as a box does, from where it is installed to."""
    file = tmp_path / name
    file.write_text((DEPLOY / name).read_text())
    file.chmod(0o644)
    return TrustFile(file, [], key_id, required=True)


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [("trust.yaml", Mode.ENFORCE, "NotVerified"), ("trust.demo.yaml", Mode.WARN, "InSync")],
)
def test_the_shipped_file_enforces_and_the_demos_warns(box, tmp_path, name, mode, reason):
    trust = shipped(name, tmp_path).read()
    assert (trust.mode, trust.problem) == (mode, "")
    box.facts.evidence = replace(box.facts.evidence, trust=trust)
    box.world.images[LOCAL] = box.world.pullable[LOCAL]  # as if it had been built here
    box.folder.write("local", container={"image": LOCAL})
    status = box.settle()
    assert status.of("local").ready, "what is made here is local"
    assert status.of("web").reason == reason
    told = [n for n in status.notices if "only warns" in n]
    assert bool(told) is (mode is Mode.WARN)


def test_the_examples_in_the_shipped_file_can_be_used(tmp_path):
    text = (DEPLOY / "trust.yaml").read_text()
    _, mode, examples = text.partition("mode: enforce\n")
    (tmp_path / "trust.yaml").write_text(mode + re.sub("^# ?", "", examples, flags=re.MULTILINE))
    (tmp_path / "vendor.pub").write_text(signer.pem(signer.make_key()))
    root = '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
    (tmp_path / "trusted_root.json").write_text(root)
    trust = TrustFile(tmp_path / "trust.yaml", [], key_id, required=True).read()
    assert trust.problem == ""
    assert [s.name for s in trust.scopes] == ["ghcr.io/vendor", "ghcr.io/example/web"]
    assert [i.name for i in trust.identities] == ["release"]


def test_a_key_can_be_added_to_the_shipped_file(tmp_path):
    file = shipped("trust.yaml", tmp_path)
    key = tmp_path / "vendor.pub"
    key.write_text(signer.pem(signer.make_key()))
    entry = ("ghcr.io/vendor", "vendor", key)
    trust = trust_edit.add(file, tmp_path / "trust.yaml", entry, Mode.WARN, key_id)
    assert (trust.mode, [s.name for s in trust.scopes]) == (Mode.ENFORCE, ["ghcr.io/vendor"])


def test_the_shipped_settings_name_the_file_so_that_it_has_to_be_there():
    settings = load_settings({}, {}, DEPLOY / "archipelago.toml")
    assert settings.trust == Path("/etc/archipelago/trust.yaml")
    assert "trust" in settings.model_fields_set
