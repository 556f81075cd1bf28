"""Updates that fail, and what keeps ending, from the first pass to the last, in memory."""

from itertools import pairwise

import pytest
from simulation import IMAGE, Simulation

from reconciler.core.settling import all_ready, settled, to_retry
from reconciler.errors import DriverRejected
from reconciler.model.pin import Pin
from reconciler.model.status import ConditionType

CHECK = {"type": "tcp", "port": 8080, "interval": "1s", "retries": 3}
TWO, THREE = "localhost/test:2", "localhost/test:3"


@pytest.fixture
def box():
    return Simulation()


def conditions(status, app="web"):
    told = {str(c.type): (c.status, c.reason) for c in status.of(app).conditions}
    assert told.pop("Confined", None) in {None, (True, "Confined")}
    assert told.pop("NetworkIsolated", None) in {None, (True, "Isolated"), (False, "NotProbed")}
    return told


def write(box, image=IMAGE, **more):
    container = {"image": image, "health_check": CHECK, **more.pop("container", {})}
    box.folder.write("web", container=container, **more)


def never_well(box, *images):
    """Let every container of these images fail its probes, now and later."""
    real = box.world.answer

    def answer(it):
        found = real(it)
        return type(found)(False, "answers 503") if it.spec.image in images else found

    box.world.answer = answer


def ends(box, image, code, *lines):
    """Let every container of this image end at once, after it has printed something."""
    real = box.world.set_going

    def set_going(it):
        real(it)
        if it.spec.image == image:
            it.lines.extend(lines)
            it.end(code, box.clock.now())

    box.world.set_going = set_going


ROLLED_BACK = {
    "Ready": (True, "RolledBack"),
    "Reconciling": (False, "Settled"),
    "Stalled": (True, "RolledBack"),
}


def test_what_is_never_well_is_rolled_back_and_not_tried_again(box):
    write(box)
    box.settle()
    first = box.world.box("web/main").ref
    never_well(box, TWO)
    write(box, TWO)
    box.run(passes=119)
    assert box.running() == {"web": TWO}
    box.run(passes=60)
    assert box.running() == {"web": IMAGE}
    assert [b.ref for b in box.world.boxes.values()] == [first]
    status = box.settle()
    assert conditions(status) == ROLLED_BACK
    assert "main is unhealthy: answers 503" in status.of("web").message
    assert settled(status)
    assert not all_ready(status)
    assert to_retry(status.of("web"))
    calls = len(box.world.calls)
    box.run(passes=3000)
    assert len(box.world.calls) == calls


def test_the_words_stay_the_same_and_are_told_once(box):
    write(box)
    box.settle()
    never_well(box, TWO)
    write(box, TWO)
    box.run(passes=300)
    stalled = [conditions(s)["Stalled"] for s in box.diary.statuses]
    changes = [after for before, after in pairwise(stalled) if before != after]
    assert changes == [(True, "RolledBack")]
    ready = [conditions(s)["Ready"][0] for s in box.diary.statuses]
    assert len([1 for before, after in pairwise(ready) if before != after]) == 3, (
        "it came, it went with the update, and it came back"
    )
    assert len({s.of("web").message for s in box.diary.statuses[-100:]}) == 1


def test_an_edit_goes_on_and_what_failed_stays_known(box):
    write(box)
    box.settle()
    never_well(box, TWO)
    write(box, TWO)
    box.settle()
    write(box, THREE)
    status = box.settle()
    assert box.running() == {"web": THREE}
    assert conditions(status)["Stalled"] == (False, "Fine")
    write(box, TWO)
    status = box.settle()
    assert box.running() == {"web": THREE}
    assert conditions(status) == ROLLED_BACK


def test_retry_tries_again(box):
    write(box)
    box.settle()
    never_well(box, TWO)
    write(box, TWO)
    box.settle()
    del box.world.answer
    box.revisions.retry("web", box.clock.now())
    status = box.settle()
    assert box.running() == {"web": TWO}
    assert all_ready(status)


def test_a_newer_edit_ends_the_wait_at_once(box):
    write(box)
    box.settle()
    never_well(box, TWO)
    write(box, TWO)
    box.run(passes=5)
    write(box, THREE)
    box.run(passes=3)
    assert box.running() == {"web": THREE}


def test_the_one_before_is_removed_only_after_the_window(box):
    write(box)
    box.settle()
    write(box, TWO)
    status = box.run(passes=30)
    assert status.of("web").reason == "PreviousKept"
    assert settled(status)
    assert all_ready(status)
    assert len(box.world.boxes) == 2
    box.run(passes=60)
    assert len(box.world.boxes) == 1


def test_an_update_that_serves_and_then_keeps_ending_within_the_window_goes_back(box):
    box.folder.write("web")
    box.settle()
    box.folder.write("web", image=TWO)
    box.run(passes=30)
    ends(box, TWO, 7, "no space")
    box.world.kill("web/main", 7)
    box.run(passes=30)
    assert box.running() == {"web": IMAGE}
    message = box.run().of("web").message
    assert "main ended with exit code 7; it printed last: no space" in message


def test_a_start_that_is_refused_twice_does_not_wait_for_the_deadline(box):
    write(box)
    box.settle()
    write(box, TWO)
    for _ in range(2):
        box.world.fail_next("start", DriverRejected("cannot start web: port 80 is in use"))
    box.run(passes=8)
    assert box.running() == {"web": IMAGE}
    assert "port 80 is in use" in box.run().of("web").message


def test_an_image_that_fails_goes_back_to_the_image_before(box):
    remote = "registry.example/web:1"
    box.world.publish(remote)
    write(box, remote)
    box.settle()
    first = box.world.box("web/main").image_id
    box.world.publish(remote, version="2")
    box.world.ledger.pin(("web", "main"), Pin(remote, box.world.digests[remote]))
    real = box.world.answer
    box.world.answer = lambda it: (
        real(it) if it.image_id == first else type(real(it))(False, "answers 503")
    )
    status = box.settle()
    assert {b.image_id for b in box.world.boxes.values()} == {first}
    assert conditions(status) == ROLLED_BACK
    box.restart()
    box.settle()
    assert {b.image_id for b in box.world.boxes.values()} == {first}
    box.world.remove_by_hand("web/main")
    box.settle()
    assert {b.image_id for b in box.world.boxes.values()} == {first}


def two(image, **more):
    return {
        "containers": {
            "db": {"image": image, "health_check": CHECK},
            "main": {"image": image, "depends_on": {"db": "healthy"}},
        },
        **more,
    }


def test_all_containers_go_back_and_those_who_need_them_are_brought_back(box):
    box.folder.write("web", **two(IMAGE))
    box.folder.write("shop", requires=["web"])
    box.settle()
    never_well(box, TWO)
    box.folder.write("web", **two(TWO))
    box.run(passes=3)
    ends(box, IMAGE, 1)  # the shop cannot do without it
    box.world.kill("shop/main", 1)
    box.run(passes=100)
    del box.world.set_going
    status = box.run(passes=60)
    assert box.running() == {"web": IMAGE, "shop": IMAGE}
    assert conditions(status) == ROLLED_BACK
    assert conditions(status, "shop")["Ready"] == (True, "Serving")


def test_what_needs_it_is_tried_at_once_when_it_is_ready_again(box):
    write(box)
    box.folder.write("shop", requires=["web"])
    box.settle()
    ends(box, IMAGE, 1)
    box.world.kill("shop/main", 1)
    box.run(passes=200)  # by now its pauses are minutes
    del box.world.set_going
    before = len([c for c in box.world.calls if c.verb == "start"])
    box.run(passes=5)
    assert len([c for c in box.world.calls if c.verb == "start"]) == before
    box.world.kill("web/main", 1)
    box.run(passes=4)
    assert set(box.running()) == {"web", "shop"}


def test_the_stages_of_a_start_are_no_crash_loop(box):
    chain = {"c0": {"image": IMAGE, "health_check": CHECK}}
    for n in range(1, 7):
        chain[f"c{n}"] = {
            "image": IMAGE,
            "health_check": CHECK,
            "depends_on": {f"c{n - 1}": "healthy"},
        }
    box.folder.write("web", containers=chain)
    status = box.run(passes=40)
    assert conditions(status)["Ready"] == (True, "Serving")


def test_what_keeps_ending_serves_again_after_its_window_and_is_told_once(box):
    box.world.prints("web/main", "cannot open /data/key")
    box.world.exits("web/main", 7)
    box.folder.write("web")
    box.run(passes=400)
    told = [conditions(s) for s in box.diary.statuses]
    stalled = [c["Stalled"] for c in told]
    changes = [after for before, after in pairwise(stalled) if before != after]
    assert changes == [(True, "CrashLoop")]
    message = box.run().of("web").condition(ConditionType.STALLED).message
    assert message.startswith("main ended with exit code 7; it printed last: cannot open /data")
    first = stalled.index((True, "CrashLoop"))
    assert {c["Ready"][0] for c in told[first:]} == {False}
    box.world.stays("web/main")
    box.revisions.retry("web", box.clock.now())
    status = box.run(passes=2)
    assert conditions(status)["Ready"] == (True, "Serving")


def test_it_counts_as_serving_after_its_window(box):
    box.world.exits("web/main", 7)
    box.folder.write("web")
    box.run(passes=100)
    box.world.stays("web/main")
    while "web" not in box.running():
        box.run()
    assert conditions(box.run(passes=58))["Ready"] == (False, "Starting")
    assert conditions(box.run(passes=4)) == {
        "Ready": (True, "Serving"),
        "Reconciling": (False, "Settled"),
        "Stalled": (False, "Fine"),
    }


def test_a_job_that_failed_runs_again_when_asked(box):
    box.world.exits("web/main", 3, times=1)
    box.world.prints("web/main", "no such table")
    box.folder.write("web", container={"image": IMAGE, "restart": "no"})
    status = box.run(passes=5)
    assert status.of("web").reason == "JobFailed"
    assert status.of("web").message == (
        "main ended with exit code 3; it printed last: no such table"
    )
    assert to_retry(status.of("web"))
    box.revisions.retry("web", box.clock.now())
    box.run(passes=2)
    assert box.running() == {"web": IMAGE}


def test_what_was_suspended_and_resumed_gets_its_time(box):
    write(box)
    box.settle()
    never_well(box, TWO)
    write(box, TWO)
    box.run(passes=10)
    box.folder.suspended.add("web")
    box.run(passes=300)
    box.folder.suspended.clear()
    box.run(passes=3)
    assert box.running() == {"web": TWO}, "it was tried once more"
    box.run(passes=120)
    assert box.running() == {"web": IMAGE}


def test_an_app_that_was_removed_begins_anew(box):
    write(box)
    box.folder.write("keep")
    box.settle()
    never_well(box, TWO)
    write(box, TWO)
    box.settle()
    box.folder.delete("web")
    box.settle()
    assert box.revisions.failed == {}
    del box.world.answer
    write(box, TWO)
    box.settle()
    assert box.running()["web"] == TWO
