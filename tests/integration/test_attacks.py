"""
What root in a hostile container tries, and does not get; the same where a permission grants it.

Whom it reaches by the network is in `test_who_reaches_whom.py` and `test_way_out.py`. Nothing here
would harm the machine if it did work: what is written is what was there, and bombs are bounded.
"""

import subprocess
import time
from pathlib import Path

import pytest
from contract.machines import PodmanMachine, podman, until

from reconciler.model.container import DeviceSpec, MountKind, MountSpec, Resources
from reconciler.model.desired import VolumeSpec
from reconciler.model.observed import ContainerState

pytestmark = pytest.mark.podman

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
LIMITS = Resources(memory=48 << 20, pids=40, cpu=0.5)
SECRET = "what-the-neighbour-keeps"

# Each succeeds where it is possible, with the exit code 0.
ATTEMPTS = {
    "an engine's socket": "ls /run/*.sock /run/podman /run/docker* /var/run/docker.sock | grep .",
    "the neighbour's volume": f"find / -name {SECRET} 2>/dev/null | grep .",
    "the neighbour's process": "grep -la '[4]242' /proc/[0-9]*/cmdline",
    "an open folder": "find /proc/1/fd/ -follow -maxdepth 1 -mindepth 1 -type d | grep .",
    "raw sockets": "traceroute -I -m 1 -q 1 -w 1 127.0.0.1",
    "mount": "mount -t tmpfs none /dev/shm",
    "remount /sys": "mount -o remount,rw /sys",
    "remount /proc/sys": "mount -o remount,rw /proc/sys",
    "a device that is not its own": "mknod /w/disk b $MAJOR $MINOR",
    "the machine's memory": "head -c 1 /dev/mem || head -c 1 /dev/kmem || head -c 1 /proc/kcore",
    "the kernel's log": "head -c 1 /dev/kmsg || head -c 1 /proc/kmsg || dmesg",
    "core_pattern": "cd /proc/sys/kernel; p=$(cat core_pattern); echo $p > core_pattern",
    "/proc/sys": "v=$(cat /proc/sys/vm/swappiness); echo $v > /proc/sys/vm/swappiness",
    "/sys": "f=/sys/kernel/mm/transparent_hugepage/enabled; echo madvise > $f",
    "sysrq": "echo h > /proc/sysrq-trigger",
    "a control group": "mkdir /sys/fs/cgroup/x || mkdir /sys/fs/cgroup/pids/x",
    "more memory for itself": "echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes"
    " || echo max > /sys/fs/cgroup/memory.max",
    "a module": "! insmod /bin/busybox 2>&1 | grep -q -e permitted -e implemented",
    "the clock": "! date -s @$(date +%s) 2>&1 | grep -q permitted",
    "the host name": "hostname attacked",
    "chroot": "mkdir -p /w/bin; cp /bin/busybox /w/bin; chroot /w /bin/busybox true",
    "other users' files": "echo a > /w/f && chown 1000 /w/f && chmod 400 /w/f",
    "a namespace of the network": "unshare -n true",
    "a higher priority": "renice -n -5 -p 1",
}
FILTERED = {
    "a namespace of users": "unshare -U true",
    "a namespace of users, and root in it": "unshare -Ur mount -t tmpfs none /dev/shm",
}
OPEN = {  # where nothing confines: what is tried above would do what it is meant to
    "core_pattern",
    "/proc/sys",
    "the kernel's log",
    "the host name",
    "a namespace of the network",
    "a higher priority",
    "a module",
}
GRANTED = [
    ("raw sockets", {"capabilities": ("NET_RAW",)}),
    ("mount", {"capabilities": ("SYS_ADMIN",)}),
    ("a device that is not its own", {"capabilities": ("MKNOD",)}),
    ("chroot", {"capabilities": ("SYS_CHROOT",)}),
    ("other users' files", {"capabilities": ("CHOWN", "FOWNER")}),
]


@pytest.fixture(scope="module")
def machine(busybox_image, podman_socket, tmp_path_factory):
    made = PodmanMachine(busybox_image, tmp_path_factory.mktemp("attacks"), podman_socket)
    yield made
    made.close()


@pytest.fixture(scope="module")
def neighbour(machine):
    """Another app with data of its own."""
    volume = VolumeSpec(f"{machine.instance}-data", "neighbour")
    machine.driver.ensure_volume(volume)
    mount = MountSpec(MountKind.VOLUME, volume.name, "/data")
    text = f"echo a > /data/{SECRET}; exec busybox sleep 4242"
    spec = machine.script(text, "neighbour", app="neighbour", mounts=(mount,))
    machine.running(spec)
    assert until(lambda: machine.content(spec, "/data", SECRET) == "a\n")
    return spec


# Where whoever is in it may write, make devices and run programs.
ROOM = MountSpec(MountKind.TMPFS, "", "/w", ("rw", "exec", "dev", "suid", "mode=1777"))


@pytest.fixture(scope="module")
def hostile(machine):
    spec = machine.spec("hostile", resources=LIMITS, mounts=(ROOM,))
    assert machine.running(spec).confinement.capabilities == ()
    return spec


@pytest.fixture(autouse=True)
def unharmed(machine, neighbour):
    """Whatever is tried: the machine is as it was, and the neighbour does not notice."""
    pattern, before, clock = CORE_PATTERN.read_text(), machine.see(neighbour), skew()
    yield
    assert CORE_PATTERN.read_text() == pattern
    assert abs(skew() - clock) < 1.0
    after = machine.see(neighbour)
    assert (after.state, after.pid) == (ContainerState.RUNNING, before.pid)
    assert machine.content(neighbour, "/data", SECRET) == "a\n"
    ran = podman("exec", neighbour.container_name, "busybox", "echo", "well")
    assert ran == "well\n"


def skew():
    return time.time() - time.monotonic()


def attempt(spec, script, timeout=60):
    """Run a script as root inside; return its exit code and what it said."""
    disk = Path("/sys/class/block").glob("[svn]*[a-z]")
    number = next((d for d in sorted(disk)), Path("/sys/class/block/loop0")) / "dev"
    major, _, minor = number.read_text().strip().partition(":")
    given = ("--env", f"MAJOR={major}", "--env", f"MINOR={minor}")
    asked = ["podman", "exec", *given, spec.container_name, "busybox", "sh", "-c", script]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("what", ATTEMPTS)
def test_root_in_a_container_does_not_get(hostile, what):
    code, told = attempt(hostile, ATTEMPTS[what])
    assert code != 0, told


@pytest.mark.parametrize(("what", "given"), GRANTED, ids=[row[0] for row in GRANTED])
def test_who_is_granted_it_does(machine, what, given):
    spec = machine.spec("granted", mounts=(ROOM,), **given)
    machine.running(spec)
    try:
        code, told = attempt(spec, ATTEMPTS[what])
        assert code == 0, told
    finally:
        machine.remove_by_hand(spec)


def test_what_is_tried_works_where_nothing_confines(machine):
    spec = machine.spec("open", mounts=(ROOM,), privileged=True, no_new_privileges=False)
    machine.running(spec)
    told = {what: attempt(spec, ATTEMPTS[what]) for what in OPEN}
    machine.remove_by_hand(spec)
    assert {what: told for what, (code, told) in told.items() if code != 0} == {}


def test_a_node_is_not_the_device(machine):
    """Who may make device nodes still opens none but those that were given."""
    spec = machine.spec("maker", capabilities=("MKNOD",), mounts=(ROOM,))
    machine.running(spec)
    code, told = attempt(spec, "mknod /w/node b $MAJOR $MINOR && head -c 1 /w/node")
    assert code != 0
    assert "not permitted" in told
    machine.remove_by_hand(spec)
    given = DeviceSpec("/dev/null", "/dev/given")
    spec = machine.spec("owner", devices=(given,))
    machine.running(spec)
    assert attempt(spec, "head -c 1 /dev/given")[0] == 0
    machine.remove_by_hand(spec)


@pytest.mark.parametrize("what", FILTERED)
def test_the_strict_filter_leaves_no_way_to(machine, what):
    spec = machine.spec("strict", seccomp_profile="strict")
    machine.running(spec)
    code, told = attempt(spec, FILTERED[what])
    assert code != 0
    assert "not permitted" in told
    machine.remove_by_hand(spec)


FOLDER = "/h"
HARM = "echo attacked > /h/kept"


def folder(path):
    """A folder of the machine in which only root may write, as the manifest gives it."""
    path.mkdir()
    path.chmod(0o755)
    (path / "kept").write_text("kept\n")
    return MountSpec(MountKind.BIND, str(path), FOLDER)


def test_root_inside_is_not_root_outside(machine, tmp_path):
    given = folder(tmp_path / "given")
    spec = machine.spec("own-users", userns="auto", mounts=(given,))
    assert machine.running(spec).confinement.own_users
    code, told = attempt(spec, HARM)
    assert code != 0
    assert "ermission denied" in told
    assert attempt(spec, "cat /h/kept && id -u") == (0, "kept\n0\n")
    for worse in ("chown 0 /h/kept", "chmod 666 /h/kept", "mknod /h/disk b $MAJOR $MINOR"):
        assert attempt(spec, worse)[0] != 0
    assert (tmp_path / "given/kept").read_text() == "kept\n"
    machine.remove_by_hand(spec)


def test_root_inside_is_root_outside_where_the_manifest_says_so(machine, tmp_path):
    spec = machine.spec("host-users", mounts=(folder(tmp_path / "given"),))
    assert not machine.running(spec).confinement.own_users
    assert attempt(spec, HARM)[0] == 0
    assert (tmp_path / "given/kept").read_text() == "attacked\n"
    machine.remove_by_hand(spec)


def test_a_fork_bomb_ends_at_the_limit_of_processes(machine, hostile):
    bomb = "for i in $(seq 200); do sleep 5 & done; wait"
    code, told = attempt(hostile, bomb)
    assert code != 0
    assert "fork" in told
    assert machine.see(hostile).limits.pids == LIMITS.pids


def test_a_memory_bomb_ends_at_the_limit_of_memory(machine, hostile):
    code, _ = attempt(hostile, "exec dd if=/dev/zero of=/dev/null bs=256M count=1")
    assert code != 0
    assert machine.see(hostile).state is ContainerState.RUNNING
    assert machine.see(hostile).limits.memory == LIMITS.memory
