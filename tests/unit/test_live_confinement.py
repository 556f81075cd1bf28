"""What /proc says of a process, in words of ours."""

import os
import shutil
import subprocess
import sys

import pytest

from reconciler.drivers.podman import live_confinement
from reconciler.drivers.podman.live_confinement import (
    LiveConfinement,
    capabilities_in,
    mounts_in,
    open_in,
    own_users_in,
    read,
    sockets_in,
)
from reconciler.model.observed import ContainerState, ObservedContainer

MOUNTS = """\
368 264 0:100 / / rw,relatime - overlay overlay rw
369 368 0:97 / /proc rw,nosuid - proc proc rw
371 368 0:99 / /sys ro,nosuid - sysfs sysfs ro
374 368 0:58 /containers/x/hosts /etc/hosts rw,relatime - tmpfs tmpfs rw
271 369 0:97 /sys /proc/sys ro,nosuid shared:1 - proc proc rw
273 369 0:98 /null /proc/keys rw,nosuid - tmpfs tmpfs rw
broken
"""


@pytest.mark.parametrize(
    ("sets", "names"),
    [
        (["0", "0000000000000000"], ()),
        (["2000", "1"], ("CHOWN", "NET_RAW")),
        (["0", "20000000000"], ("number 41",)),  # of a kernel that is newer than this list
        (["200000", "200000"], ("SYS_ADMIN",)),
    ],
)
def test_capabilities_of_all_sets_are_named(sets, names):
    assert capabilities_in(sets) == names


def test_what_is_there_has_to_be_hidden_or_read_only(tmp_path):
    for place in ("proc/sys", "proc/keys", "proc/kcore", "sys/firmware"):
        (tmp_path / place).mkdir(parents=True)
    assert open_in(mounts_in(MOUNTS), tmp_path) == ("/proc/kcore", "/sys/firmware")
    written = MOUNTS.replace("/proc/sys ro", "/proc/sys rw").replace("/sys ro", "/sys rw")
    assert open_in(mounts_in(written), tmp_path) == (
        "/proc/kcore",
        "/proc/sys",
        "/sys",
        "/sys/firmware",
    )
    above = f"{MOUNTS}9 371 0:97 /sys /proc/sys rw - proc proc rw\n"
    assert "/proc/sys" in open_in(mounts_in(above), tmp_path)  # the uppermost counts


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("/podman/podman.sock", True),
        ("/run/docker.sock", True),
        ("/podman", True),
        ("/run/docker", True),
        ("/data/podman", False),
        ("/podman-data", False),
        ("/", False),
    ],
)
def test_sockets_of_engines_are_found_wherever_they_are_mounted(what, told):
    line = f"{MOUNTS}1 368 0:58 {what} /inside rw - tmpfs tmpfs rw\n"
    assert sockets_in(mounts_in(line)) == (("/inside",) if told else ())


@pytest.mark.parametrize(
    ("uid_map", "own"),
    [
        ("         0          0 4294967295\n", False),
        ("         0    1000000      65536\n", True),
        ("         0       1000          1\n         1     100000      65536\n", True),
        ("         0    1000000          1\n         1          0      65536\n", False),
        ("         0    1000000      65536\n    100000          0          1\n", False),
        ("", False),
        ("broken\n", False),
    ],
)
def test_nobody_inside_is_root_outside(uid_map, own):
    assert own_users_in(uid_map) is own


def test_a_process_that_is_not_there_is_not_known():
    assert read(2**22 + 1) is None


def container(pid, began=1.0):
    state = ContainerState.RUNNING
    return ObservedContainer("ref", "n", "a", "c", "1-d", state, pid=pid, process_start=began)


def test_a_process_of_this_machine_is_not_confined_and_is_read_once(monkeypatch):
    live, reads = LiveConfinement(), []
    monkeypatch.setattr(live_confinement, "read", lambda pid: reads.append(pid) or read(pid))
    found = live.of(container(os.getpid()))
    assert found.shared == ("cgroup", "ipc", "mnt", "net", "pid", "uts")
    assert live.of(container(os.getpid())) is found
    live.of(container(os.getpid(), began=2.0))  # another process with the same number
    assert len(reads) == 2
    live.forget(frozenset())
    live.of(container(os.getpid(), began=2.0))
    assert len(reads) == 3


def test_a_runtime_that_has_not_become_the_program_is_not_judged(tmp_path):
    runtime = tmp_path / "runc"
    shutil.copy(sys.executable, runtime)
    assert not live_known(runtime)
    assert live_known("sleep")


def live_known(program):
    """Whether a process of that program is judged."""
    given = ["100"] if program == "sleep" else ["-c", "import time; time.sleep(100)"]
    process = subprocess.Popen([program, *given])
    try:
        return LiveConfinement().of(container(process.pid)) is not None
    finally:
        process.kill()
        process.wait()
