"""One `machine` for every test of the contract: in memory, and in Podman (mark `podman`)."""

import pytest
from contract.machines import MemoryMachine, PodmanMachine

BOTH = ["memory", pytest.param("podman", marks=pytest.mark.podman)]


@pytest.fixture(params=BOTH)
def machine(request, tmp_path):
    if request.param == "memory":
        made = MemoryMachine()
    else:
        image = request.getfixturevalue("busybox_image")
        made = PodmanMachine(image, tmp_path, request.getfixturevalue("podman_socket"))
    yield made
    made.close()


@pytest.fixture(params=BOTH)
def frail_machine(request, tmp_path):
    """A machine whose engine a test may end and begin."""
    if request.param == "memory":
        made = MemoryMachine()
    else:
        made = PodmanMachine(request.getfixturevalue("busybox_image"), tmp_path)
    yield made
    made.close()
