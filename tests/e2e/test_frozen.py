"""Podman's service takes requests and answers none: the loop says so, and helps itself."""

import os
import signal
from contextlib import suppress

import pytest
from e2e.box import ready, services

from reconciler.drivers.podman.endpoint import answers

pytestmark = [pytest.mark.podman, pytest.mark.e2e]
PATIENCE = 90.0


@pytest.fixture
def frozen():
    """Stops a process for good; it goes on at the end of the test, if it is still there."""
    pids = []

    def freeze(pid):
        os.kill(pid, signal.SIGSTOP)
        pids.append(pid)

    yield freeze
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def assert_it_says_so(it):
    """The loop's status tells it, and the verb reads it without asking Podman."""
    told = it.wait(lambda s: s["pass"].get("error"), "the complaint", PATIENCE)
    assert "did not answer" in told["pass"]["error"]
    assert ready(told, "web"), "what was known last is not forgotten"
    page = it.run("status", timeout=30).stdout
    assert "did not answer" in " ".join(page.split())


def test_a_frozen_service_of_our_own_is_told_of_and_replaced(box, frozen):
    it = box()
    it.write("web")
    it.start().wait_ready("web")
    before = it.container("web")
    (service,) = services(it)
    frozen(service)
    it.write("late")  # the loop has something to do
    assert_it_says_so(it)
    it.wait(lambda s: not s["pass"].get("error") and ready(s, "late"), "the way back", PATIENCE)
    assert services(it) != [service]
    assert len(services(it)) == 1
    assert it.container("web")["Pid"] == before["Pid"]


def test_a_frozen_service_of_somebody_else_is_told_of_and_waited_for(
    box, frozen, tmp_path, podman_service_of
):
    service = podman_service_of(tmp_path)
    it = box()
    it.flags["podman"] = service.url
    it.write("web")
    it.start().wait_ready("web")
    before = it.container("web")
    frozen(service.pid())
    it.write("late")
    assert_it_says_so(it)
    assert not answers(service.socket)
    os.kill(service.pid(), signal.SIGCONT)
    it.wait(lambda s: not s["pass"].get("error") and ready(s, "late"), "the way back", PATIENCE)
    assert it.container("web")["Pid"] == before["Pid"]
    assert it.process.poll() is None


@pytest.fixture
def podman_service_of():
    """A service that no loop keeps."""
    from reconciler.drivers.podman.service import PodmanService

    made = []

    def make(folder):
        made.append(PodmanService(folder / "theirs", "theirs", dict(os.environ)))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()
