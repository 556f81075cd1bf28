"""A minute of `make chaos`, with a seed that CI keeps."""

import os

import pytest
from chaos import Chaos

pytestmark = [
    pytest.mark.podman,
    pytest.mark.e2e,
    pytest.mark.chaos,
    pytest.mark.timeout(900),
]
SECONDS = float(os.environ.get("CHAOS_SECONDS") or 60)
SEED = int(os.environ.get("CHAOS_SEED") or 4)


def test_whatever_is_done_to_a_box_it_comes_right_again(box):
    seconds = Chaos(box(), SEED).run(SECONDS)
    assert len(seconds) > 5, "hardly anything was done"
