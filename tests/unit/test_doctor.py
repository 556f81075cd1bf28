"""What the doctor says of each kind of machine."""

import pytest
from msgspec.structs import replace

from reconciler.drivers.podman.doctor import Standing, diagnose
from reconciler.drivers.podman.examination import Examination
from reconciler.drivers.podman.host import Cgroups, Host

TOOLS = {
    "podman": "4.3.1",
    "crun": "1.8.1",
    "runc": "1.1.5",
    "conmon": "2.1.6",
    "netavark": "1.4.0",
    "aardvark-dns": "1.4.0",
    "nft": "1.0.6",
}
SERVER = Host(versions=TOOLS)
WELL = Examination()


def without(*tools):
    return {name: version for name, version in TOOLS.items() if name not in tools}


def test_a_healthy_server_has_nothing_to_do():
    findings = diagnose(SERVER, WELL)
    assert {finding.status for finding in findings} == {Standing.OK}
    assert [finding.todo for finding in findings if finding.todo] == []


@pytest.mark.parametrize(
    ("host", "facts", "status", "subject", "words", "todo"),
    [
        ({"versions": {}}, {}, "problem", "Podman", "not installed", "make setup"),
        (
            {"versions": TOOLS | {"podman": "3.0.1"}},
            {},
            "problem",
            "Podman",
            "3.0.1 is older",
            "4.3",
        ),
        ({}, {"socket_answers": False}, "problem", "API", "", "--podman"),
        ({"versions": without("crun", "runc")}, {}, "problem", "runtime", "Neither", "crun"),
        (
            {"cgroups": Cgroups.HYBRID, "versions": without("runc")},
            {},
            "problem",
            "runtime",
            "crun refuses",
            "apt-get install runc",
        ),
        ({"cgroups": Cgroups.HYBRID}, {}, "note", "control groups", "runc is used", ""),
        (
            {"root": False, "cgroups": Cgroups.V1},
            {},
            "note",
            "control groups",
            "not enforced",
            "root",
        ),
        (
            {"cgroups": Cgroups.V1, "versions": TOOLS | {"podman": "5.4.2"}},
            {},
            "note",
            "control groups",
            "a later one will not",
            "boot",
        ),
        ({"systemd": False}, {}, "note", "systemd", "does not run", ""),
        ({"hard_files": 1024}, {}, "problem", "limits", "1024 open files", "ulimit"),
        ({"sys_resource": False, "hard_files": 20000}, {}, "note", "limits", "20000 open", ""),
        (
            {"versions": without("aardvark-dns")},
            {},
            "problem",
            "network",
            "aardvark-dns not found",
            "apt-get install aardvark-dns",
        ),
        ({}, {"iptables": False}, "problem", "network", "iptables", "apt-get install iptables"),
        ({"udevd": False}, {}, "note", "network", "udevd does not run", ""),
        (
            {"versions": without("nft")},
            {},
            "problem",
            "firewall",
            "cannot be filtered",
            "nftables",
        ),
        ({"root": False}, {}, "note", "firewall", "A user cannot filter", ""),
        ({"root": False}, {"newuidmap": False}, "problem", "user ids", "newuidmap", "uidmap"),
        ({"root": False}, {"subordinate_ids": 0}, "problem", "user ids", "0 sub", "--add-subuids"),
        ({"root": False}, {}, "note", "ports", "no port below 1024", "port_start"),
        ({"root": False}, {"lingers": False}, "note", "login", "ends with", "enable-linger"),
        ({"root": False}, {"runtime_directory": False}, "note", "login", "XDG_RUNTIME", "ssh"),
        ({"root": False}, {"tun": False}, "problem", "network", "/dev/net/tun", "chmod"),
        ({}, {"storage_driver": "vfs"}, "note", "storage", "full copy", "overlay"),
        ({}, {"storage_driver": ""}, "problem", "storage", "does not say", "podman info"),
        ({}, {"watches": 10}, "note", "file watching", "Few", "fs.inotify.max_user_watches=8192"),
        ({}, {"static_busybox": False}, "note", "demo apps", "busybox", "busybox-static"),
    ],
)
def test_each_trouble_is_named_with_its_cure(host, facts, status, subject, words, todo):
    findings = diagnose(replace(SERVER, **host), replace(WELL, **facts))
    found = [f for f in findings if f.subject == subject and f.status is not Standing.OK]
    assert [finding.status for finding in found] == [status]
    assert words in found[0].found
    assert todo in found[0].todo if todo else not found[0].todo


def test_a_newer_netavark_needs_no_iptables():
    host = replace(SERVER, versions=TOOLS | {"netavark": "1.14.0"})
    findings = diagnose(host, replace(WELL, iptables=False))
    assert {finding.status for finding in findings} == {Standing.OK}


def test_a_user_with_ids_is_well():
    found = [f for f in diagnose(replace(SERVER, root=False), WELL) if f.subject == "user ids"]
    assert [finding.status for finding in found] == [Standing.OK]
