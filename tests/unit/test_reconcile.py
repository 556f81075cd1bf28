"""The main job, end to end in memory: what a user does, and what is there afterwards."""

from datetime import timedelta
from itertools import pairwise

import pytest
from simulation import IMAGE, Simulation

from reconciler.core.settling import all_ready, settled
from reconciler.errors import DriverRejected, DriverUnavailable
from reconciler.model.desired import Suspension
from reconciler.model.evidence import Evidence
from reconciler.model.status import ConditionType
from reconciler.model.trial import MACHINE, Target


@pytest.fixture
def box():
    return Simulation()


def conditions(status, app):
    told = {str(c.type): (c.status, c.reason) for c in status.of(app).conditions}
    assert told.pop("Confined", None) in {None, (True, "Confined")}
    assert told.pop("NetworkIsolated", None) in {None, (True, "Isolated"), (False, "NotProbed")}
    return told


def test_what_an_app_is_found_to_reach_is_told(box):
    box.folder.write("web")
    box.folder.write("db")
    box.settle()

    def told():
        status = box.run(passes=2)
        kind = ConditionType.NETWORK_ISOLATED
        return {a.id: (c.reason, c.message) for a in status.apps if (c := a.condition(kind))}

    assert told() == {"web": ("Isolated", ""), "db": ("Isolated", "")}
    name = box.world.find("web/main").name
    box.world.leaks.add((name, Target(MACHINE, 9)))
    words = "it reaches this machine, and must not"
    assert told() == {"web": ("Breached", words), "db": ("Isolated", "")}
    box.world.leaks.clear()
    assert told()["web"] == ("Isolated", "")


def test_a_file_becomes_a_running_container(box):
    box.folder.write("web")
    status = box.settle()
    assert box.running() == {"web": IMAGE}
    assert conditions(status, "web") == {
        "Ready": (True, "Serving"),
        "Reconciling": (False, "Settled"),
        "Stalled": (False, "Fine"),
    }
    assert settled(status)
    assert all_ready(status)


def test_an_edit_replaces_the_container_and_keeps_its_volume(box):
    box.folder.write("web", volumes=[{"name": "data", "target": "/data"}])
    box.settle()
    box.folder.write(
        "web", image="localhost/test:2", volumes=[{"name": "data", "target": "/data"}]
    )
    box.settle()
    assert box.running() == {"web": "localhost/test:2"}
    assert len(box.world.boxes) == 1
    assert list(box.world.volumes) == ["archipelago-web-data"]


def test_broken_yaml_stops_nothing_and_is_told(box):
    box.folder.write("web")
    box.folder.write("db")
    box.settle()
    box.folder.corrupt("web")
    status = box.settle()
    assert box.running() == {"web": IMAGE, "db": IMAGE}
    told = conditions(status, "web")
    assert told["Ready"] == (True, "Serving")
    assert told["Stalled"] == (True, "ManifestInvalid")
    assert "web.yml:3:1" in status.of("web").message
    assert [str(p) for p in status.problems] == ["web.yml:3:1: cannot be read"]
    assert not all_ready(status)
    box.folder.write("web", image="localhost/test:2")
    assert all_ready(box.settle())
    assert box.running()["web"] == "localhost/test:2"


def test_a_deleted_file_removes_the_app_but_not_its_volume(box):
    box.folder.write("web", volumes=[{"name": "data", "target": "/data"}])
    box.folder.write("db")
    box.settle()
    box.folder.delete("web")
    box.settle()
    assert box.running() == {"db": IMAGE}
    assert list(box.world.networks) == ["archipelago-db"]
    assert list(box.world.volumes) == ["archipelago-web-data"]


def test_what_others_need_is_held_and_goes_last(box):
    box.folder.write("keep")
    box.folder.write("db")
    box.folder.write("shop", requires=["db"])
    box.settle()
    box.folder.delete("db")
    status = box.settle()
    assert status.of("db").reason == "RequiredBy"
    assert status.of("db").message == "is required by shop"
    assert set(box.running()) == {"keep", "db", "shop"}
    box.folder.delete("shop")
    box.settle()
    removed = [c.subject for c in box.world.calls if c.verb == "remove_network"]
    assert removed == ["archipelago-shop", "archipelago-db"]
    assert set(box.running()) == {"keep"}


def test_order_follows_from_health(box):
    box.folder.write(
        "db",
        health_check={"type": "tcp", "port": 5432, "interval": "1s", "retries": 3},
    )
    box.folder.write("shop", requires=["db"])
    box.world.set_health("db/main", ok=False, message="connection refused")
    status = box.run(passes=2, seconds=0.1)
    assert set(box.running()) == {"db"}
    assert status.of("shop").message == "waits for db"
    box.world.set_health("db/main", ok=True)
    box.settle()
    assert set(box.running()) == {"db", "shop"}


def test_at_rest_nothing_is_touched(box):
    for name in "abc":
        box.folder.write(name)
    box.settle()
    before = len(box.world.calls)
    box.run(passes=5)
    assert len(box.world.calls) == before


@pytest.mark.parametrize("drift", ["kill", "stop_by_hand", "remove_by_hand", "lose"])
def test_drift_is_repaired(box, drift):
    box.folder.write("web")
    box.settle()
    getattr(box.world, drift)("web/main")
    box.settle()
    assert box.running() == {"web": IMAGE}


def test_foreign_things_are_never_touched(box):
    box.world.add_foreign_container("other")
    box.world.add_foreign_container("neighbour", instance="second")
    box.world.add_foreign_network("othernet")
    box.world.add_foreign_volume("othervol")
    box.folder.write("web")
    box.settle()
    box.folder.delete("web")
    box.facts.evidence = Evidence(removal_confirmed={"web": box.clock.now()})
    box.settle()
    assert set(box.world.boxes) == {"other", "neighbour"}
    assert set(box.world.networks) == {"othernet"}
    assert set(box.world.volumes) == {"othervol"}


def test_one_failing_app_does_not_delay_the_others(box):
    box.folder.write("bad", image="localhost/nowhere:1")
    box.folder.write("good")
    status = box.run(passes=3)
    assert box.running() == {"good": IMAGE}
    assert status.of("bad").reason in {"BackOff", "NotInstalled"}
    assert conditions(status, "bad")["Ready"][0] is False


def test_a_failing_app_is_tried_with_growing_pauses_and_then_asks_for_a_person(box):
    box.folder.write("bad", image="localhost/nowhere:1")
    box.run(passes=200, seconds=0.5)
    tries = [o.began_at for o in box.diary.outcomes]
    gaps = [(b - a).total_seconds() for a, b in pairwise(tries)]
    assert 5 <= len(tries) <= 9
    assert all(b >= a * 1.2 for a, b in pairwise(gaps))
    assert box.diary.statuses[-1].of("bad").reason == "Failed"
    assert conditions(box.diary.statuses[-1], "bad")["Stalled"][0] is True
    box.world.publish("localhost/nowhere:1")
    box.settle()
    assert box.running() == {"bad": "localhost/nowhere:1"}


def test_a_crash_loop_backs_off_is_told_and_heals(box):
    box.world.exits("web/main", 7)
    box.folder.write("web")
    box.run(passes=300, seconds=0.2)
    starts = [o for o in box.diary.outcomes if o.result == "applied"]
    assert 5 <= len(starts) <= 9
    last = box.diary.statuses[-1].of("web")
    assert last.reason == "CrashLoop"
    assert last.message == "main ended with exit code 7"
    box.world.stays("web/main")
    box.settle()
    assert box.running() == {"web": IMAGE}


def test_a_crash_loop_outlives_the_loop(box):
    box.world.exits("web/main", 7)
    box.folder.write("web")
    box.run(passes=300, seconds=0.2)
    starts = [c.verb for c in box.world.calls].count("start")
    box.restart()
    status = box.run(passes=50, seconds=0.2)
    assert status.of("web").reason == "CrashLoop"
    assert [c.verb for c in box.world.calls].count("start") <= starts + 1


def test_an_engine_that_does_not_answer_is_told_and_removes_nothing(box):
    box.folder.write("web")
    box.settle()
    box.world.available = False
    status = box.run()
    assert "does not answer" in status.last_pass.error
    assert status.of("web").ready
    assert not settled(status)
    assert not all_ready(status)
    box.world.available = True
    assert all_ready(box.settle())


def test_an_update_that_cannot_be_pulled_leaves_the_old_one_running(box):
    box.folder.write("web")
    box.settle()
    box.folder.write("web", image="localhost/nowhere:1")
    status = box.run(passes=3)
    assert box.running() == {"web": IMAGE}
    assert conditions(status, "web")["Ready"][0] is True
    assert not all_ready(status) or status.of("web").reason != "InSync"


def test_a_vanished_directory_removes_nothing_and_still_repairs(box):
    box.folder.write("web")
    box.settle()
    box.folder.complete = False
    box.world.kill("web/main")
    status = box.settle()
    assert box.running() == {"web": IMAGE}
    assert any("cannot read /folder" in str(p) for p in status.problems)


def test_suspend_stops_and_resume_starts(box):
    box.folder.write("web")
    box.settle()
    box.folder.suspended.add("web")
    status = box.settle()
    assert box.running() == {}
    assert conditions(status, "web")["Ready"] == (False, "Suspended")
    assert settled(status)
    box.folder.suspended.clear()
    box.settle()
    assert box.running() == {"web": IMAGE}


def test_a_reboot_starts_everything_in_order(box):
    box.folder.write("db")
    box.folder.write("shop", requires=["db"])
    box.settle()
    box.world.reboot()
    box.restart()
    box.settle()
    assert set(box.running()) == {"db", "shop"}
    starts = [c.subject for c in box.world.calls if c.verb == "start"][-2:]
    assert [box.world.box(s).spec.app for s in starts] == ["db", "shop"]


@pytest.mark.parametrize("verb", ["prepare_image", "ensure_network", "create", "stop", "start"])
@pytest.mark.parametrize("error", [DriverUnavailable("gone"), DriverRejected("no")])
def test_an_update_that_fails_at_any_verb_converges(box, verb, error):
    box.folder.write("web")
    box.settle()
    box.folder.write("web", image="localhost/test:2")
    box.world.fail_next(verb, error)
    box.settle()
    assert box.running() == {"web": "localhost/test:2"}
    assert len(box.world.boxes) == 1


def test_messages_do_not_flap(box):
    box.folder.write("bad", image="localhost/nowhere:1")
    box.run(passes=100, seconds=3)
    held = {a.message for s in box.diary.statuses[3:] for a in s.apps if a.action == "hold"}
    assert len(held) == 1


def test_the_volumes_of_each_app_are_measured_whether_it_runs_or_not(box):
    volumes = [{"name": "b", "target": "/b"}, {"name": "a", "target": "/a"}]
    box.folder.write("web", volumes=volumes)
    box.folder.write("db", container={"image": IMAGE, "resources": {"disk_limit": "1Gi"}})
    box.folder.write("bare")
    box.folder.write("off", volumes=volumes[:1])
    box.folder.suspended.add("off")
    box.run()
    assert box.usage.targets == {
        "web": ("archipelago-web-a", "archipelago-web-b"),
        "db": (),
        "off": ("archipelago-off-b",),
    }
    box.folder.delete("web")
    box.run()
    assert set(box.usage.targets) == {"db", "off"}


def test_more_than_its_limit_stops_nothing(box):
    box.folder.write("db", container={"image": IMAGE, "resources": {"disk_limit": "1Gi"}})
    box.settle()
    calls = len(box.world.calls)
    box.usage.bytes = {"db": 2**31}
    status = box.settle()
    assert conditions(status, "db")["WithinDiskLimit"] == (False, "DiskLimitExceeded")
    assert status.of("db").ready
    assert all_ready(status)
    assert len(box.world.calls) == calls


# --- data and the secrets it was made with ---

KEYED = {
    "volumes": [{"name": "data", "target": "/data"}],
    "generated_secrets": [{"name": "key", "kind": "hex32"}],
}


def keyed(box, **more):
    box.folder.write("db")
    box.folder.write("web", **KEYED, **more)


def looks(box):
    """Have written down how often volumes were looked for."""
    seen = []
    box.world.hook = lambda m: seen.append(m.when) if m.verb == "volumes" else None
    return seen


def test_data_comes_back_with_the_same_secret(box):
    keyed(box)
    box.settle()
    box.world.write_by_hand("archipelago-web-data", "a", "mine")
    before = dict(box.world.secrets.values)
    box.folder.delete("web")
    box.settle()
    keyed(box)
    assert all_ready(box.settle())
    assert box.world.files["archipelago-web-data", "a"] == "mine"
    assert box.world.secrets.values == before


def test_a_secret_that_was_lost_while_its_app_was_away_is_not_made_anew(box):
    keyed(box)
    box.settle()
    box.folder.delete("web")
    box.settle()
    box.world.secrets.values.clear()
    keyed(box)
    status = box.settle()
    assert (status.of("web").action, status.of("web").reason) == ("hold", "SecretLost")
    assert conditions(status, "web")["Stalled"] == (True, "SecretLost")
    assert box.world.secrets.values == {}
    del box.world.volumes["archipelago-web-data"]
    assert all_ready(box.settle())


def test_volumes_are_looked_for_only_where_a_secret_is_to_be_made(box):
    asked = looks(box)
    box.folder.write("db", volumes=KEYED["volumes"])
    box.settle()
    assert asked == []
    keyed(box)
    box.run()
    assert asked == ["before", "after"]
    box.settle()
    box.folder.suspended.add("web")
    box.settle()
    box.restart()
    box.settle()
    assert asked == ["before", "after"]


@pytest.mark.parametrize("verb", ["ensure_network", "ensure_volume", "create"])
def test_an_install_that_was_cut_short_goes_on(box, verb):
    keyed(box)
    box.world.fail_next(verb, KeyboardInterrupt(), when="after")
    with pytest.raises(KeyboardInterrupt):
        box.run()
    box.restart()
    assert all_ready(box.settle())


# --- suspended for a while, or left alone ---


def test_what_is_suspended_for_a_while_comes_back_by_itself(box):
    box.folder.write("db")
    box.folder.write("shop", requires=["db"])
    box.settle()
    ends = box.clock.now() + timedelta(hours=2)
    box.folder.words.append({"all": True, "until": ends.isoformat()})
    box.run()
    assert set(box.running()) == {"db"}
    status = box.run()
    assert box.running() == {}
    assert status.of("db").message == "suspended by the operator until " + ends.strftime(
        "%Y-%m-%d %H:%M:%S UTC" if ends.second else "%Y-%m-%d %H:%M UTC"
    )
    assert status.of("db").suspended == Suspension(ends)
    asked = box.reconciler.run_pass().look_again_seconds
    assert asked == (ends - box.clock.now()).total_seconds()
    box.clock.advance(asked)
    status = box.run()
    assert "db" in box.running()
    assert status.of("db").suspended is None
    assert all_ready(box.settle())
    assert set(box.running()) == {"db", "shop"}


def test_what_is_left_alone_is_not_touched_and_not_mended(box):
    box.folder.write("web")
    box.folder.write("db")
    box.settle()
    calls = len(box.world.calls)
    box.folder.words.append({"all": True, "keep_running": True})
    status = box.run()
    assert conditions(status, "web") == {
        "Ready": (True, "Suspended"),
        "Reconciling": (False, "Settled"),
        "Stalled": (False, "Fine"),
    }
    assert status.of("web").conditions[0].message == "left as it is by the operator"
    assert settled(status)
    assert all_ready(status)
    box.world.kill("web/main")
    box.folder.write("db", image="localhost/test:2")
    box.folder.write("new")
    status = box.settle()
    assert box.running() == {"db": IMAGE}
    assert conditions(status, "web")["Ready"] == (False, "Suspended")
    box.folder.delete("db")
    status = box.settle()
    assert box.running() == {"db": IMAGE}
    assert conditions(status, "db")["Ready"] == (True, "Suspended")
    assert len(box.world.calls) == calls
    box.folder.words.clear()
    box.settle()
    assert box.running() == {"web": IMAGE, "new": IMAGE}
