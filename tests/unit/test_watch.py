"""Real files, a real kernel: every way in which a folder changes wakes, and wakes soon."""

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from reconciler.sources.watch import DirectoryWatch

PATIENCE = 5.0
QUIET = 0.4  # longer than the watch takes to look whether its folder is the same one


class Ear:
    """Hears wake-ups, and knows when it was quiet."""

    def __init__(self):
        self.woken, self.at = threading.Semaphore(0), []
        self.warned = []

    def wake(self):
        self.at.append(time.monotonic())
        self.woken.release()

    def quiet(self):
        """Wait until nothing was heard for a while."""
        while self.woken.acquire(timeout=QUIET):
            pass

    def hears(self, patience=PATIENCE):
        return self.woken.acquire(timeout=patience)


@pytest.fixture
def watched(tmp_path):
    """Returns a folder's ear, once the watch of the folder has begun."""
    watches = []

    def watch(folder):
        ear = Ear()
        watches.append(DirectoryWatch(folder, ear.wake, ear.warned.append))
        if folder.exists():
            assert ear.hears(), "nobody knows what happened before it began, so it wakes once"
        ear.quiet()
        return ear

    yield watch
    for each in watches:
        each.close()
        assert not each._thread.is_alive()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "desired"
    (made / "deep").mkdir(parents=True)
    (made / "web.yml").write_text("app:\n")
    return made


def replaced(file):
    fresh = file.with_suffix(".tmp")
    fresh.write_text("app: new\n")
    fresh.rename(file)


@pytest.mark.parametrize(
    ("why", "act"),
    [
        ("a new file", lambda f: (f / "new.yml").write_text("app:\n")),
        ("an edit in place", lambda f: (f / "web.yml").write_text("app: x\n")),
        ("an edit as editors make it, by renaming", lambda f: replaced(f / "web.yml")),
        ("a deleted file", lambda f: (f / "web.yml").unlink()),
        ("a renamed file", lambda f: (f / "web.yml").rename(f / "db.yml")),
        ("a file in a folder", lambda f: (f / "deep/a.yml").write_text("app:\n")),
        ("a new folder", lambda f: (f / "deeper/still").mkdir(parents=True)),
        ("a folder that goes", lambda f: (f / "deep").rmdir()),
        ("another mode", lambda f: (f / "web.yml").chmod(0o600)),
        ("a link", lambda f: (f / "link.yml").symlink_to("web.yml")),
    ],
)
def test_it_wakes_for(watched, folder, why, act):
    ear = watched(folder)
    act(folder)
    assert ear.hears(), why


def test_at_rest_it_is_silent_and_reading_is_no_change(watched, folder):
    ear = watched(folder)
    (folder / "web.yml").read_text()
    list(folder.iterdir())
    assert not ear.hears(0.8)
    assert ear.warned == []


def test_a_file_in_a_folder_made_in_the_same_instant_is_heard_of_or_its_folder_is(watched, folder):
    ear = watched(folder)
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/web.yml").write_text("app:\n")
    assert ear.hears()
    ear.quiet()
    (folder / "a/b/web.yml").write_text("app: later\n")
    assert ear.hears(), "new folders are watched too"


def test_a_link_that_is_swapped_as_git_sync_does_it_is_followed(watched, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "web.yml").write_text(name)
    link = tmp_path / "desired"
    link.symlink_to("one")
    ear = watched(link)
    fresh = tmp_path / "fresh"
    fresh.symlink_to("two")
    fresh.rename(link)
    assert ear.hears()
    ear.quiet()
    (tmp_path / "two/web.yml").write_text("edited")
    assert ear.hears(), "the new place is watched"


def test_a_folder_that_is_deleted_and_made_again_is_watched_again(watched, folder):
    ear = watched(folder)
    shutil.rmtree(folder)
    assert ear.hears()
    ear.quiet()
    folder.mkdir()
    assert ear.hears()
    ear.quiet()
    (folder / "web.yml").write_text("app:\n")
    assert ear.hears()


def test_a_folder_replaced_by_another_is_noticed(watched, folder, tmp_path):
    ear = watched(folder)
    other = tmp_path / "other"
    other.mkdir()
    folder.rename(tmp_path / "away")
    other.rename(folder)
    assert ear.hears()
    ear.quiet()
    (folder / "web.yml").write_text("app:\n")
    assert ear.hears()


def test_a_folder_that_does_not_exist_yet_is_waited_for(watched, tmp_path):
    ear = watched(tmp_path / "later")
    (tmp_path / "later").mkdir()
    assert ear.hears()
    ear.quiet()
    (tmp_path / "later/web.yml").write_text("app:\n")
    assert ear.hears()


def test_it_wakes_within_a_tenth_of_a_second(watched, folder):
    ear = watched(folder)
    late = []
    for number in range(5):
        began = time.monotonic()
        (folder / "web.yml").write_text(f"app: {number}\n")
        assert ear.hears()
        late.append(ear.at[-1] - began)
        ear.quiet()
    assert min(late) < 0.1, late


def test_two_hundred_files_at_once_are_few_wake_ups(watched, folder):
    ear = watched(folder)
    before = len(ear.at)
    for number in range(200):
        (folder / f"app{number}.yml").write_text("app:\n")
    assert ear.hears()
    ear.quiet()
    assert len(ear.at) - before <= 20


def test_after_closing_it_is_silent(folder):
    ear = Ear()
    watch = DirectoryWatch(folder, ear.wake, ear.warned.append)
    assert ear.hears()
    watch.close()
    ear.quiet()
    (folder / "web.yml").write_text("app: x\n")
    assert not ear.hears(0.5)


# What the kernel refuses: another user, who takes every inotify instance that a user may have.

NOBODY = 65534
EXHAUSTED = """
import ctypes, errno, os, sys, threading, time
from pathlib import Path
from reconciler.sources.watch import DirectoryWatch
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
libc = ctypes.CDLL(None, use_errno=True)
while libc.inotify_init1(0) >= 0:
    pass
assert ctypes.get_errno() == errno.EMFILE, ctypes.get_errno()
woken, warned = threading.Semaphore(0), []
watch = DirectoryWatch(Path(sys.argv[1]), woken.release, warned.append)
assert woken.acquire(timeout=20), "never woke"
while woken.acquire(timeout=2.5):
    pass
print(watch.notice)
print(len(warned), warned[0])
sys.stdout.flush()
print("heard" if woken.acquire(timeout=20) else "deaf")
watch.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_where_the_kernel_has_no_watches_left_the_folder_is_polled_and_that_is_told(tmp_path):
    place = Path("/tmp", f"archipelago-watch-{os.getpid()}")  # where anybody can look
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    code = EXHAUSTED.format(nobody=NOBODY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    try:
        with Popen(
            [sys.executable, "-c", code, place],
            stdout=PIPE,
            stderr=PIPE,
            text=True,
            env=environment,
        ) as child:
            notice, warning = child.stdout.readline(), child.stdout.readline()
            (place / "web.yml").write_text("app:\n")
            heard, complaints = child.communicate(timeout=60)
    finally:
        shutil.rmtree(place)
    assert child.returncode == 0, complaints
    assert f"{place} is polled every 1 s" in notice
    assert "raise fs.inotify.max_user_watches and max_user_instances" in notice
    assert warning.startswith(f"1 {place} is polled"), "told once, not once a second"
    assert heard.strip() == "heard"
