"""What images were before, and who signed them: a memory that costs nothing to lose."""

import json

import pytest

from reconciler.model.pin import Past, Pin, Signer
from reconciler.registry import past as module
from reconciler.registry.ledger import FileLedger
from reconciler.registry.past import PastFile

WEB, DB = ("web", "main"), ("db", "main")
ALICE, BOB = Signer("a" * 64, "alice"), Signer("b" * 64, "bob")


def pin(number, image="registry.example/web:1"):
    return Pin(image, f"sha256:{number:064}")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images" / "past.json"


@pytest.fixture
def ledger(file):
    return FileLedger(file.with_name("images.json"), replaced=PastFile(file).replaced)


def test_what_a_name_meant_before_is_remembered_by_whomever_it_was_replaced(file, ledger):
    ledger.pin(WEB, pin(1))
    assert PastFile(file).past() == {}
    ledger.pin(WEB, pin(2))
    ledger.write({WEB: pin(3), DB: pin(1)})
    assert PastFile(file).past() == {WEB: Past(replaced=(pin(1), pin(2)))}
    assert file.stat().st_mode & 0o777 == 0o600


def test_another_name_replaces_nothing(file, ledger):
    ledger.pin(WEB, pin(1))
    ledger.pin(WEB, pin(2, "registry.example/web:2"))
    ledger.restore({WEB: pin(1)})
    ledger.forget("web")
    assert PastFile(file).past() == {}


def test_what_is_meant_again_is_not_replaced_any_more(file, ledger):
    for number in (1, 2, 1):
        ledger.pin(WEB, pin(number))
    assert PastFile(file).past()[WEB].replaced == (pin(2),)


def test_only_so_many_are_remembered(file, ledger):
    for number in range(module.MOST + 6):
        ledger.pin(WEB, pin(number))
    kept = PastFile(file).past()[WEB].replaced
    assert kept == tuple(pin(number) for number in range(5, module.MOST + 5))


def test_signers_are_added_and_called_as_they_are_called_now(file):
    loop, verb = PastFile(file), PastFile(file)
    loop.remember({WEB: (ALICE,)})
    verb.accept({WEB: (BOB,), DB: (BOB,)})
    assert loop.past() == {WEB: Past(signers=(ALICE, BOB)), DB: Past(signers=(BOB,))}
    again = Signer(ALICE.id, "release")
    verb.accept({WEB: (again,)})
    assert loop.past()[WEB].signers == (BOB, again)


def test_one_memory_does_not_lose_the_other(file, ledger):
    PastFile(file).remember({WEB: (ALICE,)})
    ledger.pin(WEB, pin(1))
    ledger.pin(WEB, pin(2))
    PastFile(file).remember({WEB: (BOB,)})
    assert PastFile(file).past() == {WEB: Past((pin(1),), (ALICE, BOB))}


def test_an_app_is_forgotten_alone(file):
    made = PastFile(file)
    made.forget("web")
    assert not file.parent.exists()
    made.remember({WEB: (ALICE,), DB: (BOB,)})
    made.forget("web")
    assert PastFile(file).past() == {DB: Past(signers=(BOB,))}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2, "apps": {}}', '{"format": 1, "apps": {"web": 7}}', "null"],
)
def test_what_cannot_be_read_is_forgotten(file, text):
    file.parent.mkdir()
    file.write_text(text)
    assert PastFile(file).past() == {}


def test_what_cannot_be_written_is_said_and_known_meanwhile(tmp_path):
    (tmp_path / "images").write_text("a file where the folder should be")
    told = []
    made = PastFile(tmp_path / "images" / "past.json", told.append)
    made.remember({WEB: (ALICE,)})
    assert "cannot write what images were" in told[0]
    assert made.past() == {WEB: Past(signers=(ALICE,))}
    with pytest.raises(OSError, match="exists"):
        made.accept({WEB: (BOB,)})
    (tmp_path / "images").unlink()
    made.remember({DB: (BOB,)})
    assert set(PastFile(tmp_path / "images" / "past.json").past()) == {WEB, DB}
    assert json.loads((tmp_path / "images" / "past.json").read_text())["format"] == 1
