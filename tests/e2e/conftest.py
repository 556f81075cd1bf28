import pytest
from e2e.box import Box


@pytest.fixture
def box(tmp_path, podman_cli, busybox_image):
    made = []

    def make(name="box", **flags):
        made.append(Box(tmp_path / name, podman_cli, **flags))
        return made[-1]

    yield make
    leaks = [leak for each in made for leak in each.leaks()]
    for each in made:
        each.clean()
    assert not leaks
