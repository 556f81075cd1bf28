"""A container's spec becomes exactly this body."""

import signal

import pytest
from msgspec.structs import replace

from reconciler.drivers.podman.create_request import LOG_BYTES, create_request
from reconciler.drivers.podman.users import Users
from reconciler.errors import DriverRejected
from reconciler.model.container import (
    ContainerSpec,
    DeviceSpec,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    Resources,
    UlimitSpec,
)

PLAIN = ContainerSpec(
    app="notes",
    name="web",
    container_name="archipelago-notes-web-0123abcd",
    digest="0123abcd",
    image="localhost/notes:1",
)
PLAIN_BODY = {
    "name": "archipelago-notes-web-0123abcd",
    "image": "localhost/notes:1",
    "labels": {
        "io.archipelago.format": "1",
        "io.archipelago.instance": "box",
        "io.archipelago.app": "notes",
        "io.archipelago.container": "web",
        "io.archipelago.digest": "0123abcd",
        "io.archipelago.requires": "",
        "io.archipelago.source": "",
        "io.archipelago.stop-grace-period": "10",
    },
    "env": {},
    "cap_drop": ["ALL"],
    "cap_add": [],
    "no_new_privileges": True,
    "read_only_filesystem": False,
    "init": False,
    "restart_policy": "no",
    "stop_timeout": 10,
    "healthconfig": {"Test": ["NONE"], "Timeout": 1_000_000_000},
    "log_configuration": {"driver": "k8s-file", "size": LOG_BYTES},
    "cgroupns": {"nsmode": "private"},
    "mounts": [],
    "volumes": [],
    "netns": {"nsmode": "none"},
}


def tmpfs(target, *options):
    return {"type": "tmpfs", "destination": target, "options": list(options)}


WRITABLE = ("rw", "nosuid", "nodev", "mode=1777")
BRIDGE = {"netns": {"nsmode": "bridge"}}

CASES = [
    ("a plain container gets what is always asked for", {}, {}),
    (
        "an environment is kept to the letter",
        {"environment": (("A", 'ü=", \n'), ("B", ""))},
        {"env": {"A": 'ü=", \n', "B": ""}},
    ),
    (
        "a command and an entrypoint are never folded together",
        {"command": ("a b", "c"), "entrypoint": ("/e",)},
        {"command": ["a b", "c"], "entrypoint": ["/e"]},
    ),
    (
        "an empty command and entrypoint are not the image's",
        {"command": (), "entrypoint": ()},
        {"command": [], "entrypoint": []},
    ),
    (
        "whatever is run, it is as whom and where it was said",
        {"user": "1:2", "working_dir": "/w", "hostname": "h", "init": True},
        {"user": "1:2", "work_dir": "/w", "hostname": "h", "init": True},
    ),
    (
        "capabilities come back one by one",
        {"capabilities": ("NET_BIND_SERVICE",), "no_new_privileges": False},
        {"cap_add": ["NET_BIND_SERVICE"], "no_new_privileges": False},
    ),
    (
        "limits are in the engine's units, and swap adds nothing to memory",
        {"resources": Resources(cpu=1.5, memory=100, memory_reservation=50, pids=7)},
        {
            "resource_limits": {
                "cpu": {"quota": 150000, "period": 100000},
                "memory": {"limit": 100, "swap": 100, "reservation": 50},
                "pids": {"limit": 7},
            },
        },
    ),
    (
        "a limit of nearly nothing is the least that the kernel takes",
        {"resources": Resources(cpu=0.001)},
        {"resource_limits": {"cpu": {"quota": 1000, "period": 100000}}},
    ),
    (
        "devices are named with their place inside and what may be done with them",
        {"devices": (DeviceSpec("/dev/a", "/dev/b", "rw"), DeviceSpec("/dev/c", "/dev/c"))},
        {"devices": [{"path": "/dev/a:/dev/b:rw"}, {"path": "/dev/c:/dev/c:rwm"}]},
    ),
    (
        "a privileged container has nothing dropped",
        {"privileged": True, "capabilities": ("CHOWN",)},
        {"privileged": True, "cap_drop": [], "cap_add": ["CHOWN"]},
    ),
    (
        "the default seccomp profile is the engine's, another is named",
        {"seccomp_profile": "/etc/profile.json"},
        {"seccomp_profile_path": "/etc/profile.json"},
    ),
    (
        "kernel settings, names, resolvers and shared memory are its own",
        {
            "sysctls": (("net.core.somaxconn", "512"),),
            "extra_hosts": (("nas", "10.0.0.2"),),
            "dns": ("10.0.0.1", "fd00::1"),
            "shm_size": 1 << 20,
        },
        {
            "sysctl": {"net.core.somaxconn": "512"},
            "hostadd": ["nas:10.0.0.2"],
            "dns_server": ["10.0.0.1", "fd00::1"],
            "shm_size": 1 << 20,
        },
    ),
    (
        "limits go to the engine as they are, and none is the largest number",
        {"ulimits": (UlimitSpec("memlock", -1, -1), UlimitSpec("nofile", 1, 2))},
        {
            "r_limits": [
                {"type": "memlock", "soft": 2**64 - 1, "hard": 2**64 - 1},
                {"type": "nofile", "soft": 1, "hard": 2},
            ],
        },
    ),
    (
        "a network knows the container by its name in the app, its hostname and its aliases",
        {"network": "net", "hostname": "h", "aliases": ("x", "web", "h")},
        {
            **BRIDGE,
            "hostname": "h",
            "Networks": {"net": {"aliases": ["web", "h", "x"]}},
            "portmappings": [],
        },
    ),
    (
        "ports are published where they are bound",
        {"network": "net", "ports": (PortSpec(80, 8080), PortSpec(53, 53, "udp", "0.0.0.0"))},
        {
            **BRIDGE,
            "Networks": {"net": {"aliases": ["web"]}},
            "portmappings": [
                {
                    "container_port": 8080,
                    "host_port": 80,
                    "host_ip": "127.0.0.1",
                    "protocol": "tcp",
                },
                {
                    "container_port": 53,
                    "host_port": 53,
                    "host_ip": "",
                    "protocol": "udp",
                },
            ],
        },
    ),
    (
        "a port that leads by our rules is none of the engine's",
        {"network": "net", "ports": (PortSpec(80, 8080),), "led": True},
        {**BRIDGE, "Networks": {"net": {"aliases": ["web"]}}, "portmappings": []},
    ),
    (
        "the host's network has neither aliases nor ports",
        {"network_policy": NetworkPolicy.HOST, "network": "net", "ports": (PortSpec(1, 2),)},
        {"netns": {"nsmode": "host"}},
    ),
    (
        "no network is no network, whatever else is said",
        {"network_policy": NetworkPolicy.NONE, "network": "net"},
        {"netns": {"nsmode": "none"}},
    ),
    (
        "a read-only root has places to write",
        {"readonly_root": True},
        {
            "read_only_filesystem": True,
            "mounts": [tmpfs(place, *WRITABLE) for place in ("/tmp", "/run", "/var/tmp")],
        },
    ),
    (
        "but not where the app mounts something itself",
        {
            "readonly_root": True,
            "mounts": (
                MountSpec(MountKind.TMPFS, "", "/tmp/", ("mode=700",), 4096),
                MountSpec(MountKind.VOLUME, "v", "/run"),
            ),
        },
        {
            "read_only_filesystem": True,
            "mounts": [tmpfs("/tmp/", "mode=700", "size=4096"), tmpfs("/var/tmp", *WRITABLE)],
            "volumes": [{"Name": "v", "Dest": "/run", "Options": []}],
        },
    ),
    (
        "volumes and host paths are different things",
        {
            "mounts": (
                MountSpec(MountKind.BIND, "/srv/x", "/x", ("ro",)),
                MountSpec(MountKind.VOLUME, "data", "/data", ("U",)),
            ),
        },
        {
            "mounts": [
                {"type": "bind", "source": "/srv/x", "destination": "/x", "options": ["ro"]},
            ],
            "volumes": [{"Name": "data", "Dest": "/data", "Options": ["U"]}],
        },
    ),
]


@pytest.mark.parametrize(("why", "changes", "added"), CASES, ids=[case[0] for case in CASES])
def test_body(why, changes, added):
    assert create_request(replace(PLAIN, **changes), "box") == PLAIN_BODY | added, why


def test_limits_that_are_not_written_stay_the_machines():
    """Podman forgets its own defaults for a container that is given one limit."""
    base = (UlimitSpec("nofile", 9, 9), UlimitSpec("nproc", 8, 8))
    written = replace(PLAIN, ulimits=(UlimitSpec("nofile", 1, 2),))
    assert create_request(written, "box", base)["r_limits"] == [
        {"type": "nofile", "soft": 1, "hard": 2},
        {"type": "nproc", "soft": 8, "hard": 8},
    ]
    assert "r_limits" not in create_request(PLAIN, "box", base)


def test_labels_carry_what_a_new_reconciler_has_to_know():
    spec = replace(PLAIN, requires=("db", "mail"), source="notes.yaml", stop_grace_period=2.5)
    body = create_request(spec, "box")
    assert body["labels"] == PLAIN_BODY["labels"] | {
        "io.archipelago.requires": "db,mail",
        "io.archipelago.source": "notes.yaml",
        "io.archipelago.stop-grace-period": "2.5",
    }
    assert body["stop_timeout"] == 2


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", signal.SIGTERM),
        ("INT", signal.SIGINT),
        ("sigquit", signal.SIGQUIT),
        ("9", 9),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
    ],
)
def test_a_stop_signal_is_a_number(name, number):
    body = create_request(replace(PLAIN, stop_signal=name), "box")
    assert body["stop_signal"] == number
    assert type(body["stop_signal"]) is int


@pytest.mark.parametrize("name", ["SIGNOTHING", "", "SIGRTMIN+x"])
def test_a_signal_that_does_not_exist_is_refused(name):
    with pytest.raises(DriverRejected, match="there is no signal"):
        create_request(replace(PLAIN, stop_signal=name), "box")


def test_users_of_its_own_are_given_as_numbers():
    body = create_request(PLAIN, "box", users=Users(300000, 400000))
    assert body["userns"] == {"nsmode": "private"}
    users, groups = ([{"container_id": 0, "host_id": n, "size": 65536}] for n in (300000, 400000))
    given = body["idmappings"]
    assert (given["UIDMap"], given["GIDMap"]) == (users, groups)
    assert not given["HostUIDMapping"] | given["HostGIDMapping"]
    assert create_request(PLAIN, "box", users=None) == PLAIN_BODY
