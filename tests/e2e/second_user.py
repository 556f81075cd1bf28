"""
A second user of this machine, with no rights but a user's, for a Podman without root.

Made and unmade in the mount namespace of the tests' world; the machine's /etc knows nobody new.
"""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import world

NAME, NUMBER = "archipelago-second", 61234
FIRST_SUBORDINATE, SUBORDINATES = 700_000, 65_536
# Covered for as long as there is this user. Not in /run, of which Podman shows a user's networks
# another one; and not where the checkout is, to which a user need not be let in.
COVERED = Path("/srv")
PLACE = COVERED / NAME
MNT_DETACH = 2
_LINES = {
    "passwd": f"{NAME}:x:{NUMBER}:{NUMBER}::{PLACE}/home:/bin/sh\n",
    "group": f"{NAME}:x:{NUMBER}:\n",
    "subuid": f"{NAME}:{FIRST_SUBORDINATE}:{SUBORDINATES}\n",
    "subgid": f"{NAME}:{FIRST_SUBORDINATE}:{SUBORDINATES}\n",
}
# Without a configuration, Podman keeps a user's images by copying each layer.
_STORAGE = '[storage]\ndriver = "overlay"\n'
_COMMAND = """\
#!{python}
import sys
from reconciler.cli.app import main
sys.exit(main())
"""


class SecondUser:
    """Somebody with a home, a runtime directory and subordinate ids, and what they run."""

    def __init__(self):
        self.home, self.runtime = PLACE / "home", PLACE / "run"
        self.command = PLACE / "bin/archipelago"
        self.who = {"user": NUMBER, "group": NUMBER, "extra_groups": []}
        self._mounted = []
        try:
            world.mount("tmpfs", COVERED, "tmpfs", data="mode=755")
            self._mounted.append(COVERED)
            PLACE.mkdir()
            self._furnish()
        except BaseException:
            self.leave()
            raise

    def why_not(self):
        """Return why Podman has no namespaces for this user here; empty where it has."""
        tried = self.run("podman", "unshare", "--rootless-netns", "true", check=False)
        return tried.stderr.strip() if tried.returncode else ""

    def run(self, *arguments, check=True, timeout=60, **more):
        """Run a command as this user; return what it did."""
        done = subprocess.run(
            [*map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=self.environment,
            cwd=self.home,
            **self.who,
            **more,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def podman(self, *arguments, check=True):
        """Run one `podman` command as this user; return what it printed."""
        return self.run("podman", *arguments, check=check).stdout.rstrip("\n")

    def own(self, path):
        """Give this user a folder, or a file."""
        os.chown(path, NUMBER, NUMBER)
        return path

    def lose_power(self):
        """End all that this user runs, and empty what only a running machine has."""
        ends = time.monotonic() + 20
        while processes := _processes():
            assert time.monotonic() < ends, processes
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.02)
        for left in self.runtime.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def leave(self):
        """Leave nothing of this user."""
        if self.runtime.exists():
            self.lose_power()
        for place in reversed(self._mounted):
            world._libc.umount2(os.fsencode(place), MNT_DETACH)

    @property
    def environment(self):
        """What a login gives this user, and where our code is."""
        return {
            "HOME": str(self.home),
            "USER": NAME,
            "LOGNAME": NAME,
            "LANG": "C.UTF-8",
            "PATH": f"{PLACE}/bin:/usr/local/bin:/usr/bin:/bin",
            "XDG_RUNTIME_DIR": str(self.runtime),
            "LD_LIBRARY_PATH": str(PLACE / "python/lib"),
            "PYTHONPATH": f"{PLACE}/code:{PLACE}/site",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _furnish(self):
        for name, line in _LINES.items():
            copy = PLACE / name
            copy.write_text(Path("/etc", name).read_text() + line)
            self._bind(copy, Path("/etc", name))
        self._furnish_home()
        self.runtime.mkdir(mode=0o700)
        self.own(self.runtime)
        self._open(Path("/dev/net/tun"))
        self._show(Path(sys.base_prefix), "python")
        self._show(Path(sysconfig.get_path("purelib")), "site")
        self._show(world.CHECKOUT / "reconciler", "code/reconciler")
        self.command.parent.mkdir()
        python = PLACE / "python/bin" / f"python3.{sys.version_info.minor}"
        self.command.write_text(_COMMAND.format(python=python))
        self.command.chmod(0o755)

    def _open(self, device):
        """Let everybody use a device, as udev does where it runs."""
        node = PLACE / device.name
        os.mknod(node, stat.S_IFCHR, device.stat().st_rdev)
        node.chmod(0o666)
        self._bind(node, device)

    def _furnish_home(self):
        """On the disk of the world, which goes with it."""
        self.home.mkdir()
        disk = Path(os.environ["ARCHIPELAGO_STATE_DIR"]).parent
        if world.on_overlay(disk):  # which cannot carry another overlay
            world.mount("tmpfs", self.home, "tmpfs")
            self._mounted.append(self.home)
        else:
            self._bind(tempfile.mkdtemp(prefix="second-", dir=disk), self.home)
        settings = self.home / ".config/containers"
        settings.mkdir(parents=True)
        (settings / "storage.conf").write_text(_STORAGE)
        for each in (self.home, self.home / ".config", settings):
            self.own(each)

    def _show(self, source, name):
        (PLACE / name).mkdir(parents=True)
        self._bind(source, PLACE / name)

    def _bind(self, source, place):
        world.mount(source, place, flags=world.MS_BIND | world.MS_REC)
        self._mounted.append(place)


def _processes():
    """The processes of this user, and of their containers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            owner = process.stat().st_uid
            ended = (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not ended and (owner == NUMBER or 0 <= owner - FIRST_SUBORDINATE < SUBORDINATES):
                found.append(int(process.name))
    return found
