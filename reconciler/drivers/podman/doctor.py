"""
What a person should know about Podman on this machine, in sentences: `archipelago doctor`.

Judges what `examination` has collected; it touches nothing.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from reconciler.drivers.podman.examination import (
    ENOUGH_IDS,
    ENOUGH_INSTANCES,
    ENOUGH_WATCHES,
    Examination,
)
from reconciler.drivers.podman.host import Cgroups, Host

OLDEST_PODMAN = (4, 3)
PODMAN_AGAINST_VERSION_1 = (5, 0)  # of control groups
ENOUGH_FILES = 8192
# Older ones know no other way than calling `iptables`, which their package does not bring along.
NETAVARK_WITH_NFTABLES = (1, 13)


class Standing(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    NOTE = "note"  # works, with a difference worth knowing
    PROBLEM = "problem"


class Finding(Struct, frozen=True):
    """One sentence about one thing, and what to do about it (empty: nothing)."""

    status: Standing
    subject: str
    found: str
    todo: str = ""


def diagnose(host: Host, facts: Examination) -> tuple[Finding, ...]:
    """Judge the facts, one finding a subject, always in the same order."""
    judges: tuple[Callable[[Host, Examination], Iterator[Finding]], ...] = (
        _podman,
        _api,
        _runtime,
        _cgroups,
        _systemd,
        _limits,
        _network,
        _firewall,
        _rootless,
        _storage,
        _inotify,
        _busybox,
    )
    return tuple(finding for judge in judges for finding in judge(host, facts))


def _podman(host: Host, _: Examination) -> Iterator[Finding]:
    version = host.versions.get("podman")
    if version is None:
        yield _problem("Podman", "Podman is not installed, or does not answer.", "make setup")
        return
    if _numbers(version) < OLDEST_PODMAN:
        yield _problem(
            "Podman",
            f"Podman {version} is older than what this program was tried with.",
            "install Podman 4.3 or newer",
        )
        return
    whose = "for the whole machine (root)" if host.root else "for this user alone (rootless)"
    yield _ok("Podman", f"Podman {version} works {whose}.")


def _api(_: Host, facts: Examination) -> Iterator[Finding]:
    if facts.socket_answers:
        yield _ok("API", f"{facts.socket}.")
    else:
        yield _problem("API", f"{facts.socket}.", "start it, or leave out --podman")


def _runtime(host: Host, _: Examination) -> Iterator[Finding]:
    present = [name for name in ("crun", "runc") if name in host.versions]
    if host.cgroups is Cgroups.HYBRID and "runc" not in present:
        yield _problem(
            "runtime",
            "crun refuses this machine's control groups, and runc, which takes them, is missing.",
            "apt-get install runc",
        )
    elif not present:
        yield _problem("runtime", "Neither crun nor runc is there.", "apt-get install crun")
    else:
        listed = " and ".join(f"{name} {host.versions[name]}" for name in present)
        yield _ok("runtime", f"{listed} can start containers.")


def _cgroups(host: Host, _: Examination) -> Iterator[Finding]:
    if not host.root and host.cgroups is not Cgroups.V2:
        yield _note(
            "control groups",
            "Control groups are version 1: limits on memory, CPU and processes of a user's "
            "containers are not enforced.",
            "boot with systemd.unified_cgroup_hierarchy=1, or run as root",
        )
    elif host.cgroups is Cgroups.HYBRID:
        yield _note(
            "control groups",
            "Control groups are of both versions at once; runc is used, since crun refuses.",
        )
    else:
        yield _ok("control groups", f"Control groups are {host.cgroups}; limits hold.")
    podman = _numbers(host.versions.get("podman", "0"))
    if podman >= PODMAN_AGAINST_VERSION_1 and host.cgroups is not Cgroups.V2:
        yield _note(
            "control groups",
            "Podman takes control groups of version 1, and says that a later one will not.",
            "boot with systemd.unified_cgroup_hierarchy=1",
        )


def _systemd(host: Host, _: Examination) -> Iterator[Finding]:
    if host.systemd:
        yield _ok("systemd", "systemd runs.")
    else:
        yield _note(
            "systemd",
            "systemd does not run. Health checks and restarts are this program's work anyway; "
            "start it at boot by other means.",
        )


def _limits(host: Host, _: Examination) -> Iterator[Finding]:
    limited = host.root and not host.sys_resource
    what = f"{host.hard_files} open files and {host.hard_processes} processes"
    if host.hard_files < ENOUGH_FILES:
        yield _problem(
            "limits", f"A container may have {what}: that is few.", "raise it with ulimit -Hn"
        )
    elif not host.root:
        yield _ok("limits", f"A container may have {what}, as this user.")
    elif limited:
        yield _note("limits", f"This machine lets nobody raise limits; containers get {what}.")
    else:
        yield _ok("limits", "Containers get the limits that they ask for.")


def _network(host: Host, facts: Examination) -> Iterator[Finding]:
    packages = [name for name in ("netavark", "aardvark-dns") if name not in host.versions]
    netavark = host.versions.get("netavark")
    if netavark and _numbers(netavark) < NETAVARK_WITH_NFTABLES and not facts.iptables:
        packages.append("iptables")
    if packages:
        yield _problem(
            "network",
            f"{' and '.join(packages)} not found: containers get no network, or no names in it.",
            f"apt-get install {' '.join(packages)}",
        )
        return
    yield _ok("network", f"netavark {netavark} and aardvark-dns make networks and names.")
    if host.root and not host.udevd:
        yield _note(
            "network",
            "udevd does not run: this program itself keeps the hardware address of bridges "
            "steady, so that containers keep their gateway.",
        )


def _firewall(host: Host, _: Examination) -> Iterator[Finding]:
    if not host.root:
        yield _note(
            "firewall", "A user cannot filter between apps; only networks keep them apart."
        )
    elif "nft" in host.versions:
        yield _ok("firewall", f"nft {host.versions['nft']} filters between apps.")
    else:
        yield _problem(
            "firewall",
            "nft is not there: connections between apps cannot be filtered.",
            "apt-get install nftables",
        )


def _rootless(host: Host, facts: Examination) -> Iterator[Finding]:
    if host.root:
        return
    if not facts.newuidmap:
        yield _problem("user ids", "newuidmap is not there.", "apt-get install uidmap")
    elif facts.subordinate_ids < ENOUGH_IDS:
        yield _problem(
            "user ids",
            f"This user has {facts.subordinate_ids} subordinate ids; images need {ENOUGH_IDS}.",
            'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$USER"',
        )
    else:
        yield _ok("user ids", f"{facts.subordinate_ids} subordinate user ids are set aside.")
    yield from _login(host, facts)
    if facts.first_port > 1:
        yield _note(
            "ports",
            f"A user publishes no port below {facts.first_port}.",
            "sysctl -w net.ipv4.ip_unprivileged_port_start=80, or choose higher ones",
        )
    if not facts.tun:
        yield _problem(
            "network",
            "This user may not open /dev/net/tun: containers with a network do not start.",
            "sudo chmod 666 /dev/net/tun",
        )


def _login(host: Host, facts: Examination) -> Iterator[Finding]:
    if not facts.runtime_directory:
        yield _note(
            "login",
            "XDG_RUNTIME_DIR is not set: Podman keeps in /tmp what it knows of what runs, and "
            "does not look there after a login that sets it.",
            "log in by ssh or at the console, not by su",
        )
    elif host.systemd and not facts.lingers:
        yield _note(
            "login",
            "What this user runs ends with the last session, and does not start at boot.",
            "loginctl enable-linger",
        )


def _storage(host: Host, facts: Examination) -> Iterator[Finding]:
    driver = facts.storage_driver
    if driver == "vfs":
        todo = "a filesystem that overlay works on"
        if host.native_overlay:
            todo = 'driver = "overlay" under [storage] in storage.conf, before the first image'
        yield _note(
            "storage", "Images are kept by vfs: each layer is a full copy on disk, and slow.", todo
        )
    elif driver:
        yield _ok("storage", f"Images are kept by {driver}.")
    else:
        yield _problem(
            "storage", "Podman does not say how it keeps images.", "podman info tells why"
        )


def _inotify(_: Host, facts: Examination) -> Iterator[Finding]:
    short = {
        "max_user_watches": (facts.watches, ENOUGH_WATCHES),
        "max_user_instances": (facts.instances, ENOUGH_INSTANCES),
    }
    low = {name: enough for name, (has, enough) in short.items() if has < enough}
    if not low:
        yield _ok("file watching", f"{facts.watches} files can be watched.")
        return
    settings = " ".join(f"fs.inotify.{name}={enough}" for name, enough in low.items())
    yield _note(
        "file watching",
        "Few files can be watched: an edit may be noticed at the next interval only.",
        f"sysctl -w {settings}",
    )


def _busybox(_: Host, facts: Examination) -> Iterator[Finding]:
    if facts.static_busybox:
        yield _ok("demo apps", "A static busybox is there to build them.")
    else:
        yield _note(
            "demo apps",
            "No static busybox is there, so the demo apps cannot be built; others can.",
            "apt-get install busybox-static",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _ok(subject: str, found: str) -> Finding:
    return Finding(Standing.OK, subject, found)


def _note(subject: str, found: str, todo: str = "") -> Finding:
    return Finding(Standing.NOTE, subject, found, todo)


def _problem(subject: str, found: str, todo: str) -> Finding:
    return Finding(Standing.PROBLEM, subject, found, todo)
