"""What a container that somebody else made has otherwise than a spec asks for."""

import pytest
from builders import container
from msgspec.structs import replace

from reconciler.core.likeness import differences
from reconciler.model.adoption import ContainerFacts, ImageFacts
from reconciler.model.container import (
    DeviceSpec,
    FileSpec,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    Resources,
    UlimitSpec,
)
from reconciler.model.secret import SecretRef

REF = "0123456789abcdef"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
DATA = MountSpec(MountKind.VOLUME, "archipelago-web-data", "/data")
SCRATCH = MountSpec(MountKind.TMPFS, "", "/tmp", size=1024)
FOLDER = MountSpec(MountKind.BIND, "/srv/web", "/srv", ("ro",))
BARE = container("web", no_new_privileges=False)
WANTED = container(
    "web",
    image="registry.example/web:1",
    command=("serve", "--well"),
    entrypoint=("/bin/sh",),
    user="1000",
    working_dir="/srv",
    hostname="web",
    init=True,
    environment=(("A", "b"), ("C", "")),
    ports=(PortSpec(8080, 80), PortSpec(53, 53, "udp", "0.0.0.0")),
    mounts=(DATA, FOLDER, SCRATCH),
    devices=(DeviceSpec("/dev/fuse", "/dev/fuse"), DeviceSpec("/dev/kvm", "/dev/kvm", "r", True)),
    capabilities=("CHOWN",),
    readonly_root=True,
    resources=Resources(cpu=0.5, memory=1 << 20, memory_reservation=1 << 19, pids=10),
    shm_size=1 << 20,
    ulimits=(UlimitSpec("core", 0, 0),),
    extra_hosts=(("db", "192.0.2.1"),),
    dns=("192.0.2.53",),
    stop_signal="int",
)
IMAGE = ImageFacts(
    "id",
    ("registry.example/web:1",),
    (DIGEST,),
    entrypoint=("/entry",),
    command=("default",),
    environment=(("BROUGHT", "by it"), ("PATH", "/bin")),
    user="33",
    working_dir="/www",
    stop_signal="SIGQUIT",
)
SAME = ContainerFacts(
    ref=REF,
    name="web",
    image="registry.example/web:1",
    made_of=IMAGE,
    command=("/bin/sh", "serve", "--well"),
    environment=(("A", "b"), ("BROUGHT", "by it"), ("C", ""), ("HOSTNAME", "web"), ("PATH", "x")),
    user="1000",
    working_dir="/srv",
    hostname="web",
    init=True,
    networks=("podman",),
    ports=(PortSpec(8080, 80), PortSpec(53, 53, "udp", "")),
    mounts=(
        replace(DATA, options=("nosuid", "nodev", "rbind", "rprivate")),
        replace(FOLDER, options=("rbind", "ro", "rprivate")),
        MountSpec(MountKind.TMPFS, "", "/tmp", ("rw", "size=1024")),
        MountSpec(MountKind.TMPFS, "", "/run", ("rw",)),
    ),
    devices=(DeviceSpec("/dev/fuse", "/dev/fuse", ""),),
    capabilities=("CAP_CHOWN",),
    no_new_privileges=True,
    readonly_root=True,
    resources=Resources(cpu=0.5, memory=1 << 20, memory_reservation=1 << 19, pids=10),
    swap=1 << 20,
    shm_size=1 << 20,
    ulimits=(UlimitSpec("core", 0, 0), UlimitSpec("nofile", 1024, 1024)),
    extra_hosts=(("db", "192.0.2.1"),),
    dns=("192.0.2.53",),
    stop_signal="SIGINT",
)
PLAIN = ContainerFacts(
    ref=REF,
    name="web",
    image="localhost/test:1",
    made_of=IMAGE,
    command=("/entry", "default"),
    environment=(("BROUGHT", "by it"),),
    user="33",
    working_dir="/www",
    hostname=REF[:12],
    resources=Resources(pids=2048),
    shm_size=65_536_000,
    stop_signal="SIGQUIT",
)

OTHERWISE = {
    "it is made of the image docker.io/x/y:1, the manifest says registry.example/web:1": {
        "image": "docker.io/x/y:1",
        "made_of": replace(IMAGE, names=()),
    },
    "it runs `other`, the manifest says `/bin/sh serve --well`": {"command": ("other",)},
    "it runs nothing, the manifest says `/bin/sh serve --well`": {"command": ()},
    "it runs as the user root, the manifest says 1000": {"user": ""},
    "its working directory is /, the manifest says /srv": {"working_dir": "/"},
    "its hostname is box, the manifest says web": {"hostname": "box"},
    "it has no init process, the manifest asks for an init process": {"init": False},
    "its stop signal is SIGTERM, the manifest says SIGINT": {"stop_signal": "SIGTERM"},
    "its variable A has another value than in the manifest": {
        "environment": (("A", "hidden"), ("C", "")),
    },
    "it has no variable C, the manifest sets it": {"environment": (("A", "b"),)},
    "it has the variable D, the manifest does not set it": {
        "environment": (("A", "b"), ("C", ""), ("D", "hidden")),
    },
    "it has the variable BROUGHT, the manifest does not set it": {
        "environment": (("A", "b"), ("BROUGHT", "hidden"), ("C", "")),
    },
    "its network is host, the manifest says isolated": {"network": "host"},
    "it publishes port 81 at 127.0.0.1 for 80/tcp, the manifest does not": {
        "ports": (*SAME.ports, PortSpec(81, 80)),
    },
    "it does not publish port 53 at every address for 53/udp, the manifest does": {
        "ports": SAME.ports[:1],
    },
    "it has a tmpfs at /more, the manifest has nothing there": {
        "mounts": (*SAME.mounts, replace(SCRATCH, target="/more")),
    },
    "it has the folder /run at /run, the manifest has nothing there": {
        "mounts": (*SAME.mounts[:3], MountSpec(MountKind.BIND, "/run", "/run")),
    },
    "it has the volume web_data at /data, the manifest says the volume archipelago-web-data;"
    " to bring the data over, stop it, and `podman volume export web_data` into"
    " archipelago-web-data (docs/operations.md says how)": {
        "mounts": (replace(DATA, source="web_data"), *SAME.mounts[1:]),
    },
    "it has the folder /var at /data, the manifest says the volume archipelago-web-data": {
        "mounts": (MountSpec(MountKind.BIND, "/var", "/data"), *SAME.mounts[1:]),
    },
    "what is at /srv is mounted rw, the manifest says ro": {
        "mounts": (SAME.mounts[0], replace(FOLDER, options=()), *SAME.mounts[2:]),
    },
    "it has nothing at /data, the manifest says the volume archipelago-web-data": {
        "mounts": SAME.mounts[1:],
    },
    "it keeps data at /data in a volume without a name, which would go with it; the manifest"
    " cannot name that: copy the data into a volume of the app": {
        "mounts": SAME.mounts[1:],
        "nameless": ("/data",),
    },
    "it has a privileged process, the manifest asks for none": {"privileged": True},
    "it has the capabilities KILL, the manifest does not give them": {
        "capabilities": ("CAP_CHOWN", "CAP_KILL"),
    },
    "it has not the capabilities CHOWN, the manifest gives them": {"capabilities": ()},
    "its seccomp profile is unconfined, the manifest says default": {
        "seccomp_profile": "unconfined",
    },
    "it was made with no_new_privileges false, the manifest says true": {
        "no_new_privileges": False,
    },
    "it has no device /dev/fuse, the manifest gives it": {"devices": ()},
    "it has the device /dev/sda at /dev/sda, the manifest does not give it": {
        "devices": (*SAME.devices, DeviceSpec("/dev/sda", "/dev/sda")),
    },
    "its limit of CPU is none, the manifest says 0.5": {
        "resources": replace(SAME.resources, cpu=None),
    },
    "its limit of memory is 5, the manifest says 1048576": {
        "resources": replace(SAME.resources, memory=5),
    },
    "its limit of reserved memory is none, the manifest says 524288": {
        "resources": replace(SAME.resources, memory_reservation=None),
    },
    "its limit of processes is none, the manifest says 10": {
        "resources": replace(SAME.resources, pids=None),
    },
    "it may swap beyond its limit of memory; an app may not (`--memory-swap`)": {"swap": 2 << 20},
    "its limit of shared memory is 5, the manifest says 1048576": {"shm_size": 5},
    "its ulimit core is not 0:0, as the manifest says": {
        "ulimits": (UlimitSpec("core", 1, 1),),
    },
    "it has a ulimit cpu of 1:2, the manifest says none": {
        "ulimits": (*SAME.ulimits, UlimitSpec("cpu", 1, 2)),
    },
    "its extra hosts are not those of the manifest": {"extra_hosts": ()},
    "it asks the name servers of the machine, the manifest says 192.0.2.53": {"dns": ()},
    "it is in a pod": {"beyond": ("it is in a pod",)},
}


def test_what_is_the_same_differs_in_nothing():
    assert differences(WANTED, SAME) == ()
    assert differences(BARE, PLAIN) == (), "what is not given is the image's"


@pytest.mark.parametrize(("told", "changed"), OTHERWISE.items(), ids=OTHERWISE)
def test_what_differs_is_told_once_and_without_values(told, changed):
    assert differences(WANTED, replace(SAME, **changed)) == (told,)
    assert "hidden" not in told


def test_a_profile_of_apparmor_has_to_be_the_one_that_is_named():
    wanted = replace(BARE, apparmor_profile="mine")
    told = "its AppArmor profile is none, the manifest says mine"
    assert differences(wanted, PLAIN) == (told,)
    assert differences(wanted, replace(PLAIN, apparmor_profile="mine")) == ()
    other = replace(PLAIN, apparmor_profile="containers-default-0.50.1")
    assert differences(BARE, other) == ()
    assert differences(wanted, other) == (told.replace("none", "containers-default-0.50.1"),)


def test_users_of_its_own_are_given_when_a_container_is_made():
    told = "it was made for the users of the machine, the manifest gives it its own"
    assert differences(replace(BARE, userns="auto"), PLAIN) == (told,)


def test_a_read_only_root_is_a_difference_both_ways():
    assert "it was made with readonly_root false, the manifest says true" in differences(
        WANTED, replace(SAME, readonly_root=False)
    )
    assert differences(BARE, replace(PLAIN, readonly_root=True)) == (
        "it was made with readonly_root true, the manifest says false",
    )


def test_what_is_privileged_is_not_asked_for_single_rights():
    told = "it has no privileged process, the manifest asks for a privileged process"
    wanted = replace(BARE, privileged=True)
    assert differences(wanted, PLAIN) == (told,)
    every = replace(PLAIN, privileged=True, capabilities=("CAP_SYS_ADMIN",))
    assert differences(wanted, replace(every, seccomp_profile="unconfined")) == ()


@pytest.mark.parametrize(
    ("why", "wanted", "facts"),
    [
        ("no name, but that of its image", {}, {"image": "<none>"}),
        ("another tag of it", {}, {"image": "registry.example/web:newest"}),
        ("its digest", {"image": f"registry.example/web@{DIGEST}"}, {}),
        ("it is pinned to that", {"pin": DIGEST}, {}),
    ],
)
def test_an_image_is_the_same_by_any_of_its_names(why, wanted, facts):
    assert differences(replace(WANTED, **wanted), replace(SAME, **facts)) == (), why


def test_an_image_that_is_pinned_otherwise_is_another():
    told = f"its image registry.example/web:1 is not the one of the digest {OTHER}"
    assert differences(replace(WANTED, pin=OTHER), SAME) == (told,)


@pytest.mark.parametrize(
    ("why", "wanted", "command"),
    [
        ("the image's entrypoint before a command", {"command": ("x",)}, ("/entry", "x")),
        ("without the image's command", {"entrypoint": ("/own",)}, ("/own",)),
        ("an empty entrypoint is none", {"entrypoint": (), "command": ("x",)}, ("x",)),
    ],
)
def test_a_command_is_what_the_engine_would_make_of_it(why, wanted, command):
    assert differences(replace(BARE, **wanted), replace(PLAIN, command=command)) == (), why


def test_who_is_in_the_network_of_the_machine_has_its_name_and_no_ports():
    wanted = replace(BARE, network=None, network_policy=NetworkPolicy.HOST)
    assert differences(wanted, replace(PLAIN, network="host", hostname="box")) == ()
    told = "its network is bridge, the manifest says host"
    assert differences(wanted, PLAIN) == (told,)
    silent = replace(BARE, network=None, network_policy=NetworkPolicy.NONE)
    assert differences(silent, replace(PLAIN, network="none")) == ()


def test_a_network_that_is_named_is_the_one():
    wanted = replace(BARE, network="lan", network_policy=NetworkPolicy.NAMED)
    assert differences(wanted, replace(PLAIN, networks=("lan", "podman"))) == ()
    told = "it is not in the network lan, which the manifest names"
    assert differences(wanted, replace(PLAIN, networks=("podman",))) == (told,)


def test_a_hostname_that_nobody_asked_for_is_a_difference():
    told = "its hostname is box, the manifest says none"
    assert differences(BARE, replace(PLAIN, hostname="box")) == (told,)


def test_signals_are_the_same_however_they_are_written():
    for name in ("SIGINT", "int", "Int"):
        assert differences(replace(WANTED, stop_signal=name), SAME) == ()
    number = replace(SAME, stop_signal="40")
    assert differences(replace(WANTED, stop_signal="40"), number) == ()


def test_what_nobody_can_compare_is_a_difference():
    secret = replace(BARE, secret_environment=(("KEY", (SecretRef("web", "key"),)),))
    given = replace(PLAIN, environment=(*PLAIN.environment, ("KEY", "x")))
    told = "the manifest fills KEY with secrets of its own, and it was given others"
    assert differences(secret, given) == (told,)
    files = replace(BARE, files=(FileSpec("/data", "a", ("b",)),))
    assert differences(files, PLAIN) == (
        "the manifest writes files into it, which cannot be compared",
    )
    sysctls = replace(BARE, sysctls=(("net.core.somaxconn", "1"),))
    assert differences(sysctls, PLAIN) == (
        "the manifest sets sysctls, and nobody can see which ones it has",
    )


def test_name_servers_that_nobody_asked_for_are_a_difference():
    told = "it asks the name servers 192.0.2.1, the manifest says none"
    assert differences(BARE, replace(PLAIN, dns=("192.0.2.1",))) == (told,)
