"""
Fixtures for tests on a real Podman, and the rule that they run only in a world of its own.

`make test` starts that world. To run a few of them while developing:
`.venv/bin/python tests/world.py .venv/bin/python -m pytest -m podman tests/integration`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.drivers.podman.service import PodmanService

REAL = {"podman", "e2e", "chaos"}
BUSYBOX = "localhost/test/busybox:1"
CONTAINERFILE = """\
FROM scratch
COPY bin /bin
ENV PATH=/bin
"""


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what is compared with files anew, instead of comparing",
    )


def pytest_runtest_setup(item):
    """Keep every test that needs Podman away from the containers of this machine."""
    if not REAL.intersection(mark.name for mark in item.iter_markers()):
        return
    reason = os.environ.get("ARCHIPELAGO_TEST_NO_PODMAN")
    if os.environ.get("ARCHIPELAGO_TEST_WORLD") == "1" and not reason:
        return
    message = f"needs a Podman world of its own: run `make test` ({reason or 'not in one'})"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def run_podman(*arguments, check=True, timeout=60, stdin=None):
    """Run one `podman` command and return its output without the last line's end."""
    done = subprocess.run(
        ["podman", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        input=stdin,
        check=False,
    )
    assert not check or done.returncode == 0, f"podman {arguments}: {done.stderr}"
    return done.stdout.rstrip("\n")


@pytest.fixture(scope="session")
def podman_cli():
    """`podman_cli("ps", "-a")` returns what the command printed, or fails with its complaint."""
    return run_podman


@pytest.fixture(scope="session")
def podman_service(tmp_path_factory):
    """Podman's API for the whole session."""
    service = PodmanService(tmp_path_factory.mktemp("podman"), "tests", dict(os.environ))
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def podman_socket(podman_service) -> Path:
    """The path of the socket of that API."""
    return podman_service.socket


@pytest.fixture(scope="session")
def busybox_image(tmp_path_factory):
    """An image with nothing but a static busybox, and each of its applets by name."""
    return build_busybox(tmp_path_factory.mktemp("busybox"))


def build_busybox(context):
    """Build that image in a folder of its own."""
    binaries = context / "bin"
    binaries.mkdir()
    shutil.copy(static_busybox(), binaries / "busybox")
    listed = subprocess.run(
        [binaries / "busybox", "--list"], capture_output=True, text=True, timeout=10, check=True
    )
    for applet in set(listed.stdout.split()) - {"busybox"}:
        (binaries / applet).symlink_to("busybox")
    (context / "Containerfile").write_text(CONTAINERFILE)
    run_podman("build", "--quiet", "--tag", BUSYBOX, context)
    return BUSYBOX


def static_busybox():
    """Find the busybox that needs no library: an empty image has none."""
    for candidate in ("/bin/busybox", "/usr/bin/busybox", ".venv/busybox-static"):
        linked = subprocess.run(["ldd", candidate], capture_output=True, timeout=10, check=False)
        if Path(candidate).exists() and linked.returncode != 0:
            return candidate
    return pytest.fail("no static busybox here: apt-get install busybox-static", pytrace=False)
