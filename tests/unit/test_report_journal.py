"""The journal of events: bounded, and never in the way."""

import json
from datetime import UTC, datetime, timedelta
from threading import Event as Stop
from threading import Thread

import pytest

from reconciler.report.event import Event, EventKind, Level
from reconciler.report.journal import (
    Journal,
    event_document,
    follow_events,
    parse_event,
    read_events,
    set_aside,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(number, app="web"):
    at = NOW + timedelta(seconds=number)
    return Event(app, EventKind.READY, "Serving", f"number {number} — \n\x1b", at, Level.WARNING)


def test_an_event_is_read_back_the_same():
    assert parse_event(json.dumps(event_document(event(1)))) == event(1)


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"at": 1}', "[" * 100_000])
def test_a_line_that_makes_no_sense_is_passed_over(line):
    assert parse_event(line) is None


def test_the_last_events_are_read_oldest_first(tmp_path):
    path = tmp_path / "state" / "events.jsonl"
    journal = Journal(path, pytest.fail)
    for number in range(5):
        journal.told((event(number, "web" if number % 2 else "db"),))
    assert read_events(path) == [event(n, "web" if n % 2 else "db") for n in range(5)]
    assert read_events(path, tail=2) == [event(3), event(4, "db")]
    assert read_events(path, app="web") == [event(1), event(3)]
    assert read_events(path, tail=1, app="web") == [event(3)]
    assert read_events(path, tail=0) == []


def test_no_journal_holds_no_events(tmp_path):
    assert read_events(tmp_path / "events.jsonl") == []


def test_the_journal_is_bounded(tmp_path):
    path = tmp_path / "events.jsonl"
    journal = Journal(path, pytest.fail, limit=2_000)
    for number in range(200):
        journal.told((event(number),))
    sizes = [path.stat().st_size, set_aside(path).stat().st_size]
    assert all(size < 2_500 for size in sizes)
    assert len(list(tmp_path.iterdir())) == 2
    kept = read_events(path)
    assert kept == [event(n) for n in range(200 - len(kept), 200)]
    assert len(kept) > 10


def test_a_line_cut_off_by_a_kill_spoils_only_itself(tmp_path):
    path = tmp_path / "events.jsonl"
    journal = Journal(path, pytest.fail)
    journal.told((event(1),))
    with path.open("a") as file:
        file.write('{"at": "2026-')
    journal.told((event(2),))
    assert read_events(path) == [event(1), event(2)]


def test_a_full_disk_is_told_once_and_hurts_nobody(tmp_path):
    told = []
    blocked = tmp_path / "state"
    blocked.write_text("")
    journal = Journal(blocked / "events.jsonl", told.append)
    journal.told((event(1),))
    journal.told((event(2),))
    assert len(told) == 1
    blocked.unlink()
    journal.told((event(3),))
    assert read_events(blocked / "events.jsonl") == [event(3)]


def test_followed_events_come_as_they_happen_and_none_is_lost_when_it_is_full(tmp_path):
    path = tmp_path / "events.jsonl"
    journal = Journal(path, pytest.fail, limit=1_500)
    journal.told((event(0),))
    stop, got, first = Stop(), [], Stop()

    def follow():
        for found in follow_events(path, stop):
            got.append(found)
            first.set()

    thread = Thread(target=follow)
    thread.start()
    number = 1
    while not first.wait(0.05):  # the follower begins at the end of what is there
        journal.told((event(number),))
        number += 1
        assert number < 200
    begun = got[0].message
    aside = set_aside(path)
    while not aside.exists():
        journal.told((event(number),))
        number += 1
    journal.told((event(number),))
    wanted = event(number)
    for _ in range(100):
        if got[-1] == wanted:
            break
        stop.wait(0.05)
    stop.set()
    thread.join(5)
    numbers = [int(e.message.split()[1]) for e in got]
    assert numbers == list(range(int(begun.split()[1]), number + 1))
