"""What becomes of what was adopted, end to end in memory."""

import pytest
from msgspec.structs import replace
from simulation import Simulation

from reconciler.core.adoption import Standing, adoptions, candidates, names_to_look_for
from reconciler.drivers.memory import MemoryDriver

VOLUME = "archipelago-web-data"
DATA = {"volumes": [{"name": "data", "target": "/data"}]}


@pytest.fixture
def box():
    """A box on which somebody runs what a manifest asks for, and the loop leaves it alone."""
    it = Simulation()
    it.folder.words = [{"app": "web", "keep_running": True}]
    it.folder.write("web", **DATA)
    it.run()
    assert not it.world.boxes
    assert not it.world.networks
    spec = it.reconciler.compared()[1]["web"].spec.containers[0]
    it.world.add_foreign_volume(VOLUME)
    it.world.write_by_hand(VOLUME, "diary", "dear")
    it.world.images[spec.image] = it.world.pullable[spec.image]
    it.world.add_foreign_container("web", like=replace(spec, network="podman"))
    return it


def adopt(it):
    comparison = it.reconciler.compared()[1]["web"]
    driver = MemoryDriver("archipelago", it.clock, it.world)
    found = candidates(comparison, driver.examine(names_to_look_for(comparison, {})), {})
    assert [c.standing for c in found] == [Standing.SAME], found
    it.world.inventory.adopt(adoptions(found, comparison))
    it.folder.words = []


def by_hand(it):
    return it.world.boxes["web"]


def test_it_goes_on_as_it_runs_and_comes_into_its_own_network(box):
    before = by_hand(box)
    pid = before.pid
    adopt(box)
    status = box.settle()
    assert box.world.boxes == {"web": before}
    assert (before.pid, before.networks) == (pid, ("archipelago-web",))
    assert status.of("web").containers[0].id == before.ref
    verbs = {c.verb for c in box.world.calls}
    assert verbs.isdisjoint({"create", "start", "stop", "remove"}), verbs
    box.restart()
    box.settle()
    assert by_hand(box).pid == pid


def test_it_is_started_again_when_it_ends(box):
    adopt(box)
    box.settle()
    box.world.kill("web")
    box.settle()
    assert by_hand(box).pid
    assert len(box.world.boxes) == 1


def test_an_edit_replaces_it_by_one_of_ours_with_the_same_data(box):
    adopt(box)
    box.settle()
    box.folder.write("web", environment={"A": "b"}, **DATA)
    box.settle()
    (ours,) = box.world.boxes.values()
    assert (ours.instance, ours.volumes) == ("archipelago", frozenset({VOLUME}))
    assert box.world.files[VOLUME, "diary"] == "dear"
    assert box.world.inventory.adoptions().containers == {}


def test_its_removal_waits_for_the_same_word_and_keeps_the_data(box):
    adopt(box)
    box.folder.write("other")
    box.settle()
    del box.folder.apps["web"]
    box.settle()
    assert "web" not in box.world.boxes
    assert box.world.files[VOLUME, "diary"] == "dear"


def test_without_its_inventory_it_is_a_stranger_again_and_goes_on(box):
    before = by_hand(box)
    adopt(box)
    box.settle()
    box.world.inventory.forget(before.ref)
    box.world.inventory.forget(VOLUME)
    told = [box.run().of("web").message for _ in range(5)]
    assert box.world.boxes == {"web": before}
    assert before.pid
    assert any(f"cannot use volume {VOLUME}" in message for message in told), told


def test_an_inventory_that_cannot_be_read_touches_nothing(box):
    before = by_hand(box)
    adopt(box)
    box.settle()
    box.world.inventory.broken = "cannot read which containers were adopted"
    box.world.calls.clear()
    status = box.run(3)
    assert status.last_pass.error == "cannot read which containers were adopted"
    assert box.world.calls == []
    box.world.inventory.broken = ""
    box.settle()
    assert box.world.boxes == {"web": before}


def test_strangers_are_told_from_what_was_adopted(box):
    box.world.add_foreign_container("web2", like=by_hand(box).like)
    stranger = box.world.boxes["web2"]
    adopt(box)
    box.settle()
    del box.folder.apps["web"]
    box.folder.write("other")
    box.settle()
    assert box.world.boxes["web2"] is stranger
    assert stranger.pid


def test_what_the_loop_made_in_vain_before_goes_when_the_other_is_adopted():
    """It was installed beside the one that has its port, and could never start."""
    it = Simulation()
    it.folder.write("web", ports=[{"host": 8080, "container": 80}])
    spec = it.reconciler.compared()[1]["web"].spec.containers[0]
    it.world.add_foreign_container("web", like=replace(spec, network="podman"))
    it.run(3)
    assert len(it.world.boxes) == 2
    assert by_hand(it).pid
    adopt(it)
    it.settle()
    assert list(it.world.boxes) == ["web"]
    assert by_hand(it).pid
