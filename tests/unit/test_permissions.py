"""What an app may do: derived, told, compared, hashed."""

import pytest
from builders import app, container
from msgspec.structs import fields, replace

from reconciler.core.permissions import (
    DERIVED_FROM,
    beyond_baseline,
    covers,
    permissions_of,
    risk,
    uncovered,
)
from reconciler.core.risks import sentence
from reconciler.model.container import (
    DeviceSpec,
    FileSpec,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    Resources,
    ShareSpec,
)
from reconciler.model.desired import AppSpec, Connection, Requirement
from reconciler.model.permission import (
    Kind,
    Permission,
    Risk,
    parse_permission,
    permission_hash,
)
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec

BASELINE, ELEVATED, HOST = Risk.BASELINE, Risk.ELEVATED, Risk.HOST


def web(**more):
    return app("web", container("web", **more))


def bind(source, *options):
    return MountSpec(MountKind.BIND, source, "/there", options)


def texts(permissions):
    return [p.text for p in permissions]


ALWAYS = [
    "egress internet",
    "limit cpu none",
    "limit memory none",
    "limit processes none",
    "network isolated",
    "volume archipelago-web-data",
]


def test_an_app_that_asks_for_nothing_has_what_every_app_has():
    assert texts(permissions_of(web())) == ALWAYS
    assert beyond_baseline(web()) == ()


def test_less_than_the_usual_filter_asks_for_nothing():
    assert beyond_baseline(web(seccomp_profile="strict")) == ()
    assert beyond_baseline(web(apparmor_profile="required")) == ()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"privileged": True}, "privileged"),
        ({"no_new_privileges": False}, "new-privileges"),
        ({"seccomp_profile": "unconfined"}, "seccomp unconfined"),
        ({"apparmor_profile": "mine"}, "apparmor mine"),
        ({"apparmor_profile": "unconfined"}, "apparmor unconfined"),
        ({"capabilities": ("NET_ADMIN",)}, "capability NET_ADMIN"),
        ({"devices": (DeviceSpec("/dev/a", "/dev/b"),)}, "device /dev/a rwm"),
        ({"devices": (DeviceSpec("/dev/a", "/dev/a", "r"),)}, "device /dev/a r"),
        ({"sysctls": (("net.core.somaxconn", "9"),)}, "sysctl net.core.somaxconn=9"),
        ({"ports": (PortSpec(80, 80, bind="0.0.0.0"),)}, "port 0.0.0.0:80/tcp"),
        ({"ports": (PortSpec(53, 5, "udp", "::"),)}, "port [::]:53/udp"),
        ({"mounts": (bind("/srv/a"),)}, "path /srv/a rw"),
        ({"mounts": (bind("/srv/a", "ro"),)}, "path /srv/a ro"),
        ({"mounts": (bind("/srv/a", "U", "ro"),)}, "path /srv/a rw"),
        ({"mounts": (bind("/srv/a", "Z", "ro"),)}, "path /srv/a rw"),
        (
            {"mounts": (MountSpec(MountKind.VOLUME, "archipelago-db-data", "/x", ("ro",)),)},
            "data archipelago-db-data",
        ),
        ({"shares": (ShareSpec("db", "main", "/data/a", "/a"),)}, "file db:/data/a"),
        (
            {"secret_environment": (("K", ("x", SecretRef("db", "key"))),)},
            "data db/secrets/key",
        ),
        (
            {"files": (FileSpec("/data", "f", (SecretRef("db", "key"),)),)},
            "data db/secrets/key",
        ),
        ({"network_policy": NetworkPolicy.HOST}, "network host"),
    ],
)
def test_what_is_more_than_every_app_has_is_beyond_the_baseline(more, text):
    assert texts(beyond_baseline(web(**more))) == [text]
    assert parse_permission(text).text == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"ports": (PortSpec(80, 80),)}, "port 127.0.0.1:80/tcp"),
        ({"ports": (PortSpec(80, 80, bind="::1"),)}, "port [::1]:80/tcp"),
        ({"resources": Resources(1.5, 2**30, None, 64)}, "limit memory 1073741824"),
        ({"network_policy": NetworkPolicy.NONE}, "network none"),
    ],
)
def test_what_reaches_nobody_else_is_baseline(more, text):
    spec = web(**more)
    assert text in texts(permissions_of(spec))
    assert beyond_baseline(spec) == ()
    assert parse_permission(text).text == text


def test_what_is_the_apps_own_is_baseline():
    own = MountSpec(MountKind.VOLUME, "archipelago-web-data", "/data")
    tmpfs = MountSpec(MountKind.TMPFS, "", "/tmp")
    spec = replace(
        web(mounts=(own, tmpfs), secret_environment=(("K", (SecretRef("web", "key"),)),)),
        storage=10 * 2**30,
        secrets=(SecretSpec("web", "key", SecretKind.HEX16),),
    )
    assert {"storage 10737418240", "secret web/key"} < set(texts(permissions_of(spec)))
    assert beyond_baseline(spec) == ()


def test_a_network_of_the_operators_is_named():
    spec = web(network_policy=NetworkPolicy.NAMED)
    assert texts(beyond_baseline(spec)) == ["network named archipelago-web"]
    assert "egress internet" not in texts(permissions_of(spec))


def test_a_connection_to_what_is_required_is_baseline_and_another_is_not():
    reached = (Connection("db", (5432,)), Connection("tor", (9050, 9051)))
    spec = replace(web(), connections=reached, requires=(Requirement("db"),))
    assert texts(beyond_baseline(spec)) == ["connection tor:9050", "connection tor:9051"]
    assert risk(Permission(Kind.CONNECTION, "db:5432"), frozenset({"db"})) is BASELINE


def test_limits_are_those_of_all_containers_together():
    two = app(
        "web",
        container("web", "main", resources=Resources(0.5, 2**20, None, 64)),
        container("web", "db", resources=Resources(1.0, 2**20, None, None)),
    )
    assert texts(permissions_of(two))[1:4] == [
        "limit cpu 1.5",
        "limit memory 2097152",
        "limit processes none",
    ]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("privileged", HOST),
        ("capability SYS_ADMIN", HOST),
        ("capability DAC_READ_SEARCH", HOST),
        ("capability CHOWN", ELEVATED),
        ("device /dev/ttyUSB0 rwm", ELEVATED),
        ("device /dev/sda r", HOST),
        ("device /dev/mem r", HOST),
        ("path /srv/media rw", ELEVATED),
        ("path /home/ada/media ro", ELEVATED),
        ("path /home ro", HOST),
        ("path /etc ro", HOST),
        ("path /etc/localtime ro", ELEVATED),
        ("path /etc/localtime rw", HOST),
        ("path /var ro", HOST),
        ("path /var/lib ro", HOST),
        ("path /etcetera ro", ELEVATED),
        ("path /run/podman/podman.sock ro", HOST),
        ("path /srv/docker.sock ro", HOST),
        ("path /sys ro", ELEVATED),
        ("path /sys rw", HOST),
        ("network host", ELEVATED),
        ("network named lan", ELEVATED),
        ("egress lan", ELEVATED),
        ("egress internet", BASELINE),
        ("egress none", BASELINE),
        ("file db:/a", ELEVATED),
        ("data x", ELEVATED),
        ("seccomp unconfined", ELEVATED),
        ("apparmor mine", ELEVATED),
        ("secret web/key", BASELINE),
    ],
)
def test_every_permission_has_a_risk(text, want):
    assert risk(parse_permission(text)) is want


@pytest.mark.parametrize(
    ("approved", "wanted", "want"),
    [
        ("capability CHOWN", "capability CHOWN", True),
        ("capability CHOWN", "capability SYS_ADMIN", False),
        ("path /srv rw", "path /srv ro", True),
        ("path /srv ro", "path /srv rw", False),
        ("path /srv ro", "path /srv ro", True),
        # An app may have laid a link there that leads to /etc.
        ("path /srv rw", "path /srv/a ro", False),
        ("device /dev/a rwm", "device /dev/a r", True),
        ("device /dev/a r", "device /dev/a rw", False),
        ("device /dev/a rwm", "device /dev/b r", False),
        ("port 0.0.0.0:80/tcp", "port 10.0.0.1:80/tcp", True),
        ("port 0.0.0.0:80/tcp", "port 10.0.0.1:81/tcp", False),
        ("port 0.0.0.0:80/tcp", "port 0.0.0.0:80/udp", False),
        ("port 0.0.0.0:80/tcp", "port [fd00::1]:80/tcp", False),
        ("port [::]:80/tcp", "port [fd00::1]:80/tcp", True),
        ("port 10.0.0.1:80/tcp", "port 0.0.0.0:80/tcp", False),
        ("network host", "port 0.0.0.0:80/tcp", True),
        ("network host", "egress lan", True),
        ("network host", "network named lan", False),
        ("network named lan", "network host", False),
        ("egress lan", "egress internet", True),
        ("egress internet", "egress lan", False),
        ("egress internet", "egress none", True),
        ("privileged", "capability SYS_ADMIN", True),
        ("privileged", "network host", False),
        ("privileged", "path /srv ro", False),
        ("capability SYS_ADMIN", "privileged", False),
        ("storage 10", "storage 9", True),
        ("storage 9", "storage 10", False),
        ("limit memory 10", "limit memory 9", True),
        ("limit memory 9", "limit memory 10", False),
        ("limit memory none", "limit memory 10", True),
        ("limit memory 10", "limit memory none", False),
        ("limit cpu 1.5", "limit cpu 0.5", True),
        ("limit cpu 10", "limit memory 9", False),
        ("file db:/a", "file db:/b", False),
    ],
)
def test_what_covers_what(approved, wanted, want):
    one, other = parse_permission(approved), parse_permission(wanted)
    assert covers(one, other) is want
    assert uncovered([other], [one]) == (() if want else (other,))


def test_any_of_several_may_cover():
    granted = [parse_permission("capability CHOWN"), parse_permission("network host")]
    wanted = [parse_permission("network host"), parse_permission("privileged")]
    assert texts(uncovered(wanted, granted)) == ["privileged"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "walk the dog",
        "privileged yes",
        "capability",
        "path /srv",
        "path /srv rwx",
        "path ro",
        "device /dev/a x",
        "device /dev/a ro",
        "port 80",
        "port 0.0.0.0:80",
        "storage much",
        "limit memory",
        "limit memory much",
        "limit time 5",
        "egress everywhere",
        "connection db",
    ],
)
def test_a_text_that_says_no_permission_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - what is wrong is told elsewhere
        parse_permission(text)


def test_a_path_may_have_blanks():
    assert parse_permission("path /srv/my music ro") == Permission(
        Kind.PATH, "/srv/my music", "ro"
    )


def test_the_hash_is_of_the_set_and_never_changes():
    """If this fails, every approval of every user would be invalid."""
    one, other = parse_permission("network host"), parse_permission("capability CHOWN")
    assert permission_hash([one, other]) == permission_hash([other, one, one]) == GOLDEN
    assert permission_hash([one]) != GOLDEN
    assert permission_hash([]) != GOLDEN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("privileged", "Privileged: not confined, it can do anything on this machine"),
        (
            "network host",
            "Network: host (shares the host's network; can reach every service on it)",
        ),
        ("network isolated", "Network: its own (other apps do not reach it)"),
        ("network none", "Network: none"),
        ("network named lan", "Network: lan (one of yours; can reach everything in it)"),
        ("egress internet", "Outgoing: the internet"),
        ("egress lan", "Outgoing: the internet, and the local network"),
        ("egress none", "Outgoing: nothing"),
        ("port 0.0.0.0:80/tcp", "Port: 0.0.0.0:80/tcp (other machines can reach it)"),
        ("port 127.0.0.1:80/tcp", "Port: 127.0.0.1:80/tcp (this machine alone can reach it)"),
        ("connection db:5432", "Connection: port 5432 of db"),
        ("device /dev/ttyUSB0 rwm", "Device: /dev/ttyUSB0"),
        ("device /dev/ttyUSB0 r", "Device: /dev/ttyUSB0 (r)"),
        (
            "capability NET_BIND_SERVICE",
            "Capability: NET_BIND_SERVICE (listens on ports below 1024)",
        ),
        ("capability AUDIT_READ", "Capability: AUDIT_READ"),
        ("path /srv rw", "Folder of this machine: /srv (read and written)"),
        ("path /srv ro", "Folder of this machine: /srv (read only)"),
        ("sysctl a.b=1", "Setting of the kernel: a.b=1"),
        ("new-privileges", "New privileges: its programs may gain rights (setuid)"),
        ("seccomp unconfined", "System calls: unconfined, not the usual filter"),
        ("apparmor mine", "AppArmor: mine, not the profile that is made for it"),
        ("file db:/a", "File of another app: db:/a"),
        ("data db-data", "Data of another app: db-data"),
        ("secret web/key", "Secret of its own: key"),
        ("volume x-web-data", "Volume of its own: x-web-data"),
        ("storage 10737418240", "Storage: 10 GiB"),
        ("limit memory 1048576", "Memory: 1 MiB at most"),
        ("limit processes 64", "Processes: 64 at most"),
        ("limit cpu none", "CPU: as much as there is"),
    ],
)
def test_every_permission_is_told_in_plain_words(text, told):
    assert sentence(parse_permission(text)) == told


# What of an app decides nothing about what it may do, or is in its digest.
_NO_MATTER = """
    alert_install alert_uninstall containers denial disk_limit health_deadline id left_alone
    manifest_changed_at name network origin requested rollback rolled_back stale suspended
    suspended_until unsupported version
"""


def test_every_field_of_an_app_is_decided_on():
    """A new field with which an app may do more has to be derived from, and named there."""
    assert {f.name for f in fields(AppSpec)} == {*DERIVED_FROM, *_NO_MATTER.split()}


def test_another_app_has_permissions_of_its_own():
    one, other = web(), replace(web(), storage=5)
    assert permissions_of(one) != permissions_of(other)
    assert permissions_of(one) is permissions_of(replace(one, suspended=True))


def test_every_kind_has_words():
    from reconciler.core.risks import _SENTENCES

    assert set(_SENTENCES) == set(Kind)


GOLDEN = "1-3c2769311f9bdc22ab94fd9cb289f39ee9e5c07b8a4401bdd0b32365b64f8834"
