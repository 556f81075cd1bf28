"""What a directory takes on its disk; that it is the truth, or nothing."""

import os
import threading
import time
from pathlib import Path

import pytest

from reconciler.drivers.podman.volume_size import allocated

KIB = 1024
CALM = threading.Event()
SAYS = "printf '4096\\t/v\\n'"


@pytest.fixture
def volume(tmp_path):
    made = tmp_path / "a volume"
    made.mkdir()
    return made


@pytest.fixture
def du(tmp_path, monkeypatch):
    """Have another `du`: what it prints, what it complains of, how long it takes."""

    def make(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "du").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "du").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return make


def taken(place, more=0):
    found = allocated(str(place), CALM)
    assert found is not None
    return found - more


def test_files_in_folders_count(volume):
    empty = taken(volume)
    (volume / "deep/er").mkdir(parents=True)
    (volume / "deep/er/-s file").write_bytes(b"x" * 300 * KIB)
    assert 300 * KIB <= taken(volume, empty) < 350 * KIB


def test_what_is_linked_twice_counts_once_and_links_are_not_followed(volume, tmp_path):
    (volume / "one").write_bytes(b"x" * 300 * KIB)
    once = taken(volume)
    (volume / "two").hardlink_to(volume / "one")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_bytes(b"x" * 900 * KIB)
    (volume / "link").symlink_to(outside)
    assert taken(volume, once) < 20 * KIB


def test_holes_do_not_count(volume):
    with (volume / "hole").open("wb") as stream:
        stream.truncate(2**30)
    assert taken(volume) < KIB * KIB


def test_a_volume_that_was_moved_and_linked_is_measured_where_it_is(volume, tmp_path):
    (volume / "one").write_bytes(b"x" * 300 * KIB)
    link = tmp_path / "link"
    link.symlink_to(volume)
    assert taken(link) == taken(volume)


@pytest.mark.parametrize("name", ["gone", "file", "-x"])
def test_what_is_no_folder_is_not_known(volume, name):
    (volume / "file").write_text("")
    assert allocated(str(volume / name), CALM) is None


@pytest.mark.parametrize(
    ("why", "script", "found"),
    [
        ("all was read", SAYS, 4096),
        (
            "what an app deletes meanwhile is no reason to know nothing",
            f"echo \"du: cannot access 'x': No such file or directory\" >&2; {SAYS}; exit 1",
            4096,
        ),
        (
            "a folder that may not be read: the sum is too small",
            f"echo \"du: cannot read directory 'x': Permission denied\" >&2; {SAYS}; exit 1",
            None,
        ),
        ("it was killed", f"{SAYS}; kill -9 $$", None),
        ("another du, that does not know how", "echo usage >&2; exit 1", None),
        ("nothing was said", "exit 0", None),
        ("something else was said", "echo what", None),
    ],
)
def test_the_truth_or_nothing(volume, du, why, script, found):
    du(script)
    assert allocated(str(volume), CALM) == found, why


def test_without_du_nothing_is_known(volume, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert allocated(str(volume), CALM) is None


def test_the_messages_of_du_are_asked_for_in_english(volume, du, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    du("[ $LC_ALL = C ] && printf '1\\t/v\\n'")
    assert allocated(str(volume), CALM) == 1


def test_it_stands_back_for_everybody_else(volume, du):
    du("printf '%s\\t/v\\n' $(nice)")
    assert allocated(str(volume), CALM) == 19


def test_it_is_stopped_in_the_middle_and_nothing_is_left(volume, du, tmp_path):
    du(f"echo $$ > {tmp_path}/pid; exec sleep 100")
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    assert allocated(str(volume), stop) is None
    assert time.monotonic() - began < 2
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_it_has_a_deadline(volume, du):
    du("exec sleep 100")
    assert allocated(str(volume), CALM, deadline=0.2) is None


@pytest.fixture
def podman(tmp_path, monkeypatch):
    """Have a `podman` that writes down what it was asked for, and does it."""
    folder = tmp_path / "podmans"
    folder.mkdir()
    (folder / "podman").write_text(
        f'#!/bin/sh\necho "$CONTAINER_HOST$1" >> {folder}/asked\nshift\nexec "$@"\n'
    )
    (folder / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CONTAINER_HOST", "tcp://elsewhere")
    return folder / "asked"


def test_what_a_users_containers_own_is_measured_as_their_root(volume, podman):
    (volume / "file").write_bytes(b"x" * 300 * KIB)
    plain = allocated(str(volume), CALM)
    assert not podman.exists()
    assert allocated(str(volume), CALM, rootful=False) == plain
    assert podman.read_text() == "unshare\n"


def test_all_of_what_takes_too_long_is_ended(volume, du, podman, tmp_path):
    du(f"sh -c 'sleep 60; exit' & echo $! > {tmp_path}/pid; wait")
    assert allocated(str(volume), CALM, deadline=0.3, rootful=False) is None
    pid = int((tmp_path / "pid").read_text())
    ends = time.monotonic() + 10
    while there(pid) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not there(pid)


def there(pid):
    """Whether a process is there and did not end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
