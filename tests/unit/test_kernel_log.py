"""Violations of filters, from real lines of a kernel's log; the log is a pipe here."""

import os
import threading

import pytest

from reconciler.drivers.podman.kernel_log import (
    ViolationWatch,
    container_of,
    is_counted_as_here,
    processes_in,
)

TOLD = (
    "6,1201,37109254766,-;audit: type=1326 audit(1795573463.094:2): auid=4294967295 uid=0 gid=0"
    ' ses=4294967295 pid=19199 comm="busybox" exe="/bin/busybox" sig=0 arch=c000003e syscall=83'
    " compat=0 ip=0x47b567 code=0x7ffc0000\n"
)
LABELLED = TOLD.replace(" pid=19199", " subj=archipelago-web-main (enforce) pid=7")
KILLED = TOLD.replace("19199", "8").replace("sig=0", "sig=31").replace("0x7ffc0000", "0x80000000")
ID = "0123456789abcdef" * 4
GROUP = f"12:pids:/libpod_parent/libpod-{ID}\n0::/x\n"


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        (TOLD, (19199,)),
        (LABELLED, (7,)),
        (TOLD + KILLED, (19199, 8)),
        (TOLD.replace("6,", "12,", 1), ()),  # a program wrote that
        (TOLD.replace("type=1326", "type=1400"), ()),
        (TOLD.replace('"busybox"', '"x pid=1 comm="'), (19199,)),
        ("6,1,2,-;veth6 (unregistering): left promiscuous mode\n", ()),
        (" SUBSYSTEM=acpi\n", ()),
        ("", ()),
    ],
)
def test_whose_call_was_refused(text, pids):
    assert processes_in(text.encode()) == pids


@pytest.mark.parametrize(
    ("group", "ref"),
    [
        (GROUP, ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", ID),
        ("0::/user.slice/user-0.slice\n", ""),
        (None, ""),
    ],
)
def test_in_which_container_a_process_is(tmp_path, group, ref):
    process(tmp_path, 5, group)
    assert container_of(5, tmp_path) == ref


def process(proc, pid, group):
    (proc / str(pid)).mkdir(exist_ok=True)
    if group is not None:
        (proc / str(pid) / "cgroup").write_text(group)


def counted_here(proc, namespace="pid:[4026531836]"):
    (proc / "self/ns").mkdir(parents=True)
    (proc / "self/ns/pid").symlink_to(namespace)


@pytest.fixture
def kernel(tmp_path):
    """A /proc with one process of the app `web`, one of nobody's, and a log that is a pipe."""
    counted_here(tmp_path)
    process(tmp_path, 19199, GROUP)
    process(tmp_path, 8, "0::/user.slice\n")
    os.mkfifo(tmp_path / "kmsg")
    return tmp_path


def watching(kernel, counted, enough):
    def count(app):
        counted.append(app)
        if len(counted) >= enough[0]:
            enough[1].set()

    apps = {ID: "web"}
    return ViolationWatch(lambda ref: apps.get(ref, ""), count, kernel / "kmsg", kernel)


def test_what_is_logged_is_counted_for_the_app_whose_it_is(kernel):
    counted, there = [], threading.Event()
    watch = watching(kernel, counted, (2, there))
    assert watch.available
    with (kernel / "kmsg").open("w") as log:
        log.write(TOLD + KILLED)
        log.flush()
        log.write(TOLD.replace("19199", "77777") + TOLD)
        log.flush()
        assert there.wait(20)
        watch.close()
    watch.close()
    assert counted == ["web", "web"]


def test_without_end_is_counted_as_well_and_it_can_be_closed(kernel):
    counted, there = [], threading.Event()
    watch = watching(kernel, counted, (50, there))
    with (kernel / "kmsg").open("w") as log:
        log.write(TOLD * 60)
        log.flush()
        assert there.wait(20)
        watch.close()
    assert set(counted) == {"web"}


@pytest.mark.parametrize("why", ["no log", "numbers of another namespace", "no /proc"])
def test_where_it_cannot_be_known_nothing_is_counted(tmp_path, why):
    if why != "no /proc":
        counted_here(tmp_path, "pid:[1]" if why.startswith("numbers") else "pid:[4026531836]")
    if why != "no log":
        (tmp_path / "kmsg").write_text(TOLD)
    watch = watching(tmp_path, [], (1, threading.Event()))
    assert not watch.available
    watch.close()
    assert is_counted_as_here(tmp_path) is (why == "no log")
