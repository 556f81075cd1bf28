import pytest
from builders import CHECK, app, container
from msgspec.structs import fields, replace

from reconciler.core import digest
from reconciler.model.container import (
    BuildSpec,
    ContainerSpec,
    DeviceSpec,
    FileSpec,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    PullPolicy,
    Resources,
    Restart,
    ShareSpec,
    StartCondition,
    UlimitSpec,
)
from reconciler.model.secret import SecretRef

SPEC = container("web")

# Another value for each field, and whether a running container would have to be replaced for it.
OTHER = {
    "app": ("other", True),
    "name": ("other", True),
    "container_name": ("other", False),
    "digest": ("other", False),
    "image": ("localhost/test:2", True),
    "build": (BuildSpec("/x", "Containerfile", (), "00"), False),  # its content is in the tag
    "pull_policy": (PullPolicy.ALWAYS, False),
    "signature": ("cosign://key/a", False),
    "guarded": (True, False),
    "command": (("a",), True),
    "entrypoint": (("a",), True),
    "user": ("1000", True),
    "working_dir": ("/srv", True),
    "hostname": ("h", True),
    "init": (True, True),
    "environment": ((("A", "1"),), True),
    "secret_environment": ((("A", (SecretRef("web", "a"),)),), True),
    "files": ((FileSpec("/data", "a", ("x",)),), True),
    "shares": ((ShareSpec("db", "main", "/data/a", "/a"),), True),
    "secrets": (("a",), False),  # they are in the texts
    "network": ("other", True),
    "network_policy": (NetworkPolicy.HOST, True),
    "aliases": (("x",), True),
    "place": (7, False),
    "ports": ((PortSpec(80, 80),), True),
    "led": (True, True),
    "mounts": ((MountSpec(MountKind.TMPFS, "", "/t"),), True),
    "devices": ((DeviceSpec("/dev/null", "/dev/null"),), True),
    "capabilities": (("CHOWN",), True),
    "privileged": (True, True),
    "seccomp_profile": ("unconfined", True),
    "userns": ("auto", True),
    "apparmor_profile": ("required", True),
    "no_new_privileges": (False, True),
    "readonly_root": (True, True),
    "resources": (Resources(pids=5), True),
    "shm_size": (1 << 20, True),
    "ulimits": ((UlimitSpec("nofile", 1, 1),), True),
    "sysctls": ((("net.core.somaxconn", "1"),), True),
    "extra_hosts": ((("a", "10.0.0.1"),), True),
    "dns": (("10.0.0.1",), True),
    "stop_signal": ("SIGINT", True),
    "stop_grace_period": (99.0, False),
    "restart": (Restart.NO, False),
    "depends_on": ((("x", StartCondition.STARTED),), False),
    "health": (CHECK, False),
    "requires": (("db",), True),
    "source": ("elsewhere.yml", False),
    "pin": ("sha256:" + "1" * 64, False),
}


def test_every_field_is_decided_on():
    assert set(OTHER) == {f.name for f in fields(ContainerSpec)}


@pytest.mark.parametrize("name", OTHER)
def test_a_field_replaces_the_container_or_does_not(name):
    value, replaces = OTHER[name]
    changed = replace(SPEC, **{name: value})
    assert changed != SPEC
    assert (digest.container_digest(changed) != digest.container_digest(SPEC)) is replaces


def test_the_digest_of_a_known_container_never_changes():
    """If this fails, every container of every user would be recreated: raise VERSION instead."""
    spec = container("web", image="docker.io/library/nginx:1.27")
    assert digest.container_digest(spec) == GOLDEN


def test_the_short_form_is_the_beginning_of_the_hash():
    assert digest.short("1-0123456789abcdef") == "01234567"


def test_an_app_changes_with_its_containers():
    one = app("web")
    other = app("web", container("web", image="localhost/test:2"))
    assert digest.app_digest(one) == one.digest != other.digest
    assert digest.app_digest(replace(one, network=None)) != one.digest


GOLDEN = "1-7ccfda5d5112acd044cb8a181f5104fcff944a6c4e96696645cf02b6def3fe2b"
