"""Approvals in a whole loop, over days: what runs goes on, and nothing wider begins."""

import pytest
from msgspec.structs import replace
from simulation import Simulation

from reconciler.model.policy import Policy, Revoked

WIDE, NARROW = ("NET_ADMIN", "NET_RAW"), ("NET_RAW",)


def want(box, *capabilities, image="localhost/test:1"):
    box.folder.write("web", image=image, security={"capabilities": list(capabilities)})


def approve(box, *capabilities):
    box.folder.approved["web"] = tuple(f"capability {c}" for c in capabilities)


def has(box):
    """What runs, and what it may do."""
    return [
        (b.spec.image[-1], b.spec.capabilities)
        for b in box.world.boxes.values()
        if b.spec and b.state == "running"
    ]


def of(status):
    (app,) = status.apps
    return str(app.action), app.reason


@pytest.fixture
def box():
    """A box on which an app with one capability was approved, and has proved itself."""
    made = Simulation()
    want(made, *NARROW)
    approve(made, *NARROW)
    made.settle()
    assert has(made) == [("1", NARROW)]
    return made


def test_nothing_begins_before_the_word_and_everything_after_it():
    box = Simulation()
    want(box, *WIDE)
    assert of(box.settle()) == ("hold", "ApprovalRequired")
    assert has(box) == []
    assert box.world.calls == []
    approve(box, *WIDE)
    assert of(box.settle()) == ("keep", "InSync")
    assert has(box) == [("1", WIDE)]


def test_while_an_update_waits_the_one_before_outlives_everything(box):
    want(box, *WIDE, image="localhost/test:2")
    assert of(box.settle()) == ("hold", "ApprovalRequired")
    for harm in (box.world.kill, box.world.remove_by_hand, None):
        if harm is None:
            box.world.reboot()
            box.restart()
        else:
            harm(next(iter(box.world.boxes)))
        assert of(box.settle()) == ("hold", "ApprovalRequired"), harm
        assert has(box) == [("1", NARROW)], harm
    approve(box, *WIDE)
    assert of(box.settle()) == ("keep", "InSync")
    assert has(box) == [("2", WIDE)]


def test_an_update_that_waits_may_be_edited_until_it_asks_for_no_more(box):
    want(box, *WIDE)
    box.settle()
    want(box, *NARROW, image="localhost/test:3")
    assert of(box.settle()) == ("keep", "InSync")
    assert has(box) == [("3", NARROW)]


def test_who_takes_back_both_goes_on_and_is_asked_at_the_next_edit(box):
    del box.folder.approved["web"]
    status = box.settle()
    assert of(status) == ("keep", "InSync")
    assert status.apps[0].ready
    want(box, *NARROW, image="localhost/test:2")
    assert of(box.settle()) == ("hold", "ApprovalRequired")
    assert has(box) == [("1", NARROW)]


def test_what_an_older_version_installed_goes_on_and_comes_back(box):
    """No approvals then, and no memory of what was good: only containers."""
    box.folder.approved.clear()
    box.revisions.good.clear()
    box.restart()
    assert of(box.settle()) == ("keep", "InSync")
    box.world.reboot()
    assert of(box.settle()) == ("keep", "InSync")
    assert has(box) == [("1", NARROW)]


def test_an_app_that_was_removed_has_to_be_approved_when_it_comes_back(box):
    box.folder.delete("web")
    box.folder.approved.clear()
    box.folder.write("other")
    box.facts.evidence = replace(box.facts.evidence, removal_confirmed={"web": box.clock.now()})
    box.settle()
    box.folder.delete("other")
    want(box, *NARROW)
    status = box.run(2)
    assert status.of("web").reason == "ApprovalRequired"
    assert ("1", NARROW) not in has(box)


def test_the_policy_stops_what_is_not_approved_and_the_word_brings_it_back(box):
    policy = Policy("/p", revoked=Revoked.STOP)
    box.facts.evidence = replace(box.facts.evidence, policy=policy)
    word = box.folder.approved.pop("web")
    assert of(box.settle()) == ("hold", "ApprovalRequired")
    assert has(box) == []
    box.folder.approved["web"] = word
    assert of(box.settle()) == ("keep", "InSync")
    assert has(box) == [("1", NARROW)]


def test_with_a_policy_that_cannot_be_read_everything_stays_as_it_is(box):
    unread = Policy("/p", unreadable="cannot use the policy /p: it is gone")
    box.facts.evidence = replace(box.facts.evidence, policy=unread)
    want(box, *NARROW, image="localhost/test:2")
    status = box.settle()
    assert of(status) == ("hold", "PolicyDenied")
    assert has(box) == [("1", NARROW)]
    assert any(n.startswith("cannot use the policy /p: it is gone") for n in status.notices)


def test_an_update_that_failed_and_one_that_waits_do_not_stand_in_each_others_way(box):
    """What failed is rolled back; asked for more then, the good one still stands in."""
    want(box, *WIDE, image="localhost/test:9")  # of no registry
    assert of(box.settle()) == ("hold", "ApprovalRequired")
    approve(box, *WIDE)
    box.run(3)
    assert has(box) == [("1", NARROW)]
    want(box, *NARROW)
    box.settle()
    assert has(box) == [("1", NARROW)]
