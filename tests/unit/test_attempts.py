"""What was tried lately outlives the loop."""

from datetime import UTC, datetime, timedelta

import pytest
from full_disk import full_disk

from reconciler.model.history import Attempts
from reconciler.security.attempts import AttemptFile

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRIED = Attempts("d", 2, 3, 1, NOW, "cannot pull", (("main", 3),))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "attempts.json"


def test_what_was_tried_is_known_to_the_next_life(file):
    AttemptFile(file).keep({"web": TRIED, "db": Attempts("d")})
    assert AttemptFile(file).known(NOW) == {"web": TRIED}


def test_what_is_forgotten_is_forgotten(file):
    kept = AttemptFile(file)
    kept.keep({"web": TRIED})
    kept.keep({})
    assert AttemptFile(file).known(NOW) == {}


def test_it_is_written_when_something_is_new(file):
    kept = AttemptFile(file)
    kept.keep({"web": TRIED})
    first = file.stat().st_ino
    kept.keep({"web": TRIED})
    assert file.stat().st_ino == first


def test_what_a_crash_left_half_written_is_gone_soon(file):
    AttemptFile(file).keep({"web": TRIED})
    file.with_suffix(".new").write_text("{")
    again = AttemptFile(file)
    again.keep(again.known(NOW))
    assert [f.name for f in file.parent.iterdir()] == ["attempts.json"]
    assert AttemptFile(file).known(NOW) == {"web": TRIED}


def test_a_clock_that_was_set_back_does_not_make_anybody_wait(file):
    AttemptFile(file).keep({"web": TRIED})
    assert AttemptFile(file).known(NOW - timedelta(days=1)) == {}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2, "apps": {}}', '{"format": 1, "apps": {"web": {}}}'],
)
def test_what_cannot_be_read_is_nothing(file, text):
    file.parent.mkdir()
    file.write_text(text)
    assert AttemptFile(file).known(NOW) == {}


def test_a_full_disk_is_told_once_and_stops_nothing(file):
    told = []
    kept = AttemptFile(file, told.append)
    with full_disk():
        kept.keep({"web": TRIED})
        kept.keep({"web": TRIED})
        assert list(file.parent.iterdir()) == []
    assert len(told) == 1
    assert "what keeps failing is tried more often" in told[0]
    kept.keep({"web": TRIED})
    assert AttemptFile(file).known(NOW) == {"web": TRIED}
