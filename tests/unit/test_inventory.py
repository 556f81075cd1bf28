"""What was adopted, as it is written down."""

import pytest

from reconciler.errors import DriverRejected
from reconciler.model.adoption import Adopted, Adoptions
from reconciler.security.inventory import InventoryFile

WEB = Adopted("web", "main", "1-a", "localhost/x:1", "sha256:b", ("db",), ("key",), "web.yml", 2.5)
DB = Adopted("db", "main", "1-c", "localhost/y:1")
BOTH = Adoptions({"id-web": WEB, "id-db": DB}, {"box-web-data": "web"})


@pytest.fixture
def file(tmp_path):
    return tmp_path / "adopted" / "inventory.json"


def test_nothing_written_is_nothing_adopted(file):
    assert InventoryFile(file).adoptions() == Adoptions()
    InventoryFile(file).forget("id-web")
    assert not file.exists()


def test_what_was_adopted_is_known_to_every_process(file):
    loop = InventoryFile(file)
    assert loop.adoptions() == Adoptions()
    InventoryFile(file).adopt(Adoptions({"id-web": WEB}))
    InventoryFile(file).adopt(Adoptions({"id-db": DB}, {"box-web-data": "web"}))
    assert loop.adoptions() == BOTH
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_gone_is_forgotten(file):
    loop = InventoryFile(file)
    loop.adopt(BOTH)
    for gone in ("id-web", "box-web-data", "never"):
        loop.forget(gone)
    assert InventoryFile(file).adoptions() == Adoptions({"id-db": DB})


def test_what_cannot_be_forgotten_is_of_what_is_gone(file):
    loop = InventoryFile(file)
    loop.adopt(BOTH)
    file.with_suffix(".new").mkdir()
    loop.forget("id-web")
    assert loop.adoptions() == BOTH


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2, "containers": {}, "volumes": {}}', '{"format": 1}', "\udcff"],
)
def test_what_cannot_be_read_is_not_taken_for_empty(file, text):
    file.parent.mkdir()
    file.write_bytes(text.encode(errors="surrogateescape"))
    inventory = InventoryFile(file)
    for ask in (inventory.adoptions, lambda: inventory.adopt(BOTH)):
        with pytest.raises(DriverRejected, match="cannot read which containers were adopted"):
            ask()
