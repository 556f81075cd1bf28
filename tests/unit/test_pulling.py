"""What is told of a pull: layers and bytes, in words, and not too often."""

import pytest

from reconciler.drivers.podman.pulling import TELL_SECONDS, PullProgress, is_gone
from reconciler.errors import DriverRejected

MIB = 2**20


def line(layer, status, current=None, total=None):
    detail = {} if total is None else {"current": current, "total": total}
    return {"id": layer, "status": status, "progressDetail": detail}


def told(*lines, pause=1.0):
    progress = PullProgress("web:1")
    return [progress.take(each, moment * pause) for moment, each in enumerate(lines)]


def test_layers_and_bytes_are_counted():
    assert told(
        line("a", "Pulling fs layer"),
        line("b", "Pulling fs layer"),
        line("a", "Downloading", 3 * MIB, 10 * MIB),
        line("b", "Already exists"),
        line("a", "Downloading", 7.5 * MIB, 10 * MIB),
        line("a", "Download complete"),
    ) == [
        "pulling web:1: 0 of 1 layers",
        "pulling web:1: 0 of 2 layers",
        "pulling web:1: 0 of 2 layers, 3.0 of 10.0 MiB",
        "pulling web:1: 1 of 2 layers, 3.0 of 10.0 MiB",
        "pulling web:1: 1 of 2 layers, 7.5 of 10.0 MiB",
        "pulling web:1: 2 of 2 layers, 10.0 of 10.0 MiB",
    ]


def test_no_more_is_told_than_a_status_file_bears():
    lines = [line("a", "Downloading", n, 1000) for n in range(1000)]
    said = [words for words in told(*lines, pause=0.01) if words]
    assert len(said) <= 10 / TELL_SECONDS
    assert len(said) >= 10 / TELL_SECONDS / 2


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"stream": "Trying to pull"},
        {"id": "", "status": "Downloading"},
        {"id": "a", "status": None, "progressDetail": None},
        {"id": "a", "status": "Downloading", "progressDetail": {"current": 5}},
        {"id": "a", "status": "Downloading", "progressDetail": {"current": None, "total": -1}},
    ],
)
def test_odd_lines_stop_nothing(odd):
    assert told(odd)[0] in {"", "pulling web:1: 0 of 1 layers"}


def test_more_bytes_than_there_are_is_all_of_them():
    assert told(line("a", "Downloading", 9 * MIB, 3 * MIB)) == [
        "pulling web:1: 0 of 1 layers, 3.0 of 3.0 MiB"
    ]


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("cannot pull x: reading manifest sha256:00 in x: manifest unknown", True),
        ("cannot pull x: unauthorized: authentication required", False),
        ("cannot pull x: connection refused", False),
    ],
)
def test_what_a_registry_no_longer_has(message, gone):
    assert is_gone(DriverRejected(message)) is gone
