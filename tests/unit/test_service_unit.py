"""The unit for one user's systemd is one that systemd takes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy/archipelago.service"
VERIFY = shutil.which("systemd-analyze")


def complaints(folder, text):
    """What systemd says of the unit, for a user who has the command."""
    command = folder / "archipelago/.venv/bin/archipelago"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = folder / "archipelago.service"
    unit.write_text(text.replace("%h", str(folder)))
    done = subprocess.run(
        [VERIFY, "verify", "--user", "--man=no", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )
    return [line for line in done.stderr.splitlines() if str(unit) in line or done.returncode]


@pytest.mark.skipif(VERIFY is None, reason="systemd-analyze is not installed")
def test_the_unit_for_a_user_is_without_fault(tmp_path):
    text = UNIT.read_text()
    assert complaints(tmp_path, text) == []
    assert complaints(tmp_path, text.replace("RestartSec=", "RestartSecs="))
    assert complaints(tmp_path, text.replace("%h", "%h/nowhere"))


def test_nothing_ends_the_apps_with_the_unit():
    assert "KillMode=process" in UNIT.read_text().splitlines()
