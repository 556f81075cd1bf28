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
from reconciler.security.policy import PolicyFile
from reconciler.security.revisions import RevisionFiles
from reconciler.security.secrets import SecretFiles

HOUR = timedelta(hours=1)
APPS = frozenset({"web", "db"})


def memories(place):
    failures = Failures(place / "failed.json")
    revisions = RevisionFiles(place / "good", failures)
    policy = PolicyFile(place / "policy.toml", place / "desired")
    return Memories(FileLedger(place / "images.json"), revisions, lambda: None, policy)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "confirmed/removals.json"


def test_a_word_is_kept_for_an_hour_and_then_expires(file):
    expires = confirm_removals(file, APPS, NOW)
    assert expires == NOW + HOUR
    said = dict.fromkeys(APPS, NOW)
    assert confirmed_removals(file, NOW) == said
    assert confirmed_removals(file, NOW + HOUR - timedelta(seconds=1)) == said
    assert confirmed_removals(file, NOW + HOUR) == {}


def test_a_new_word_stands_beside_the_one_before_and_makes_that_no_longer(file):
    later = NOW + HOUR / 2
    confirm_removals(file, APPS, NOW)
    assert confirm_removals(file, frozenset({"shop"}), later) == later + HOUR
    assert confirmed_removals(file, later) == {"web": NOW, "db": NOW, "shop": later}
    assert confirmed_removals(file, NOW + HOUR) == {"shop": later}
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
        ("nobody", json.dumps({})),
        ("a list", json.dumps({"confirmed": ["web"]})),
        ("a time that is none", json.dumps({"confirmed": {"web": "soon"}})),
        ("a time of no zone", json.dumps({"confirmed": {"web": "2026-01-01T12:00:00"}})),
        ("a time that is a number", json.dumps({"confirmed": {"web": 1}})),
        ("the end of time", json.dumps({"confirmed": {"web": "9999-12-31T23:59:59+00:00"}})),
        (
            "a word of the future: the clock jumped, or somebody wrote it",
            json.dumps({"confirmed": {"web": (NOW + HOUR).isoformat()}}),
        ),
        (
            "a word of an earlier version",
            json.dumps({"apps": ["web"], "expires": (NOW + HOUR).isoformat()}),
        ),
    ],
)
def test_what_confirms_nothing(why, content, file):
    file.parent.mkdir()
    file.write_text(content)
    assert confirmed_removals(file, NOW) == {}, why


def test_a_missing_word_confirms_nothing(file):
    assert confirmed_removals(file, NOW) == {}


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
    assert evidence.removal_confirmed == dict.fromkeys(APPS, clock.now())
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
