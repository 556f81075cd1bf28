"""Podman's service as our child: it comes back, and the containers never notice."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from full_disk import full_disk

from reconciler.drivers.podman import service as service_module
from reconciler.drivers.podman.endpoint import answers, find
from reconciler.drivers.podman.service import PodmanService, private_directory, runtime_directory
from reconciler.errors import ConfigurationError, DriverUnavailable

pytestmark = pytest.mark.podman
INSTANCE = "service-test"

START_AND_DIE = """
import os, signal, sys
from pathlib import Path
from reconciler.drivers.podman.service import PodmanService
service = PodmanService(Path(sys.argv[1]), sys.argv[2], dict(os.environ))
service.start()
print(service.pid(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def service(tmp_path):
    made = PodmanService(tmp_path, INSTANCE, dict(os.environ))
    yield made
    made.stop()


@contextmanager
def container(podman_cli, image):
    identity = podman_cli("run", "--detach", "--network=none", image, "sleep", "300")
    try:
        yield identity
    finally:
        podman_cli("rm", "--force", "--time=0", identity)


def gone(pid, within=5.0):
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_it_answers_on_a_private_socket(service):
    socket = service.start()
    assert answers(socket)
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert find(service.url, {}).path == socket


def test_ctrl_c_does_not_reach_it(service):
    service.start()
    assert os.getsid(service.pid()) == service.pid() != os.getsid(0)


def test_a_second_ensure_starts_nothing(service):
    service.ensure()
    first = service.pid()
    service.ensure()
    assert service.pid() == first


def test_it_comes_back_after_kill_9_and_containers_go_on(service, podman_cli, busybox_image):
    service.start()
    with container(podman_cli, busybox_image) as identity:
        before = podman_cli("inspect", "--format={{.State.Pid}}", identity)
        killed = service.pid()
        os.kill(killed, signal.SIGKILL)
        service.ensure()
        assert answers(service.socket)
        assert service.pid() != killed
        assert podman_cli("inspect", "--format={{.State.Pid}}", identity) == before
        assert Path(f"/proc/{before}").exists()


def test_containers_outlive_its_stop(service, podman_cli, busybox_image):
    service.start()
    with container(podman_cli, busybox_image) as identity:
        pid = podman_cli("inspect", "--format={{.State.Pid}}", identity)
        service.stop()
        assert not answers(service.socket)
        assert Path(f"/proc/{pid}").exists()


def test_stop_leaves_no_process_and_no_socket(service):
    service.start()
    pid = service.pid()
    service.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert not service.socket.exists()
    service.stop()  # twice is fine


def test_one_that_we_left_behind_is_used_again(service, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(tmp_path), INSTANCE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    orphan = int(done.stdout)
    assert answers(service.socket)
    service.start()
    assert service.pid() == orphan
    service.stop()
    assert gone(orphan)


def test_a_service_that_hangs_is_replaced(service, monkeypatch):
    monkeypatch.setattr(service_module, "HUNG_DEADLINE", 0.5)
    monkeypatch.setattr(service_module, "STOP_DEADLINE", 0.5)
    service.start()
    hung = service.pid()
    os.kill(hung, signal.SIGSTOP)
    service.ensure()
    assert service.pid() != hung
    assert gone(hung)


def test_one_that_keeps_dying_is_started_less_and_less_often(service):
    service.start()
    os.kill(service.pid(), signal.SIGKILL)
    service.ensure()  # the first time at once
    os.kill(service.pid(), signal.SIGKILL)
    with pytest.raises(DriverUnavailable, match="keeps ending; it is started again after 1 s"):
        service.ensure()
    time.sleep(1.1)
    service.ensure()
    os.kill(service.pid(), signal.SIGKILL)
    with pytest.raises(DriverUnavailable, match="again after 3 s"):
        service.ensure()


def test_a_number_that_is_somebody_elses_by_now_is_not_killed(service):
    service.start()
    service.stop()
    with subprocess.Popen(["sleep", "60"]) as other:
        (service.socket.parent / "podman.pid").write_text(f"{other.pid}\n")
        assert service.pid() is None
        service.start()
        assert service.pid() != other.pid
        service.stop()
        assert other.poll() is None
        other.kill()


def test_two_starters_at_once_make_one_service(tmp_path, service):
    code = START_AND_DIE.replace("os.kill(os.getpid(), signal.SIGKILL)", "")
    command = [sys.executable, "-c", code, str(tmp_path), INSTANCE]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    numbers = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    assert numbers == {str(service.pid()).encode()}


def test_only_one_program_at_a_time_may_start_it(service, monkeypatch):
    monkeypatch.setattr(service_module, "START_DEADLINE", 0.3)
    private_directory(service.socket.parent)
    with (service.socket.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DriverUnavailable, match="is locked by another process"):
            service.ensure()


def test_one_that_answers_is_used_while_another_program_holds_the_lock(service):
    service.start()
    with (service.socket.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert service.ensure() == service.socket


def test_a_brief_one_ends_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(service_module, "BRIEF_SECONDS", 1)
    brief = PodmanService.temporary(tmp_path, INSTANCE, dict(os.environ))
    brief.start()
    child = brief._child
    brief.stop()  # which leaves it to itself
    assert child.poll() is None
    assert child.wait(10) == 0


def test_a_look_uses_the_loops_service_and_leaves_it_running(service, tmp_path):
    service.start()
    look = PodmanService.temporary(tmp_path, INSTANCE, dict(os.environ))
    assert look.ensure() == service.socket


def test_without_podman_it_says_what_to_do(tmp_path):
    lost = PodmanService(tmp_path, INSTANCE, {"PATH": "/nowhere"})
    with pytest.raises(DriverUnavailable, match=r"cannot start Podman's service: .*make setup"):
        lost.start()


@pytest.mark.parametrize("settings", ["/dev/null", ""], ids=["its number", "its settings"])
def test_on_a_full_disk_it_says_what_to_do(tmp_path, settings):
    lost = PodmanService(tmp_path, INSTANCE, {**os.environ, "CONTAINERS_CONF": settings})
    with (
        full_disk(),
        pytest.raises(DriverUnavailable, match=r"cannot start Podman's service: .*make room"),
    ):
        lost.start()
    assert not answers(lost.socket)
    assert lost.pid() is None


def test_what_it_said_last_is_in_the_message(tmp_path):
    broken = tmp_path / "broken.conf"
    broken.write_text("[engine\n")
    environment = dict(os.environ) | {"CONTAINERS_CONF": str(broken)}
    lost = PodmanService(tmp_path, INSTANCE, environment)
    with pytest.raises(DriverUnavailable, match=r"it ended: .*broken\.conf"):
        lost.start()


def test_its_log_is_bounded(service, tmp_path, monkeypatch):
    monkeypatch.setattr(service_module, "LONGEST_LOG", 1000)
    service.start()
    log = tmp_path / "podman-service.log"
    with log.open("a") as file:
        file.write("x" * 2000)
    service.ensure()
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size >= 2000


def test_a_directory_that_others_can_enter_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match="not a directory that only this user can enter"):
        private_directory(tmp_path)


def test_a_long_name_is_refused_before_the_kernel_does():
    with pytest.raises(ConfigurationError, match="choose a shorter name"):
        runtime_directory("x" * 100, {})
