"""A machine that loses its power, with everything running, and is started again."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import world
from e2e.boots import APPS

from reconciler.lanes import WORKERS

pytestmark = [pytest.mark.podman, pytest.mark.e2e]
TESTS = Path(world.__file__).parent
IMAGE = "localhost/test/busybox:1"


@pytest.fixture
def disk(tmp_path):
    """What outlives a reboot."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a machine that is booted twice")
    place = tmp_path / "disk"
    yield place
    world.remove(place)


def boot(disk, *arguments):
    """Live once on that disk, without knowing of the world around; return what was told."""
    environment = {k: v for k, v in os.environ.items() if k != "ARCHIPELAGO_TEST_WORLD"}
    done = subprocess.run(
        [
            *(sys.executable, TESTS / "world.py", world.KEEP, disk),
            *(sys.executable, TESTS / "e2e/boots.py", *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(300)
def test_after_a_reboot_all_are_started_again_in_order_and_none_is_made_anew(
    disk, tmp_path, podman_cli, busybox_image
):
    image = tmp_path / "image.tar"
    podman_cli("save", "-o", str(image), IMAGE)
    root = str(tmp_path / "box")
    before = boot(disk, "first", root, str(image))
    after = boot(disk, "again", root)
    assert after["before"] == [], "nothing survives by itself"
    assert after["left"] == len(before["all"])
    assert after["ids"] == before["ids"], "started, not made anew"
    assert after["all"] == before["all"]
    assert all(after["ready"].values())
    assert before["data"] == ["life"]
    assert after["data"] == ["life", "life"]
    assert before["done"] == after["done"] == ["done"], "a job that was done is not done again"
    assert after["networks"] == before["networks"]
    assert after["answer"] == before["answer"] == "ok\n"
    started = after["started"]
    assert started["db"] <= started["web"] <= started["shop"]
    assert all(after["started"][name] > before["started"][name] for name in started)
    assert {e["level"] for e in after["events"]} <= {"info"}, after["events"]
    assert most_at_once(after["events"]) <= WORKERS


def most_at_once(events):
    """How many changes were under way at the same time, as their ends and durations tell."""
    spans = []
    for event in events:
        took = re.fullmatch(r"started in ([0-9.]+) s", event["message"])
        if event["kind"] == "change" and took:
            ended = datetime.fromisoformat(event["at"]).timestamp()
            # Durations are rounded to a tenth: what only touches does not count.
            spans.append((ended - float(took[1]) + 0.06, ended))
    assert len(spans) == len(APPS), events
    return max(sum(b <= begin < e for b, e in spans) for begin, _ in spans)
