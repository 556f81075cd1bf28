"""What is said of what the kernel enforces: beside the spec, in plain words, always the same."""

import pytest
from builders import NOW, app, container, desired, observed, old, running, seen, situation
from msgspec.structs import replace

from reconciler.core.confining import confined, notices
from reconciler.core.planner import compare_all
from reconciler.model.change import Action
from reconciler.model.confinement import CAPABILITIES, Confinement
from reconciler.model.container import MountKind, MountSpec, NetworkPolicy, Resources
from reconciler.model.health import HealthState
from reconciler.model.observed import ContainerState
from reconciler.model.status import AppStatus, Condition, ConditionType

TIGHT = Confinement(label="archipelago-web")
NO, YES = False, True
OWN = "{own}-0123456789ab (enforce)"
REQUIRED = {"apparmor_profile": "required"}
MINE = {"apparmor_profile": "mine"}


def found(confinement=TIGHT, /, before=None, limits=None, **spec):
    """What is said of an app with one container that was found so."""
    web = app("web", container("web", **spec))
    own = web.containers[0].container_name
    confinement = confinement and replace(confinement, label=confinement.label.format(own=own))
    there = seen(web, confinement=confinement, limits=limits)
    return said(web, there, before=before)


def said(web, *there, before=None, unlimited=""):
    given = situation(desired(web), observed(*there))
    return confined(compare_all(given)["web"], before, unlimited)


ROWS = [
    ("everything is as asked for", {}, {}, YES, "Confined", ""),
    (
        "nothing but the kernel's own means",
        {"label": ""},
        {},
        YES,
        "Confined",
        "neither AppArmor nor SELinux confines main",
    ),
    (
        "capabilities that are listed",
        {"capabilities": ("CHOWN", "NET_RAW")},
        {"capabilities": ("NET_RAW", "CHOWN")},
        YES,
        "Confined",
        "",
    ),
    ("fewer than are listed", {}, {"capabilities": ("NET_RAW",)}, YES, "Confined", ""),
    (
        "more than are listed",
        {"capabilities": ("CHOWN", "SYS_ADMIN", "NET_RAW")},
        {"capabilities": ("CHOWN",)},
        NO,
        "NotConfined",
        "main has capabilities that its manifest does not list: NET_RAW, SYS_ADMIN",
    ),
    (
        "all that there are",
        {"capabilities": tuple(sorted(CAPABILITIES))},
        {},
        NO,
        "NotConfined",
        (
            "main has capabilities that its manifest does not list: AUDIT_CONTROL, AUDIT_READ,"
            " AUDIT_WRITE, BLOCK_SUSPEND, BPF, CHECKPOINT_RESTORE, and others"
        ),
    ),
    (
        "privileges may be gained",
        {"no_new_privileges": False},
        {},
        NO,
        "NotConfined",
        "main may gain privileges",
    ),
    (
        "and may be",
        {"no_new_privileges": False},
        {"no_new_privileges": False},
        YES,
        "Confined",
        "",
    ),
    (
        "no filter of system calls",
        {"seccomp": False},
        {},
        NO,
        "NotConfined",
        "the system calls of main are not filtered",
    ),
    (
        "and none is wanted",
        {"seccomp": False},
        {"seccomp_profile": "unconfined"},
        YES,
        "Confined",
        "the system calls of main are not filtered, as its manifest says",
    ),
    (
        "a profile of the operator's is to be in force as well",
        {"seccomp": False},
        {"seccomp_profile": "/etc/profile.json"},
        NO,
        "NotConfined",
        "the system calls of main are not filtered",
    ),
    (
        "namespaces of the machine",
        {"shared": ("cgroup", "ipc", "mnt", "net", "pid", "uts")},
        {},
        NO,
        "NotConfined",
        (
            "main shares with the machine its control groups, shared memory, mounts, network,"
            " processes, host name"
        ),
    ),
    (
        "the network of the machine is wanted",
        {"shared": ("net",)},
        {"network_policy": NetworkPolicy.HOST},
        YES,
        "Confined",
        "",
    ),
    ("users of its own", {"own_users": True}, {"userns": "auto"}, YES, "Confined", ""),
    ("nobody asked for them", {"own_users": True}, {}, YES, "Confined", ""),
    (
        "users of its own that it has not",
        {"own_users": False},
        {"userns": "auto"},
        NO,
        "NotConfined",
        "root in main is root of the machine",
    ),
    (
        "files of the kernel",
        {"open": ("/proc/sys", "/sys")},
        {},
        NO,
        "NotConfined",
        "main has unprotected /proc/sys, /sys",
    ),
    (
        "a folder of the machine that the manifest itself puts there",
        {"open": ("/sys", "/sys/firmware")},
        {"mounts": (MountSpec(MountKind.BIND, "/sys", "/sys/"),)},
        YES,
        "Confined",
        "",
    ),
    (
        "a folder of nearly the same name does not excuse it",
        {"open": ("/sys",)},
        {"mounts": (MountSpec(MountKind.BIND, "/srv", "/sy"),)},
        NO,
        "NotConfined",
        "main has unprotected /sys",
    ),
    (
        "a container engine's socket",
        {"sockets": ("/s/podman.sock",)},
        {},
        NO,
        "NotConfined",
        "main has a container engine's socket at /s/podman.sock",
    ),
    (
        "a socket that the manifest itself puts there",
        {"sockets": ("/s/podman.sock",)},
        {"mounts": (MountSpec(MountKind.BIND, "/run/podman/podman.sock", "/s/podman.sock"),)},
        YES,
        "Confined",
        "",
    ),
    (
        "several differences, always in the same order",
        {"seccomp": False, "no_new_privileges": False},
        {},
        NO,
        "NotConfined",
        "main may gain privileges; the system calls of main are not filtered",
    ),
    (
        "the engine's AppArmor profile, as before there was one for each container",
        {"label": "containers-default-0.50.1 (enforce)"},
        {},
        YES,
        "Confined",
        (
            "main has the AppArmor profile containers-default-0.50.1; one of its own it gets when"
            " it is made anew"
        ),
    ),
    ("one of its own", {"label": OWN}, {}, YES, "Confined", ""),
    ("one of its own is required", {"label": OWN}, REQUIRED, YES, "Confined", ""),
    (
        "a profile that refuses nothing",
        {"label": OWN.replace("enforce", "complain")},
        {},
        YES,
        "Confined",
        "AppArmor only watches main, and refuses it nothing",
    ),
    (
        "a profile that refuses nothing where one is required",
        {"label": OWN.replace("enforce", "complain")},
        REQUIRED,
        NO,
        "NotConfined",
        "the AppArmor profile that main requires is not in force",
    ),
    (
        "another one than is required",
        {"label": "containers-default-0.50.1 (enforce)"},
        REQUIRED,
        NO,
        "NotConfined",
        "the AppArmor profile that main requires is not in force",
    ),
    (
        "none where one is required",
        {"label": ""},
        REQUIRED,
        NO,
        "NotConfined",
        "the AppArmor profile that main requires is not in force",
    ),
    ("the one that is named", {"label": "mine (enforce)"}, MINE, YES, "Confined", ""),
    (
        "another one than is named",
        {"label": OWN},
        MINE,
        NO,
        "NotConfined",
        "the AppArmor profile that main requires is not in force",
    ),
    (
        "the one that is named, and it refuses nothing",
        {"label": "mine (complain)"},
        MINE,
        NO,
        "NotConfined",
        "the AppArmor profile that main requires is not in force",
    ),
    (
        "a profile where none is asked for",
        {"label": "containers-default-0.50.1 (enforce)"},
        {"apparmor_profile": "unconfined"},
        YES,
        "Confined",
        "",
    ),
    (
        "a context of SELinux is no profile",
        {"label": "system_u:system_r:container_t:s0:c1,c2"},
        {},
        YES,
        "Confined",
        "",
    ),
    (
        "privileged, since it is meant to be",
        {"capabilities": CAPABILITIES, "seccomp": False, "open": ("/sys",)},
        {"privileged": True},
        NO,
        "Privileged",
        "nothing confines main: privileged, as its manifest says",
    ),
]


@pytest.mark.parametrize(
    ("kernel", "spec", "status", "reason", "message"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_what_is_said(kernel, spec, status, reason, message):
    assert found(replace(TIGHT, **kernel), **spec) == (status, reason, message)


LIMITS = Resources(cpu=1.0, memory=2**20, pids=9)
NONE_OF = "no limit is in force of what main uses of"


@pytest.mark.parametrize(
    ("real", "message"),
    [
        (LIMITS, ""),
        (Resources(cpu=2.0, memory=2**21, pids=8), ""),  # drift, and repaired
        (replace(LIMITS, pids=None), f"{NONE_OF} processes"),
        (Resources(), f"{NONE_OF} CPU, memory, processes"),
    ],
)
def test_a_limit_that_is_not_in_force_is_told(real, message):
    status, _, told = found(limits=real, resources=LIMITS)
    assert (status, told) == (not message, message)
    assert found(limits=real)[0]


def test_limits_that_nobody_can_read_are_not_claimed():
    unread = "whether the limits of main are in force is not known"
    assert found(resources=LIMITS) == (YES, "Confined", unread)
    assert found() == (YES, "Confined", "")


def test_where_nothing_is_limited_who_asks_for_limits_is_told():
    why, web = "version 1", app("web", container("web", resources=LIMITS))
    there = seen(web, confinement=TIGHT)
    told = (NO, "NotEnforceable", "the limits of main are not in force: version 1")
    assert said(web, there, unlimited=why) == told
    free = app("web")
    assert said(free, seen(free, confinement=TIGHT), unlimited=why)[0]
    wider = seen(web, confinement=replace(TIGHT, seccomp=False))
    assert said(web, wider, unlimited=why)[1] == "NotConfined"


def test_where_nothing_is_limited_it_is_said_once_of_the_box():
    limited, free = app("web", container("web", resources=LIMITS)), app("db")
    notice = ("no limit of an app on memory, CPU or processes is in force: version 1",)
    for apps, why, told in (
        ([limited, free], "version 1", notice),
        ([free], "version 1", ()),
        ([limited], "", ()),
        ([], "version 1", ()),
    ):
        assert notices(situation(desired(*apps), observed(unlimited=why))) == told


def test_what_was_never_read_is_not_known_and_nothing_is_said_of_what_never_ran():
    web = app("web")
    assert found(None) == (False, "NotKnown", "what confines it could not be read")
    assert said(web) is None
    assert said(web, old(web)) is None
    assert said(web, seen(web, state=ContainerState.EXITED)) is None
    assert confined(None, None) is None


def test_what_was_found_stands_until_something_else_is():
    condition = Condition(
        ConditionType.CONFINED, False, "NotConfined", "main may gain privileges", NOW
    )
    told_before = AppStatus(
        "web", "1", Action.KEEP, "", "", (condition,), "1-a", HealthState.NONE, (), ()
    )
    web, answer = app("web"), (False, "NotConfined", "main may gain privileges")
    for there in ((), (old(web),), (seen(web),)):
        assert said(web, *there, before=told_before) == answer
    assert confined(None, told_before) == answer
    assert said(web, seen(web, confinement=TIGHT), before=told_before)[0]


def test_every_container_counts_and_a_fault_is_told_before_a_wish():
    web = app("web", container("web", "a", privileged=True), container("web", "b"))
    there = running(web)
    every = [replace(c, confinement=TIGHT) for c in there]
    assert said(web, *every)[1] == "Privileged"
    loose = replace(there[1], confinement=replace(TIGHT, seccomp=False))
    assert said(web, every[0], loose)[1:] == (
        "NotConfined",
        "the system calls of b are not filtered",
    )
    assert said(web, every[0], there[1])[1] == "NotKnown"
