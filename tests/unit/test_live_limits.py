"""Limits as the kernel tells them, of both versions of control groups."""

from builders import app, seen

from reconciler.drivers.podman import live_limits
from reconciler.drivers.podman.live_limits import LiveLimits, hits_in, limits_in
from reconciler.model.container import Resources
from reconciler.model.observed import Hits

ONE = "9:name=systemd:/x\n8:pids:/a\n4:memory:/a\n1:cpu,cpuacct:/a\n0::/a\n"


def files(root, **texts):
    for name, text in texts.items():
        place = root / name.replace("__", "/").replace("_DOT_", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{text}\n")


def test_version_1_has_a_hierarchy_for_each(tmp_path):
    files(
        tmp_path,
        cpu__a__cpu_DOT_cfs_quota_us=50000,
        cpu__a__cpu_DOT_cfs_period_us=100000,
        memory__a__memory_DOT_limit_in_bytes=67108864,
        pids__a__pids_DOT_max=40,
    )
    assert limits_in(ONE, tmp_path) == Resources(cpu=0.5, memory=67108864, pids=40)


def test_what_has_no_limit_has_none(tmp_path):
    files(
        tmp_path,
        cpu__a__cpu_DOT_cfs_quota_us=-1,
        cpu__a__cpu_DOT_cfs_period_us=100000,
        memory__a__memory_DOT_limit_in_bytes=9223372036854771712,
        pids__a__pids_DOT_max="max",
    )
    assert limits_in(ONE, tmp_path) == Resources()
    files(tmp_path, b__cpu_DOT_max="max 100000", b__memory_DOT_max="max", b__pids_DOT_max="max")
    assert limits_in("0::/b\n", tmp_path) == Resources()


def test_version_2_has_one_for_all(tmp_path):
    files(tmp_path, b__cpu_DOT_max="25000 100000", b__memory_DOT_max=1 << 20, b__pids_DOT_max=9)
    assert limits_in("0::/b\n", tmp_path) == Resources(cpu=0.25, memory=1 << 20, pids=9)


def test_what_cannot_be_read_is_not_known(tmp_path):
    assert limits_in("", tmp_path) is None
    assert limits_in(ONE, tmp_path) == limits_in("0::/b\n", tmp_path) == Resources()


def test_a_container_is_read_twice_a_minute_at_most(tmp_path, monkeypatch):
    now, group = [0.0], ["0::/b\n"]
    monkeypatch.setattr(live_limits, "read_all", lambda _pid, _name: group[0])
    limits = LiveLimits(rootful=True, root=tmp_path, clock=lambda: now[0])
    container = seen(app("web"), pid=7)
    files(tmp_path, b__pids_DOT_max=9)
    assert limits.of(container)[0].pids == 9
    files(tmp_path, b__pids_DOT_max=10)
    assert limits.of(container)[0].pids == 9
    limits.read_again(container.ref)
    assert limits.of(container)[0].pids == 10
    files(tmp_path, b__pids_DOT_max=11)
    now[0] = 31.0
    assert limits.of(container)[0].pids == 11
    files(tmp_path, b__pids_DOT_max=12)
    limits.forget(frozenset({container.ref}))
    assert limits.of(container)[0].pids == 11
    limits.forget(frozenset())
    assert limits.of(container)[0].pids == 12


def test_a_users_limits_say_nothing():
    assert LiveLimits(rootful=False).of(seen(app("web"), pid=1)) == (None, None)


def test_a_user_has_limits_with_version_2_alone(tmp_path):
    assert LiveLimits(rootful=True, root=tmp_path).unlimited == ""
    assert "version 1" in LiveLimits(rootful=False, root=tmp_path).unlimited
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    assert LiveLimits(rootful=False, root=tmp_path).unlimited == ""


def test_hits_are_counted_by_both_versions(tmp_path):
    files(
        tmp_path,
        memory__a__memory_DOT_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2",
        pids__a__pids_DOT_events="max 3",
        b__memory_DOT_events="low 9\nhigh 9\nmax 9\noom 9\noom_kill 4\noom_group_kill 9",
        b__pids_DOT_events="max 5",
    )
    assert hits_in(ONE, tmp_path) == Hits(memory=2, pids=3)
    assert hits_in("0::/b\n", tmp_path) == Hits(memory=4, pids=5)


def test_hits_that_the_kernel_does_not_tell(tmp_path):
    assert hits_in(ONE, tmp_path) is None
    assert hits_in("0::/b\n", tmp_path) is None
    files(tmp_path, b__memory_DOT_events="oom_kill many")
    assert hits_in("0::/b\n", tmp_path) == Hits()
