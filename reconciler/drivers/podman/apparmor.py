"""
Profiles of AppArmor: which one a container is made with, and that the kernel knows it.

The kernel forgets them when the machine ends, and a container that was made with one does not
start without it: so the texts are kept, and loaded again. An engine of an ordinary user applies
none, and says so to nobody.
"""

import os
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reconciler import durable
from reconciler.drivers.podman import apparmor_profile
from reconciler.errors import DriverRejected
from reconciler.model.container import ContainerSpec

DEFAULT, REQUIRED, UNCONFINED = "default", "required", "unconfined"
DEADLINE_SECONDS = 20.0
ENABLED = Path("sys/module/apparmor/parameters/enabled")
KERNEL = Path("sys/kernel/security/apparmor")
_HASH = re.compile(r"[0-9a-f]{12}")
_LONGEST = 200  # of the parser's complaint


class ProfileNotLoaded(Exception):
    """The kernel did not take a profile; the text says why."""


def missing(*, rootful: bool, machine: Path = Path("/")) -> str:
    """Say why no profile can be in force here; empty where one can."""
    try:
        enabled = (machine / ENABLED).read_text(encoding="ascii").strip() == "Y"
    except OSError:
        enabled = False
    if not enabled:
        return "this kernel has no AppArmor"
    return "" if rootful else "Podman applies none for an ordinary user"


class AppArmor:
    """The kernel's profiles of AppArmor, those of our containers; `machine` is where it is."""

    def __init__(
        self,
        folder: Path,
        warn: Callable[[str], None],
        *,
        rootful: bool,
        machine: Path = Path("/"),
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._folder = folder
        self._warn = warn
        self._rootful = rootful
        self._machine = machine
        self._deadline = deadline

    def missing(self) -> str:
        """Say why no profile can be in force here; empty where one can."""
        return missing(rootful=self._rootful, machine=self._machine)

    def chosen(self, container: ContainerSpec) -> str:
        """Return the profile to make a container with; empty: what the engine does by itself."""
        wanted, why = container.apparmor_profile, self.missing()
        if wanted == UNCONFINED or (wanted == DEFAULT and container.privileged):
            return "" if why else UNCONFINED
        if wanted not in {DEFAULT, REQUIRED}:
            return wanted if not why else _refuse(container, why)
        if why:
            return "" if wanted == DEFAULT else _refuse(container, why)
        try:
            return self._made(container)
        except ProfileNotLoaded as error:
            if wanted == REQUIRED:
                return _refuse(container, str(error))
            self._warn(f"{container.container_name} is made with the engine's profile: {error}")
            return ""

    def ready(self, container_name: str) -> None:
        """Have the kernel know what a container was made with; raises DriverRejected."""
        kept = self._kept(container_name)
        if not kept or self.missing():
            return
        loaded = self._loaded()
        for file in kept:
            if file.name not in loaded:
                try:
                    self._load(file.read_text(encoding="utf-8"))
                except (OSError, ProfileNotLoaded) as error:
                    raise DriverRejected(f"cannot start {container_name}: {error}") from error

    def forget(self, container_name: str) -> None:
        """Have nothing left of the profiles of a container that is gone."""
        for file in self._kept(container_name):
            with suppress(OSError):  # it is not known, or nobody may say so: it does no harm
                self._unload(file.name)
            file.unlink(missing_ok=True)

    def _made(self, container: ContainerSpec) -> str:
        name, text = apparmor_profile.profile(container)
        self._load(text)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace(self._folder / name, text)
        except OSError as error:
            why = f"its profile cannot be kept in {self._folder}: {error.strerror}"
            raise ProfileNotLoaded(why) from error
        return name

    def _load(self, text: str) -> None:
        argv = ["apparmor_parser", "--replace", "--skip-cache"]
        try:
            done = subprocess.run(
                argv,
                input=text,
                capture_output=True,
                text=True,
                timeout=self._deadline,
                check=False,
            )
        except FileNotFoundError as error:
            raise ProfileNotLoaded(
                "there is no apparmor_parser to load its profile with; install apparmor"
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            why = error.strerror if isinstance(error, OSError) else "it did not end in time"
            raise ProfileNotLoaded(f"apparmor_parser cannot load its profile: {why}") from error
        if done.returncode != 0:
            told = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
            why = told[-1][:_LONGEST]
            raise ProfileNotLoaded(f"apparmor_parser cannot load its profile: {why}")

    def _unload(self, name: str) -> None:
        """By the kernel's own file: the parser would have to be told a whole profile."""
        found = os.open(self._machine / KERNEL / ".remove", os.O_WRONLY)
        try:
            os.write(found, name.encode())
        finally:
            os.close(found)

    def _loaded(self) -> frozenset[str]:
        try:
            text = (self._machine / KERNEL / "profiles").read_text(encoding="utf-8")
        except OSError:
            return frozenset()  # loading one that is known does no harm
        return frozenset(line.rpartition(" (")[0] for line in text.splitlines())

    def _kept(self, container_name: str) -> list[Path]:
        """Return the kept texts; the hash at the end keeps names apart that begin alike."""
        begins = f"{container_name}-"
        with suppress(OSError):
            return sorted(
                file
                for file in self._folder.iterdir()
                if file.name.startswith(begins) and _HASH.fullmatch(file.name[len(begins) :])
            )
        return []


def _refuse(container: ContainerSpec, why: str) -> str:
    raise DriverRejected(
        f"cannot create {container.container_name}: its manifest wants the AppArmor profile"
        f" `{container.apparmor_profile}`, and {why}; write `default`, which does what can be done"
    )
