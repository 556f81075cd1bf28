"""
The table of rules in the kernel: looked at, and replaced whole, in one transaction.

Rules are looked at again when the kernel says that some changed, or each time where it does not
say so; what is not as we made it counts as no rules at all, and is loaded anew.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable

from msgspec.structs import replace

from reconciler.drivers.podman import leading, nftables
from reconciler.errors import DriverRejected, DriverUnavailable
from reconciler.model.isolation import LAN_RANGES, IsolationSpec

Isolations = tuple[IsolationSpec, ...]
_SECONDS = 10.0
_ABSENT = "No such file or directory"
_SBIN = "/usr/sbin:/sbin"  # not in everybody's path


class Firewall:
    """One instance's rules. All methods may be called from several threads."""

    def __init__(
        self,
        instance: str,
        lan: tuple[str, ...] = LAN_RANGES,
        command: str | None = None,
    ) -> None:
        self._instance = instance
        self._lan = lan
        self._command = command
        self._lock = threading.Lock()
        self._seen: tuple[Isolations, str] | None = None
        self._wanted: Isolations = ()  # what was in force last: a flushed table comes back whole
        self._rules = ""  # as listed right after they were loaded
        self._changes: Callable[[], bool] = lambda: True

    def tell_changes(self, changed: Callable[[], bool]) -> None:
        """Look again only when `changed` says so, once for each change; at first anyway."""
        with self._lock:
            self._changes, self._seen = changed, None

    def observe(self) -> tuple[Isolations, str]:
        """Return what is in force, and why nothing can be; never raises."""
        with self._lock:
            if self._changes() or self._seen is None:
                self._seen = self._look()
            found, why = self._seen
            return tuple(_reaching(each) for each in found), why

    def leads(self, isolation: IsolationSpec) -> bool:
        """Whether the port that these rules lead is the app's already, wherever it leads."""
        with self._lock:
            return any(
                (i.app, i.lead.bind, i.lead.host)
                == (isolation.app, isolation.lead.bind, isolation.lead.host)
                for i in self._present()
                if i.lead is not None and isolation.lead is not None
            )

    def isolate(self, isolation: IsolationSpec) -> None:
        """Have these rules for one app; those of others stay, or come back."""
        with self._lock:
            others = [i for i in self._present() if i.app != isolation.app]
            if isolation.lead is not None:
                leading.refuse_if_led(isolation.app, isolation.lead, others)
                leading.open_bridge(isolation.interface)
            self._load((*others, isolation))

    def forget(self, app: str) -> None:
        """Have no rules for an app."""
        with self._lock:
            present = self._present()
            left = tuple(i for i in present if i.app != app)
            if len(left) != len(present):
                self._load(left)

    def _present(self) -> Isolations:
        found, why = self._look()
        if why:
            raise DriverRejected(f"cannot isolate apps from each other: {why}")
        return found or self._wanted

    def _look(self) -> tuple[Isolations, str]:
        if os.geteuid() != 0:
            return (), "firewall rules need root"
        if self._nft() is None:
            return (), "nft is not installed (apt-get install nftables)"
        try:
            code, listing, told = self._run("-j", "list", "table", "inet", self._table)
        except DriverUnavailable as error:
            return (), str(error)
        if code:
            return (), "" if _ABSENT in told else f"nft says: {_line(told)}"
        if self._rules and nftables.rules(listing) != self._rules:
            return (), ""
        found = nftables.isolations(listing, self._lan)
        self._wanted = found or self._wanted or nftables.of_another_make(listing)
        return found or (), ""

    def _load(self, isolations: Isolations) -> None:
        text = nftables.script(self._instance, isolations, self._lan)
        code, _, told = self._run("-f", "-", text=text)
        if code:
            raise DriverRejected(f"cannot load the firewall rules: nft says: {_line(told)}")
        self._wanted, self._seen = isolations, None
        _, listing, _ = self._run("-j", "list", "table", "inet", self._table)
        self._rules = nftables.rules(listing)

    @property
    def _table(self) -> str:
        return nftables.table_name(self._instance)

    def _nft(self) -> str | None:
        if self._command is None:
            self._command = shutil.which("nft") or shutil.which("nft", path=_SBIN)
        return self._command

    def _run(self, *arguments: str, text: str = "") -> tuple[int, str, str]:
        try:
            ended = subprocess.run(
                [self._nft() or "nft", *arguments],
                input=text,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DriverUnavailable(f"nft did not answer within {_SECONDS:g} s") from error
        except OSError as error:
            return 1, "", error.strerror or type(error).__name__
        return ended.returncode, ended.stdout, ended.stderr


def _reaching(isolation: IsolationSpec) -> IsolationSpec:
    """A port does not lead to what its bridge does not let it reach from here."""
    if isolation.lead is None or leading.is_open(isolation.interface):
        return isolation
    return replace(isolation, lead=None)


def _line(text: str) -> str:
    """Return the first line of a complaint."""
    return next(iter(text.strip().splitlines()), "nothing")
