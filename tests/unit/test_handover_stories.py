"""Updates of an app that hands over, from the first pass to the last, in memory."""

import pytest
from simulation import IMAGE, Simulation
from visitors import Visitors

from reconciler.core.settling import all_ready, settled
from reconciler.drivers.memory.leading import answering
from reconciler.errors import DriverRejected
from reconciler.model.observed import ContainerState

CHECK = {"type": "tcp", "port": 80, "interval": "1s", "retries": 3}
TWO, THREE = "localhost/test:2", "localhost/test:3"
PORT = {"host": 8080, "container": 80}


@pytest.fixture
def box():
    made = Simulation()
    made.visitors = made.world.hook = Visitors(made)
    return made


def write(box, image=IMAGE, strategy="blue-green", **more):
    container = {"image": image, "health_check": CHECK, "ports": [PORT]}
    container |= more.pop("container", {})
    box.folder.write("web", container=container, update={"strategy": strategy}, **more)


def ill(box, *images):
    """Let every container of these images fail its probes."""
    real = box.world.answer

    def answer(it):
        found = real(it)
        return type(found)(False, "answers 503") if it.spec.image in images else found

    box.world.answer = answer


def images(box, state=ContainerState.RUNNING):
    return {b.spec.image for b in box.world.boxes.values() if b.state is state}


def reasons(box):
    told = [(s.of("web").action, s.of("web").reason) for s in box.diary.statuses]
    return [each for before, each in zip([None, *told], told, strict=False) if each != before]


def ready(box):
    return [
        next(c for c in s.of("web").conditions if c.type == "Ready").status
        for s in box.diary.statuses
    ]


def test_the_port_leads_to_the_next_one_once_it_is_well_and_the_other_one_stands_by(box):
    write(box)
    box.settle()
    write(box, TWO)
    box.diary.statuses.clear()
    box.run(passes=10)
    assert box.visitors.content
    assert box.visitors.served == [IMAGE, TWO]
    assert (images(box), images(box, ContainerState.EXITED)) == ({TWO}, {IMAGE})
    assert all(ready(box))
    assert reasons(box)[:5] == [
        ("update", "DigestChanged"),
        ("keep", "Starting"),
        ("update", "HandedOver"),
        ("keep", "PreviousKept"),
    ]
    status = box.settle()
    assert all_ready(status)
    assert len(box.world.boxes) == 1


def test_at_rest_nothing_is_done(box):
    write(box)
    box.settle()
    calls = len(box.world.calls)
    box.run(passes=50)
    assert len(box.world.calls) == calls


def test_what_is_never_well_is_taken_away_and_nobody_noticed(box):
    write(box)
    box.settle()
    first = box.world.box("web/main").ref
    ill(box, TWO)
    write(box, TWO)
    box.diary.statuses.clear()
    box.run(passes=60)
    assert images(box) == {IMAGE, TWO}
    box.run(passes=120)
    status = box.settle()
    assert [b.ref for b in box.world.boxes.values()] == [first]
    assert box.world.boxes.popitem()[1].started_at < box.diary.statuses[0].last_pass.finished_at
    assert box.visitors.content
    assert box.visitors.served == [IMAGE]
    assert all(ready(box))
    assert status.of("web").reason == "RolledBack"
    assert "answers 503" in status.of("web").message
    assert settled(status)


def test_what_keeps_ending_is_taken_away_and_nobody_noticed(box):
    write(box)
    box.settle()
    box.world.exits("web/main", 3)
    write(box, TWO)
    box.diary.statuses.clear()
    box.run(passes=400)
    status = box.settle()
    assert (images(box), len(box.world.boxes)) == ({IMAGE}, 1)
    assert box.visitors.content
    assert all(ready(box))
    assert status.of("web").reason == "RolledBack"


def test_without_a_way_back_the_one_before_goes_on(box):
    update = {"strategy": "blue-green", "rollback": False}
    container = {"image": IMAGE, "health_check": CHECK, "ports": [PORT]}
    box.folder.write("web", container=container, update=update)
    box.settle()
    ill(box, TWO)
    box.folder.write("web", container={**container, "image": TWO}, update=update)
    box.run(passes=600)
    status = box.diary.statuses[-1]
    assert box.visitors.content
    assert status.of("web").ready
    assert box.visitors.served == [IMAGE]


def test_a_newer_edit_takes_the_place_of_one_that_is_not_well_yet(box):
    write(box)
    box.settle()
    ill(box, TWO)
    write(box, TWO)
    box.run(passes=5)
    write(box, THREE)
    box.run(passes=10)
    assert box.visitors.content
    assert box.visitors.served == [IMAGE, THREE]
    assert images(box) == {THREE}
    box.settle()
    assert len(box.world.boxes) == 1


def test_what_gets_ill_after_it_took_over_goes_back(box):
    write(box)
    box.settle()
    write(box, TWO)
    box.run(passes=6)
    assert images(box) == {TWO}
    ill(box, TWO)
    box.world.hook = None  # these are failures of the app's own
    box.run(passes=400)
    box.settle()
    assert images(box) == {IMAGE}
    assert answering(box.world, 8080).spec.image == IMAGE


def test_what_gets_ill_while_the_other_one_lets_go_hands_back(box):
    write(box)
    box.settle()
    first = box.world.box("web/main").name
    write(box, TWO)
    box.run(passes=3)
    assert answering(box.world, 8080).spec.image == TWO
    assert box.world.boxes[first].state is ContainerState.RUNNING
    ill(box, TWO)
    box.world.hook = None
    for _ in range(4):  # as many as it takes to call it unwell
        box.world.fail_next("drain", DriverRejected("no"))
    box.run(passes=8)
    assert answering(box.world, 8080).name == first
    assert box.world.boxes[first].started_at is not None


def test_the_one_that_serves_is_started_again_while_the_next_one_is_tried(box):
    write(box)
    box.settle()
    first = box.world.box("web/main").name
    ill(box, TWO)
    write(box, TWO)
    box.run(passes=5)
    box.world.hook = None
    box.world.kill(first)
    box.run(passes=3)
    assert box.world.boxes[first].state is ContainerState.RUNNING
    assert answering(box.world, 8080).name == first


def test_the_next_one_takes_over_though_the_one_that_served_cannot_be_started(box):
    write(box)
    box.settle()
    first = box.world.box("web/main").name
    write(box, TWO)
    box.run(passes=1)
    box.world.hook = None
    box.world.kill(first)
    box.run(passes=4)
    assert answering(box.world, 8080).spec.image == TWO


def test_an_app_that_is_stopped_gives_its_port_away(box):
    write(box)
    box.settle()
    box.world.hook = None
    box.folder.suspended.add("web")
    box.settle()
    assert answering(box.world, 8080) is None
    (rules,) = box.world.rules.values()
    assert rules.lead is None
    box.folder.write("shop", container={"image": IMAGE, "ports": [PORT]})
    box.settle()
    assert images(box) == {IMAGE}
    box.folder.suspended.clear()
    box.folder.delete("shop")
    box.folder.write("other")
    status = box.settle()
    assert status.of("web").ready
    assert answering(box.world, 8080).path == "web/main"


def test_a_port_that_leads_to_another_app_is_not_to_be_had(box):
    write(box)
    box.settle()
    box.folder.write("shop", container={"image": IMAGE, "ports": [PORT]})
    status = box.settle()
    shop = status.of("shop")
    assert (shop.action, shop.reason) == ("hold", "PortTaken")
    assert "port 8080 of this machine leads to web" in shop.message
    assert next(c for c in shop.conditions if c.type == "Stalled").status
    assert box.visitors.content


def test_a_port_that_a_program_has_is_told_and_not_taken_from_it(box):
    box.world.hook = None
    box.world.take_port(8080)
    write(box)
    box.run(passes=30)
    web = box.diary.statuses[-1].of("web")
    assert not web.ready
    assert "cannot lead port 8080 to web: it is in use" in web.message


def test_after_a_reboot_and_a_flush_it_leads_there_again(box):
    write(box)
    box.settle()
    box.world.hook = None
    box.world.flush_rules()
    box.run(passes=3)
    assert answering(box.world, 8080).path == "web/main"
    box.world.reboot()
    box.world.flush_rules()
    box.restart()
    box.settle()
    assert answering(box.world, 8080).path == "web/main"


def test_a_flush_in_the_middle_of_an_update_changes_nobody(box):
    write(box)
    box.settle()
    ill(box, TWO)
    write(box, TWO)
    box.run(passes=5)
    box.world.hook = None
    box.world.flush_rules()
    box.run(passes=2)
    assert answering(box.world, 8080).spec.image == IMAGE


def test_an_app_may_begin_to_hand_over_and_stop_doing_so(box):
    box.world.hook = None
    write(box, strategy="replace")
    box.settle()
    assert answering(box.world, 8080) is None
    write(box, strategy="blue-green")
    box.run(passes=3)
    assert len(images(box)) == 1
    assert len(box.running()) == 1
    box.settle()
    assert answering(box.world, 8080).spec.image == IMAGE
    box.world.hook = None
    write(box, strategy="replace")
    status = box.settle()
    assert all_ready(status)
    assert answering(box.world, 8080) is None
    assert len(box.world.boxes) == 1


def test_an_app_that_moves_to_the_machines_network_leads_nowhere(box):
    write(box)
    box.settle()
    box.world.hook = None
    container = {"image": IMAGE}
    box.folder.write("web", container=container, security={"network_policy": "host"})
    box.folder.approved["web"] = ("network host",)
    box.settle()
    assert answering(box.world, 8080) is None
    assert box.running() == {"web": IMAGE}


def test_where_no_rules_can_be_had_it_is_held(box):
    box.world.unenforceable = "firewall rules need root"
    write(box)
    status = box.settle()
    web = status.of("web")
    assert (web.action, web.reason) == ("hold", "NotEnforceable")
    assert "write strategy: replace" in web.message
    assert box.world.boxes == {}


def test_who_depends_on_it_is_ready_meanwhile_and_knows_who_serves(box):
    write(box)
    needs = {"app_id": "web", "ports": [80]}
    box.folder.write("shop", requires=[needs])
    box.settle()
    shop = box.world.box("shop/main")

    def known():
        return dict(shop.names)["web"]

    first = answering(box.world, 8080)
    assert known() == first.address(first.spec)
    ill(box, TWO)
    write(box, TWO)
    box.run(passes=5)
    assert known() == first.address(first.spec)
    assert box.diary.statuses[-1].of("shop").reason == "InSync"
    write(box, THREE)
    box.run(passes=8)
    second = answering(box.world, 8080)
    assert second is not first
    assert known() == second.address(second.spec)


def test_another_port_of_the_machine_is_taken_with_the_revision_that_asks_for_it(box):
    write(box)
    box.settle()
    ill(box, TWO)
    write(box, TWO, container={"ports": [{"host": 9090, "container": 81}]})
    box.run(passes=5)
    assert answering(box.world, 8080).spec.image == IMAGE
    assert answering(box.world, 9090) is None
    box.world.hook = None
    write(box, THREE, container={"ports": [{"host": 9090, "container": 81}]})
    box.settle()
    assert answering(box.world, 9090).spec.image == THREE
    assert answering(box.world, 8080) is None
