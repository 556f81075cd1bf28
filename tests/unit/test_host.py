"""The settings that Podman gets, for each kind of machine."""

import os
import tomllib

import pytest
from full_disk import full_disk
from msgspec.structs import replace

from reconciler.drivers.podman import containers_conf
from reconciler.drivers.podman.host import (
    Cgroups,
    Host,
    detect,
    pin_bridge_address,
    prepare_host,
    render_containers_conf,
)
from reconciler.errors import ConfigurationError

SERVER = Host()
BARE = Host(systemd=False, udevd=False, sys_resource=False, cgroups=Cgroups.HYBRID)

DISTRIBUTION = """\
# Debian's
[containers]
default_capabilities = [
  "CHOWN",
  "KILL",
]
default_ulimits = ["nofile=4000000:4000000", "core=0:0"]
log_driver = "journald"

[engine]
runtime = "crun"
num_locks = 2048
[engine.runtimes]
"crun-vm" = ["/usr/bin/crun-vm"]
"""


def rendered(host, *base):
    text = render_containers_conf(host, base)
    return None if text is None else tomllib.loads(text)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (SERVER, "an ordinary server"),
        (replace(SERVER, cgroups=Cgroups.V1), "crun works on plain version 1"),
        (replace(SERVER, udevd=False), "udevd is no business of containers.conf"),
        (replace(SERVER, root=False, sys_resource=False), "Podman lowers a user's limits itself"),
    ],
)
def test_nothing_is_written_where_nothing_is_needed(host, reason):
    assert render_containers_conf(host, [DISTRIBUTION]) is None, reason


WITHOUT_SYSTEMD = {
    "containers": {"log_driver": "k8s-file"},
    "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file", "exit_command_delay": 5},
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"systemd": False}, WITHOUT_SYSTEMD),
        ({"systemd": False, "root": False, "sys_resource": False}, WITHOUT_SYSTEMD),
        ({"cgroups": Cgroups.HYBRID}, {"containers": {}, "engine": {"runtime": "runc"}}),
        (
            {"cgroups": Cgroups.HYBRID, "root": False},
            {"containers": {}, "engine": {"runtime": "runc"}},
        ),
        (
            {"sys_resource": False, "hard_files": 20000, "hard_processes": 96365},
            {
                "containers": {"default_ulimits": ["nofile=20000:20000", "nproc=32768:32768"]},
                "engine": {},
            },
        ),
        (
            {"sys_resource": False, "hard_files": 2**40, "hard_processes": 100},
            {
                "containers": {"default_ulimits": ["nofile=1048576:1048576", "nproc=100:100"]},
                "engine": {},
            },
        ),
    ],
)
def test_only_what_is_needed_is_set(changes, expected):
    assert rendered(replace(SERVER, **changes)) == expected


def test_what_the_distribution_set_stays():
    # A bare file would hand back the capabilities that Debian drops.
    settings = rendered(BARE, DISTRIBUTION)
    assert settings["containers"]["default_capabilities"] == ["CHOWN", "KILL"]
    assert settings["engine"]["num_locks"] == 2048
    assert settings["engine"]["runtimes"] == {"crun-vm": ["/usr/bin/crun-vm"]}
    assert settings["engine"]["runtime"] == "runc"
    assert settings["containers"]["log_driver"] == "k8s-file"


def test_limits_of_others_stay_beside_ours():
    limits = rendered(BARE, DISTRIBUTION)["containers"]["default_ulimits"]
    assert limits == ["core=0:0", "nofile=1048576:1048576", "nproc=32768:32768"]


def test_later_layers_win_key_by_key():
    settings = rendered(BARE, DISTRIBUTION, '[engine]\nnum_locks = 4096\nimage_copy = "x"\n')
    assert settings["engine"]["num_locks"] == 4096
    assert settings["engine"]["image_copy"] == "x"
    assert settings["containers"]["default_capabilities"] == ["CHOWN", "KILL"]


def test_odd_values_come_back_as_they_were():
    table = {
        "engine": {
            "a b": 'quote " \\ back\nslash ü',
            "yes": True,
            "share": 0.5,
            "list": [[1], []],
        },
    }
    assert tomllib.loads(containers_conf.render(table)) == table


def test_an_unreadable_layer_says_what_is_wrong():
    with pytest.raises(ConfigurationError, match=r"cannot read Podman's containers\.conf: .*line"):
        render_containers_conf(BARE, ["[engine\n"])


def test_the_file_is_written_and_named(tmp_path):
    added = prepare_host(tmp_path / "state", {}, BARE)
    assert added == {
        "CONTAINERS_CONF": str(tmp_path / "state/containers.conf"),
        "DISABLE_HC_SYSTEMD": "true",
        "PODMAN_IGNORE_CGROUPSV1_WARNING": "true",
    }
    settings = tomllib.loads((tmp_path / "state/containers.conf").read_text())
    assert settings["engine"]["runtime"] == "runc"
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["containers.conf"]


def test_on_a_full_disk_what_is_there_is_used(tmp_path):
    """The service may have to be started again just then."""
    added = prepare_host(tmp_path, {}, BARE)
    with full_disk():
        assert prepare_host(tmp_path, {}, BARE) == added
        with pytest.raises(OSError, match="large"):
            prepare_host(tmp_path / "new", {}, BARE)
    assert list((tmp_path / "new").iterdir()) == []


def test_the_operators_own_file_is_left_alone(tmp_path):
    added = prepare_host(tmp_path, {"CONTAINERS_CONF": "/etc/mine.conf"}, BARE)
    assert added == {"DISABLE_HC_SYSTEMD": "true", "PODMAN_IGNORE_CGROUPSV1_WARNING": "true"}
    assert list(tmp_path.iterdir()) == []


def test_an_ordinary_server_gets_nothing(tmp_path):
    assert prepare_host(tmp_path, {}, SERVER) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_users_layers_are_read_after_the_systems(tmp_path):
    own = tmp_path / "containers/containers.conf"
    own.parent.mkdir()
    own.write_text("")
    (own.parent / "containers.conf.d").mkdir()
    drop_in = own.parent / "containers.conf.d/10-more.conf"
    drop_in.write_text("")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert containers_conf.files(environment, root=False)[-2:] == [own, drop_in]
    assert own not in containers_conf.files(environment, root=True)


def machine(root, tree):
    """A machine's /proc, /sys and /run, as a tree of files."""
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return detect(root=root)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"sys/fs/cgroup/cgroup.controllers": "cpu\n"}, Cgroups.V2),
        ({"sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n"}, Cgroups.HYBRID),
        (
            {
                "sys/fs/cgroup/unified/cgroup.controllers": "\n",
                "sys/fs/cgroup/cpu/cgroup.procs": "",
                "proc/self/cgroup": "2:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n",
            },
            Cgroups.V1,
        ),
        ({"proc/self/cgroup": "7:hugetlb:/\n0::/\n"}, Cgroups.HYBRID),
    ],
)
def test_the_shape_of_the_cgroup_tree_is_seen(tmp_path, tree, expected):
    assert machine(tmp_path, tree).cgroups is expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [("000001ffffffffff", True), ("000001fffeffffff", False), ("0000000001000000", True)],
)
def test_the_capability_is_seen(tmp_path, capabilities, expected):
    host = machine(tmp_path, {"proc/self/status": f"Name:\tx\nCapEff:\t{capabilities}\n"})
    assert host.sys_resource is expected


def test_systemd_and_udevd_are_seen(tmp_path):
    assert not machine(tmp_path, {}).systemd
    assert not machine(tmp_path, {}).udevd
    host = machine(tmp_path, {"run/systemd/system/x": "", "run/udev/control": ""})
    assert host.systemd
    assert host.udevd


def test_a_bridge_needs_no_help_where_udevd_runs():
    assert pin_bridge_address("nosuchbridge", SERVER)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has bridges of the machine's own")
def test_a_bridge_that_is_not_there_yet_is_not_pinned():
    assert not pin_bridge_address("nosuchbridge", BARE)
