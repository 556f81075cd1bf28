"""Which refusals of a start mean that only making the container anew helps."""

import pytest

from reconciler.drivers.podman import containers


@pytest.mark.parametrize(
    ("message", "half_made"),
    [
        ("cannot start web: `/usr/bin/runc start 906214d4ac81` failed: exit status 1", True),
        ("cannot start web: `/usr/bin/crun start 906214d4ac81` failed: exit status 1", True),
        ("cannot start web: container already exists", True),
        ("cannot start web: layer not known", True),
        (
            'cannot start web: runc: runc create failed: exec: "sleep": executable file not found',
            False,
        ),
        ("cannot start web: port 8090 is in use", False),
    ],
)
def test_a_half_made_container_is_known_by_what_podman_says(message, half_made):
    assert bool(containers._HALF_MADE.search(message)) is half_made
