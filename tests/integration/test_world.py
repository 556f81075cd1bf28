"""The worlds these tests run in: apart from each other and the machine, and gone after."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.podman,
    pytest.mark.skipif(os.geteuid() != 0, reason="a user's Podman is apart by itself"),
]
WORLD = Path(__file__).parent.parent / "world.py"

SERVE = """
set -e
podman network create --label t=1 net1 >/dev/null
podman run -d --name web --network net1 -p 127.0.0.1:18080:8080 $IMAGE \
    sh -c "echo $NAME >/index.html; exec httpd -f -p 8080 -h /" >/dev/null
echo ready
read -r go
podman run --rm --network net1 $IMAGE timeout 5 wget -q -O - http://web:8080/
curl -sS --max-time 5 http://127.0.0.1:18080/
"""


@pytest.fixture
def base(tmp_path_factory):
    """A directory for worlds of our own, on disk."""
    made = tmp_path_factory.mktemp("worlds")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def archive(busybox_image, podman_cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "busybox.tar"
    podman_cli("save", "--output", path, busybox_image)
    return path


def world(base, *command, **more):
    """Start CMD in a world inside this one; worlds nest."""
    environment = {
        key: value for key, value in os.environ.items() if key != "ARCHIPELAGO_TEST_WORLD"
    }
    environment |= {"TMPDIR": str(base), **more.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, WORLD, *command],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def finish(process, stdin=""):
    out, err = process.communicate(stdin, timeout=60)
    assert process.returncode == 0, err
    return out


def wait_until(true, within=10.0):
    ends = time.monotonic() + within
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def processes_of(base):
    """Whatever still runs from there, or was told about it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(base).encode() in (entry / "environ").read_bytes() and entry.name != str(
                os.getpid()
            ):
                found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("status", [0, 3, 70])
def test_the_exit_code_is_the_commands(base, status):
    process = world(base, "sh", "-c", f"exit {status}")
    process.communicate(timeout=30)
    assert process.returncode == status


def test_input_output_directory_and_arguments_are_the_commands(base, tmp_path):
    process = world(
        base, "sh", "-c", 'cat; pwd; printf "<%s>" "$@"', "sh", "a b", "", cwd=tmp_path
    )
    assert finish(process, "said\n") == f"said\n{tmp_path}\n<a b><>"


def test_a_command_that_is_not_there_says_so(base):
    process = world(base, "no-such-command")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 127
    assert "cannot run no-such-command" in err


def test_a_signal_reaches_the_command(base):
    script = "trap 'echo heard; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    process = world(base, "sh", "-c", script)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("heard\n", 9)


def test_a_command_that_a_signal_ends_is_told_like_a_shell_does(base):
    process = world(base, "sh", "-c", "kill -KILL $$")
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL


def test_the_machines_podman_is_out_of_sight(base, podman_cli, busybox_image):
    identity = podman_cli("run", "-d", "--network=none", busybox_image, "sleep", "60")
    try:
        script = "podman ps -aq; podman images -q; podman network ls -q; ip -o link | wc -l"
        script = f"ls -A /dev/shm; {script}"
        elsewhere = {"CONTAINER_HOST": "unix:///elsewhere", "STORAGE_DRIVER": "vfs"}
        assert finish(world(base, "sh", "-c", script, env=elsewhere)) == "podman\n1\n"
    finally:
        podman_cli("rm", "--force", "--time=0", identity)


def test_two_worlds_share_a_port_and_leave_nothing(base, archive, busybox_image):
    mounts = Path("/proc/self/mountinfo").read_text()
    script = f"podman load -q -i {archive} >/dev/null; {SERVE}"
    both = [
        world(base, "bash", "-c", script, env={"NAME": name, "IMAGE": busybox_image})
        for name in ("one", "two")
    ]
    for process in both:
        line = process.stdout.readline()
        assert line == "ready\n", process.communicate(timeout=10)
    assert [finish(process, "go\n") for process in both] == ["one\none\n", "two\ntwo\n"]
    assert list(base.iterdir()) == []
    assert processes_of(base) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert "net1" not in subprocess.check_output(["ip", "-o", "link"], text=True)


def cgroups_of(identity):
    return list(Path("/sys/fs/cgroup").glob(f"**/libpod_parent/*{identity}*"))


def test_a_killed_world_ends_with_all_that_ran_there(base, archive, busybox_image):
    script = (
        f"podman load -q -i {archive} >/dev/null;"
        f"podman run -d --network=none {busybox_image} sleep 600; setsid sleep 601 & sleep 602"
    )
    process = world(base, "bash", "-c", script)
    identity = process.stdout.readline().strip()
    assert len(identity) == 64
    assert processes_of(base)
    assert cgroups_of(identity)
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not processes_of(base))
    assert len(list(base.iterdir())) == 1  # its storage; nobody was left to remove it

    assert finish(world(base, "true")) == ""
    assert list(base.iterdir()) == []
    assert cgroups_of(identity) == []


def test_the_sweep_leaves_the_living_alone(base):
    living = world(base, "sh", "-c", "echo ready; read -r go; podman images -q; echo well")
    assert living.stdout.readline() == "ready\n"
    assert finish(world(base, "--sweep")) == ""
    assert len(list(base.iterdir())) == 1
    assert finish(living, "go\n") == "well\n"
    assert list(base.iterdir()) == []


def test_without_podman_it_says_so_and_the_tests_are_told(base):
    script = 'echo "$ARCHIPELAGO_TEST_NO_PODMAN/$ARCHIPELAGO_TEST_WORLD"'
    process = world(base, "/bin/sh", "-c", script, env={"PATH": "/nowhere"})
    out, err = process.communicate(timeout=30)
    assert out == "podman is not installed; run `make setup`/\n"
    assert err.startswith("cannot make a Podman world: podman is not installed")
