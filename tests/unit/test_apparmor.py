"""
Profiles of AppArmor: their text, which the real parser reads, and how the kernel gets it.

The kernel is a folder, and the parser of the second half a program that does what it would: on
whose machine this runs, there may be no AppArmor.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from builders import container
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.drivers.podman.apparmor import ENABLED, KERNEL, AppArmor
from reconciler.drivers.podman.apparmor_profile import profile
from reconciler.errors import DriverRejected
from reconciler.model.confinement import CAPABILITIES
from reconciler.model.container import DeviceSpec, MountKind, MountSpec, ShareSpec

GOLDEN = Path(__file__).parent.parent / "golden" / "apparmor"
PLAIN = container("web")
VOLUME, BIND, TMPFS = MountKind.VOLUME, MountKind.BIND, MountKind.TMPFS
MUCH = {
    "capabilities": ("CHOWN", "NET_RAW", "SYS_ADMIN"),
    "mounts": (
        MountSpec(VOLUME, "a", "/data"),
        MountSpec(VOLUME, "b", "/media", ("ro",)),
        MountSpec(VOLUME, "c", "/shared", ("ro",)),
        MountSpec(VOLUME, "d", "/shared/below"),
        MountSpec(BIND, "/srv/a b", '/odd "{name}*', ("ro", "z")),
        MountSpec(BIND, "/sys/class", "/sys/class"),
        MountSpec(TMPFS, "", "/scratch", ("ro",)),
    ),
    "devices": (
        DeviceSpec("/dev/mem", "/dev/mem", "r"),
        DeviceSpec("/dev/ttyUSB0", "/dev/ttyUSB0"),
    ),
    "shares": (ShareSpec("db", "main", "/data/.cookie", "/etc/cookie"),),
}
SPECS = {"plain": PLAIN, "much": container("web", **MUCH)}


def rules(spec):
    return [line.strip() for line in profile(spec)[1].splitlines()[1:-1]]


@pytest.mark.parametrize("name", SPECS)
def test_the_text_of_a_profile(request, name):
    text, golden = profile(SPECS[name])[1], GOLDEN / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text(), "if that is meant, run pytest with --update-golden"


def test_another_text_has_another_name_and_it_is_the_containers():
    name, text = profile(PLAIN)
    begins, _, hashed = name.rpartition("-")
    assert begins == PLAIN.container_name
    assert (len(hashed), text.count(f'"{name}"')) == (12, 3)
    same_name = replace(PLAIN, capabilities=("CHOWN",))
    assert profile(same_name)[0] != name
    assert profile(replace(PLAIN, environment=(("A", "b"),)))[0] == name


# What the profile that Podman gives to everybody refuses, by its source.
USUAL = """
deny mount,
deny /proc/* w,
deny /proc/sys/[^k]** w,
deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,
deny /proc/sysrq-trigger rwklx,
deny /proc/kcore rwklx,
deny /proc/kmem rwklx,
deny /sys/[^f]*/** wklx,
deny /sys/f[^s]*/** wklx,
deny /sys/fs/[^c]*/** wklx,
deny /sys/fs/c[^g]*/** wklx,
deny /sys/fs/cg[^r]*/** wklx,
deny /sys/kernel/security/** rwklx,
"""


def test_it_is_no_weaker_than_the_usual_one():
    found = rules(PLAIN)
    assert not set(USUAL.split("\n")) - {""} - set(found)
    assert "deny /sys/firmware/** rwklx," in found  # all of it, and not efivars alone
    assert not [rule for rule in found if rule.startswith("capability")]
    peers = [rule for rule in found if rule.startswith(("signal", "ptrace"))]
    assert all("peer=" in rule for rule in peers)
    assert not [r for r in peers if "send" in r and f'peer="{profile(PLAIN)[0]}"' not in r]


@pytest.mark.parametrize(
    ("given", "rule", "is_there"),
    [
        ({"capabilities": ("CHOWN",)}, "capability chown,", True),
        ({}, "deny network inet raw,", True),
        ({"capabilities": ("NET_RAW",)}, "deny network inet raw,", False),
        ({"capabilities": ("SYS_ADMIN",)}, "deny mount,", False),
        ({"capabilities": ("SYS_ADMIN",)}, "mount,", True),
        ({"mounts": (MountSpec(VOLUME, "a", "/a", ("ro",)),)}, 'deny "/a{,/**}" wl,', True),
        ({"mounts": (MountSpec(VOLUME, "a", "/a/", ("ro",)),)}, 'deny "/a{,/**}" wl,', True),
        ({"mounts": (MountSpec(VOLUME, "a", "/a", ("rw",)),)}, 'deny "/a{,/**}" wl,', False),
        ({"mounts": (MountSpec(TMPFS, "", "/a", ("ro",)),)}, 'deny "/a{,/**}" wl,', False),
        ({"mounts": (MountSpec(BIND, "/proc", "/proc"),)}, "deny /proc/* w,", False),
        ({"mounts": (MountSpec(BIND, "/p", "/process"),)}, "deny /proc/* w,", True),
        ({"mounts": (MountSpec(BIND, "/sys/a", "/sys/a"),)}, "deny /sys/[^f]*/** wklx,", False),
        ({"devices": (DeviceSpec("/dev/mem", "/dev/mem"),)}, "deny /dev/mem rwklx,", False),
        ({"devices": (DeviceSpec("/dev/x", "/dev/mem"),)}, "deny /dev/mem rwklx,", False),
        ({}, "deny /dev/mem rwklx,", True),
        ({"devices": (DeviceSpec("/dev/a", "/dev/a", "rm"),)}, 'deny "/dev/a" w,', True),
        ({"devices": (DeviceSpec("/dev/a", "/dev/a", "rw"),)}, 'deny "/dev/a" w,', False),
    ],
)
def test_what_the_manifest_gives_is_in_it(given, rule, is_there):
    assert (rule in rules(container("web", **given))) is is_there


def test_a_denial_leaves_alone_what_may_be_written_below():
    outer, inner = MountSpec(VOLUME, "a", "/a", ("ro",)), MountSpec(VOLUME, "b", "/a/b")
    assert not [r for r in rules(container("web", mounts=(outer, inner))) if '"/a' in r]
    beside = replace(inner, target="/ab")
    assert 'deny "/a{,/**}" wl,' in rules(container("web", mounts=(outer, beside)))


def parsed(text, how="-QK"):
    """Have the real parser read it, without a kernel."""
    if shutil.which("apparmor_parser") is None:
        pytest.skip("no apparmor_parser here: install the Debian package apparmor")
    argv = ["apparmor_parser", how]
    return subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", SPECS)
def test_the_real_parser_reads_it(name):
    done = parsed(profile(SPECS[name])[1])
    assert done.returncode == 0, done.stderr


def test_the_real_parser_complains():
    assert parsed(profile(PLAIN)[1].replace("deny mount,", "deny nonsense,")).returncode != 0


TEXTS = st.text(min_size=1, max_size=20)
PATHS = TEXTS.map(lambda text: f"/{text}")
OPTIONS = st.sampled_from([(), ("ro",), ("rw",), ("ro", "z")])
MOUNTS = st.builds(MountSpec, st.sampled_from(MountKind), TEXTS, PATHS, OPTIONS)
DEVICES = st.builds(DeviceSpec, PATHS, PATHS, st.sampled_from(["r", "rw", "rwm"]))
SHARES = st.builds(ShareSpec, TEXTS, TEXTS, PATHS, PATHS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(MOUNTS, max_size=4),
    st.lists(DEVICES, max_size=3),
    st.lists(SHARES, max_size=2),
    st.sets(st.sampled_from(CAPABILITIES)),
)
def test_the_real_parser_reads_whatever_a_manifest_makes(mounts, devices, shares, capabilities):
    spec = replace(
        PLAIN,
        mounts=tuple(mounts),
        devices=tuple(devices),
        shares=tuple(shares),
        capabilities=tuple(sorted(capabilities)),
    )
    name, text = profile(spec)
    done = parsed(text)
    assert done.returncode == 0, (text, done.stderr)
    assert parsed(text, "-QKN").stdout.split() == [name], (
        "one profile, and no rule opens another one"
    )


PARSER = """#!/bin/sh
[ "$*" = "--replace --skip-cache" ] || exit 9
text=$(cat)
echo load >> "$ROOM/calls"
%s
name=$(echo "$text" | sed -n 's/^profile "\\(.*\\)" flags.*/\\1/p')
echo "$name (enforce)" >> "$ROOM/sys/kernel/security/apparmor/profiles"
"""


class Machine:
    """A kernel that has AppArmor, and a program that loads into it."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.told = folder, []
        for place in (ENABLED, KERNEL / "profiles", KERNEL / ".remove"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text("")
        self.enabled("Y\n")
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
        monkeypatch.setenv("ROOM", str(folder))
        self.program()

    def enabled(self, text):
        (self.folder / ENABLED).write_text(text)

    def program(self, extra=":"):
        file = self.folder / "bin" / "apparmor_parser"
        file.write_text(PARSER % extra)
        file.chmod(0o755)

    def booted(self):
        (self.folder / KERNEL / "profiles").write_text("")

    def profiles(self):
        return (self.folder / KERNEL / "profiles").read_text().splitlines()

    def calls(self):
        calls = self.folder / "calls"
        return calls.read_text().count("load") if calls.exists() else 0

    def removed(self):
        return (self.folder / KERNEL / ".remove").read_text()

    def kept(self):
        return [file.name for file in (self.folder / "state/apparmor").iterdir()]

    def apparmor(self, *, rootful=True, deadline=20.0):
        return AppArmor(
            self.folder / "state" / "apparmor",
            self.told.append,
            rootful=rootful,
            machine=self.folder,
            deadline=deadline,
        )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def wanting(profile_name, **more):
    return container("web", apparmor_profile=profile_name, **more)


@pytest.mark.parametrize("wanted", ["default", "required"])
def test_a_profile_is_made_loaded_and_kept(machine, wanted):
    spec, name = wanting(wanted), profile(wanting(wanted))[0]
    assert machine.apparmor().chosen(spec) == name
    assert machine.profiles() == [f"{name} (enforce)"]
    assert (machine.folder / "state/apparmor" / name).read_text() == profile(spec)[1]
    assert machine.told == []


def test_what_is_named_or_switched_off_is_not_made(machine):
    it = machine.apparmor()
    assert it.chosen(wanting("mine")) == "mine"
    assert it.chosen(wanting("unconfined")) == "unconfined"
    assert it.chosen(wanting("default", privileged=True)) == "unconfined"
    assert machine.calls() == 0


@pytest.mark.parametrize(
    ("enabled", "rootful", "why"),
    [
        ("N\n", True, "this kernel has no AppArmor"),
        (None, True, "this kernel has no AppArmor"),
        ("Y\n", False, "Podman applies none for an ordinary user"),
    ],
)
def test_where_there_is_none_only_what_requires_one_is_refused(machine, enabled, rootful, why):
    if enabled is None:
        (machine.folder / ENABLED).unlink()
    else:
        machine.enabled(enabled)
    it = machine.apparmor(rootful=rootful)
    assert it.missing() == why
    assert [it.chosen(wanting(w)) for w in ("default", "unconfined")] == ["", ""]
    for wanted in ("required", "mine"):
        with pytest.raises(DriverRejected, match=f"`{wanted}`, and {why}; write `default`"):
            it.chosen(wanting(wanted))
    it.ready(PLAIN.container_name)
    assert machine.calls() == 0


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ("echo 'line 3: no' >&2; exit 1", "apparmor_parser cannot load its profile: line 3: no"),
        ("exit 4", "apparmor_parser cannot load its profile: it ended with 4"),
        ("exec sleep 60", "apparmor_parser cannot load its profile: it did not end in time"),
        ("missing", "there is no apparmor_parser to load its profile with"),
    ],
)
def test_a_profile_that_cannot_be_loaded_is_told(machine, extra, why):
    machine.program(extra)
    if extra == "missing":
        (machine.folder / "bin" / "apparmor_parser").unlink()
    it = machine.apparmor(deadline=1.0)
    assert it.chosen(PLAIN) == ""
    assert machine.told[0].startswith(
        f"{PLAIN.container_name} is made with the engine's profile: {why}"
    )
    with pytest.raises(DriverRejected, match=why):
        it.chosen(wanting("required"))
    assert machine.profiles() == []


def test_a_profile_that_cannot_be_kept_is_not_used(machine):
    (machine.folder / "state").write_text("a file")
    assert machine.apparmor().chosen(PLAIN) == ""
    assert "cannot be kept" in machine.told[0]


def test_after_a_boot_it_is_loaded_again_and_only_then(machine):
    it = machine.apparmor()
    name = it.chosen(PLAIN)
    it.ready(PLAIN.container_name)
    assert machine.calls() == 1
    machine.booted()
    it.ready(PLAIN.container_name)
    assert (machine.calls(), machine.profiles()) == (2, [f"{name} (enforce)"])
    machine.booted()
    machine.program("exit 1")
    with pytest.raises(DriverRejected, match=f"cannot start {PLAIN.container_name}: "):
        it.ready(PLAIN.container_name)
    it.ready("another")


def test_nothing_is_left_of_what_is_gone_and_others_keep_theirs(machine):
    it = machine.apparmor()
    name = it.chosen(PLAIN)
    longer = replace(PLAIN, container_name=f"{PLAIN.container_name}-longer")
    other = it.chosen(longer)
    it.forget(PLAIN.container_name)
    assert machine.removed() == name
    assert machine.kept() == [other]
    (machine.folder / KERNEL / ".remove").unlink()
    it.forget(longer.container_name)  # nobody may say so to the kernel
    assert machine.kept() == []
    it.forget("another")
