"""The image ledger: small, whole, and never the reason why something fails."""

import json
import os
import threading

import pytest

from reconciler.drivers.memory.ledger import MemoryLedger
from reconciler.drivers.podman.elsewhere import Forgetful
from reconciler.model.pin import Pin
from reconciler.registry.ledger import FileLedger

ONE, TWO = Pin("web:1", "sha256:" + "1" * 64), Pin("web:2", "sha256:" + "2" * 64)
WEB, DB = ("web", "main"), ("db", "main")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images" / "images.json"


@pytest.mark.parametrize("kind", ["file", "memory", "forgetful"])
def test_what_is_pinned_is_known_and_restored_only_where_it_was_not(kind, file):
    made = {"file": lambda: FileLedger(file), "memory": MemoryLedger, "forgetful": Forgetful}
    ledger = made[kind]()
    assert ledger.pins() == {}
    ledger.pin(WEB, ONE)
    ledger.restore({WEB: Pin(ONE.image, TWO.digest), DB: TWO})
    assert ledger.pins() == {WEB: ONE, DB: TWO}
    ledger.pin(WEB, TWO)
    assert ledger.pins()[WEB] == TWO


def test_a_file_outlives_who_wrote_it_and_is_its_owners_alone(file):
    FileLedger(file).pin(WEB, ONE)
    assert FileLedger(file).pins() == {WEB: ONE}
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in file.parent.iterdir()] == ["images.json"]
    assert json.loads(file.read_text()) == {
        "format": 1,
        "pins": {"web": {"main": {"image": ONE.image, "digest": ONE.digest}}},
    }


def test_what_another_process_writes_is_seen(file):
    loop, verb = FileLedger(file), FileLedger(file)
    loop.pin(WEB, ONE)
    verb.write({DB: TWO})
    assert loop.pins() == {WEB: ONE, DB: TWO}
    verb.write({WEB: TWO})
    assert loop.pins()[WEB] == TWO
    file.unlink()
    assert loop.pins() == {}


def test_a_reference_that_is_another_is_restored(file):
    ledger = FileLedger(file)
    ledger.pin(WEB, ONE)
    ledger.restore({WEB: TWO})
    assert ledger.pins() == {WEB: TWO}


def test_the_same_is_not_written_again(file):
    ledger = FileLedger(file)
    ledger.pin(WEB, ONE)
    before = file.stat().st_ino
    ledger.pin(WEB, ONE)
    assert file.stat().st_ino == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"format": 2, "pins": {}}',
        '{"format": 1}',
        '{"format": 1, "pins": []}',
        '{"format": 1, "pins": {"web": []}}',
        '{"format": 1, "pins": {"web": {"main": {}}}}',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_says_nothing_and_is_written_anew(file, text):
    file.parent.mkdir()
    file.write_text(text)
    ledger = FileLedger(file)
    assert ledger.pins() == {}
    ledger.pin(WEB, ONE)
    assert FileLedger(file).pins() == {WEB: ONE}


def test_a_folder_that_cannot_be_written_is_told_and_stops_nothing(tmp_path):
    (tmp_path / "images").write_text("in the way")
    told = []
    ledger = FileLedger(tmp_path / "images" / "images.json", told.append)
    ledger.pin(WEB, ONE)
    ledger.restore({DB: TWO})
    assert ledger.pins() == {WEB: ONE, DB: TWO}
    assert len(told) == 2
    assert "cannot write the image ledger" in told[0]
    with pytest.raises(OSError, match="exists"):
        ledger.write({WEB: TWO})
    (tmp_path / "images").unlink()
    ledger.pin(WEB, TWO)
    assert FileLedger(tmp_path / "images" / "images.json").pins() == {WEB: TWO, DB: TWO}


def test_many_writers_lose_nothing(file):
    def write(number):
        ledger = FileLedger(file)
        for each in range(10):
            ledger.pin((f"app-{number}", str(each)), ONE)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(FileLedger(file).pins()) == 40
    assert os.listdir(file.parent) == ["images.json"]  # noqa: PTH208 - names are enough


def test_an_image_is_known_by_the_first_id_that_its_name_had(tmp_path):
    file = tmp_path / "images" / "images.json"
    made = FileLedger(file)
    assert made.recognised("a@sha256:1", "one") == "one"
    assert made.recognised("a@sha256:1", "two") == "one"
    assert made.recognised("b", "three", made=True) == "three"
    assert made.recognised("b", "four", made=True) == "four"
    assert FileLedger(file).recognised("a@sha256:1", "two") == "one"
    assert FileLedger(file).recognised("b", "two") == "four"
    assert made.pins() == {}


@pytest.mark.parametrize("text", ["", "[]", "{", "7"])
def test_ids_that_cannot_be_read_are_found_again(tmp_path, text):
    (tmp_path / "ids.json").write_text(text)
    made = FileLedger(tmp_path / "images.json")
    assert made.recognised("a", "one") == "one"
    assert made.recognised("a", "two") == "one"


def test_ids_that_cannot_be_written_are_said(tmp_path):
    (tmp_path / "images").write_text("no folder")
    warned = []
    made = FileLedger(tmp_path / "images" / "images.json", warned.append)
    assert made.recognised("a", "one") == "one"
    assert warned[0].startswith("cannot write the ids of images to ")
