"""One loop an instance, told by a lock that dies with who holds it. Real processes."""

import os
import signal
import subprocess
import sys

import pytest
from full_disk import full_disk
from simulation import ManualClock

from reconciler import locking
from reconciler.errors import ConfigurationError

HOLDER = """
import sys
from pathlib import Path
from reconciler import locking
from reconciler.clock import SystemClock
with locking.hold(Path(sys.argv[1]), SystemClock()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state/archipelago.lock"


def hold(file):
    return locking.hold(file, ManualClock())


@pytest.fixture
def other(file):
    """Another process that holds the lock."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_holds_it_is_known_while_it_is_held_and_nobody_before_and_after(file):
    assert locking.holder(file) is None
    with hold(file):
        assert locking.holder(file) == f"process {os.getpid()} since 2026-01-01 00:00:00 UTC"
    assert locking.holder(file) is None


def test_to_ask_makes_no_file(file):
    assert locking.holder(file) is None
    assert not file.parent.exists()


def test_a_second_one_is_told_who_is_first_and_what_to_do(file, other):
    with pytest.raises(ConfigurationError) as raised, hold(file):
        raise AssertionError("two loops at once")
    told = str(raised.value)
    assert told.startswith("cannot start: another loop of this instance runs already ")
    assert f"(process {other.pid} since 20" in told
    assert "--instance" in told
    assert locking.holder(file).startswith(f"process {other.pid} since"), "it was not overwritten"


def test_a_lock_dies_with_its_holder_however_that_ends(file, other):
    other.send_signal(signal.SIGKILL)
    other.wait(10)
    assert locking.holder(file) is None
    with hold(file):
        assert locking.holder(file).startswith(f"process {os.getpid()} ")


def test_to_ask_who_holds_it_keeps_nobody_from_holding_it(file, other):
    for _ in range(3):
        assert locking.holder(file).startswith(f"process {other.pid} ")
    other.stdin.close()
    other.wait(10)
    with hold(file):
        pass


def test_an_exception_lets_go_of_it(file):
    with pytest.raises(ZeroDivisionError), hold(file):
        raise ZeroDivisionError
    assert locking.holder(file) is None


def test_a_holder_that_said_nothing_is_told_so(file):
    with hold(file):
        file.write_text("")
        assert locking.holder(file) == "it did not say who it is"


def test_a_state_directory_that_cannot_be_made_is_named_with_the_way_out(tmp_path):
    (tmp_path / "taken").write_text("a file")
    file = tmp_path / "taken/archipelago.lock"
    with pytest.raises(ConfigurationError) as raised, hold(file):
        pass
    assert str(raised.value) == (
        f"cannot use the state directory {file.parent}: file exists; give another with --state-dir"
    )


def test_only_its_owner_sees_the_state_directory(file):
    with hold(file):
        assert file.parent.stat().st_mode & 0o777 == 0o700


def test_on_a_full_disk_it_is_held_all_the_same(file):
    file.parent.mkdir()
    with full_disk(), hold(file):
        assert locking.holder(file) == "it did not say who it is"
        with pytest.raises(ConfigurationError, match="another loop"), hold(file):
            pass
