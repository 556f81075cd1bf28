"""Facts of the box: what is missing or unreadable confirms nothing."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from builders import NOW
from simulation import ManualClock

from reconciler.registry.ledger import FileLedger
from reconciler.security.evidence import (
    BoxEvidence,
    Memories,
    confirm_removals,
    confirmed_removals,
)
from reconciler.security.failures import Failures
from reconciler.security.revisions import RevisionFiles
from reconciler.security.secrets import SecretFiles

HOUR = timedelta(hours=1)
APPS = frozenset({"web", "db"})


def memories(place):
    failures = Failures(place / "failed.json")
    return Memories(FileLedger(place / "images.json"), RevisionFiles(place / "good", failures))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "confirmed/removals.json"


def test_a_word_is_kept_for_an_hour_and_then_expires(file):
    expires = confirm_removals(file, APPS, NOW)
    assert expires == NOW + HOUR
    assert confirmed_removals(file, NOW) == APPS
    assert confirmed_removals(file, NOW + HOUR - timedelta(seconds=1)) == APPS
    assert confirmed_removals(file, NOW + HOUR) == frozenset()


def test_a_new_word_replaces_the_one_before(file):
    confirm_removals(file, APPS, NOW)
    confirm_removals(file, frozenset({"shop"}), NOW)
    assert confirmed_removals(file, NOW) == {"shop"}
    assert [p.name for p in file.parent.iterdir()] == [file.name], "nothing half-written is left"


def test_only_its_owner_can_give_the_word(file):
    confirm_removals(file, APPS, NOW)
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("why", "content"),
    [
        ("nothing", ""),
        ("no JSON", "{"),
        ("no object", "[]"),
        ("a riddle", "[" * 100_000),
        ("no apps", json.dumps({"expires": (NOW + HOUR).isoformat()})),
        ("no end", json.dumps({"apps": ["web"]})),
        ("an end that is no time", json.dumps({"apps": ["web"], "expires": "soon"})),
        ("an end of no zone", json.dumps({"apps": ["web"], "expires": "2026-01-01T12:30:00"})),
        ("an end that is a number", json.dumps({"apps": ["web"], "expires": 1})),
        ("apps that are none", json.dumps({"apps": 1, "expires": (NOW + HOUR).isoformat()})),
        (
            "an end further away than any word lasts: the clock jumped, or somebody wrote it",
            json.dumps({"apps": ["web"], "expires": (NOW + HOUR * 2).isoformat()}),
        ),
    ],
)
def test_what_confirms_nothing(why, content, file):
    file.parent.mkdir()
    file.write_text(content)
    assert confirmed_removals(file, NOW) == frozenset(), why


def test_a_missing_word_confirms_nothing(file):
    assert confirmed_removals(file, NOW) == frozenset()


def test_free_room_is_measured_where_the_data_will_be(file, tmp_path):
    clock = ManualClock()
    confirm_removals(file, APPS, clock.now())
    evidence = BoxEvidence(
        file,
        tmp_path / "not/made/yet",
        SecretFiles(tmp_path),
        memories(tmp_path),
        clock,
    ).gather()
    assert evidence.removal_confirmed == APPS
    assert evidence.free_bytes is not None
    assert evidence.free_bytes > 0


def test_room_that_cannot_be_measured_is_not_known(file, tmp_path):
    """A path below a file, or one too long for the kernel: no answer is not "none free"."""
    impossible = Path("/", "x" * 300)
    assert (
        BoxEvidence(
            file,
            impossible,
            SecretFiles(tmp_path),
            memories(tmp_path),
            ManualClock(),
        )
        .gather()
        .free_bytes
        is None
    )
