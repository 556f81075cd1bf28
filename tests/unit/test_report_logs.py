"""Log lines for machines and for people."""

import io
import json
from datetime import UTC, datetime

import pytest

from reconciler.report.event import Event, EventKind, Level
from reconciler.report.logs import configure

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SERVES = Event("web", EventKind.READY, "Serving", "serves", NOW)
STUCK = Event("", EventKind.ENGINE, "Unreachable", "cannot reach", NOW, Level.ERROR)


def test_a_machine_gets_one_json_object_for_each_event():
    stream = io.StringIO()
    configure("json", stream).told((SERVES, STUCK))
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == {
        "timestamp": "2026-01-01T12:00:00.000Z",
        "level": "info",
        "event": "serves",
        "app": "web",
        "kind": "ready",
        "reason": "Serving",
    }
    assert (second["level"], second["reason"]) == ("error", "Unreachable")
    assert "app" not in second


def test_a_person_gets_words():
    stream = io.StringIO()
    configure("console", stream).told((SERVES,))
    [line] = stream.getvalue().splitlines()
    assert "serves" in line
    assert "app=web" in line
    assert not line.startswith("{")


def test_auto_is_json_where_nobody_looks():
    stream = io.StringIO()
    log = configure("auto", stream)
    log.say("begins", address="127.0.0.1:1")
    log.warn("look out")
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(t["level"], t["event"]) for t in told] == [
        ("info", "begins"),
        ("warning", "look out"),
    ]
    assert told[0]["address"] == "127.0.0.1:1"


@pytest.mark.parametrize("kind", ["json", "console"])
def test_a_bug_is_told_with_where_it_happened(kind):
    stream = io.StringIO()
    try:
        raise RuntimeError("the cause")  # noqa: TRY301 - it needs a traceback
    except RuntimeError as error:
        configure(kind, stream).bug(error)
    assert "RuntimeError: the cause" in stream.getvalue()
    assert "test_report_logs.py" in stream.getvalue()
    assert "please report it" in stream.getvalue()


def test_a_log_that_is_closed_stops_nothing():
    stream = io.StringIO()
    log = configure("json", stream)
    stream.close()
    log.told((SERVES,))
    log.warn("nobody hears this")
