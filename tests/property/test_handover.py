"""Wherever it dies on its way to the next revision, nobody who asks meanwhile goes away empty."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import IMAGE, Simulation
from visitors import Visitors

TWO, ILL = "localhost/test:2", "localhost/test:3"
CHECK = {"type": "tcp", "port": 80, "interval": "1s", "retries": 3}


class Killed(BaseException):
    """The reconciler's process, ending at this instruction."""


class Dying(Visitors):
    """They go on asking when the reconciler dies; the next moment is its last one."""

    def __init__(self, box):
        super().__init__(box)
        self.when, self.left = "", 0

    def die(self, when, left):
        self.when, self.left = when, left

    def __call__(self, moment):
        super().__call__(moment)
        if moment.when == self.when:
            self.left -= 1
            if self.left == 0:
                raise Killed


def write(box, image):
    container = {"image": image, "health_check": CHECK, "ports": [{"host": 8080, "container": 80}]}
    box.folder.write("web", container=container, update={"strategy": "blue-green"})


def serving():
    """A box with an app that hands over, somebody who needs it, and its visitors."""
    box = Simulation()
    box.visitors = box.world.hook = Dying(box)
    write(box, IMAGE)
    box.folder.write("shop", requires=[{"app_id": "web", "ports": [80]}])
    box.settle()
    real = box.world.answer

    def answer(it):
        found = real(it)
        return type(found)(False, "answers 503") if it.spec.image == ILL else found

    box.world.answer = answer
    assert box.visitors.greeted
    return box


def settles_unless_killed(box):
    try:
        rest(box)
    except Killed:
        return True
    return False


def rest(box):
    """Until a deadline is over, and then until nothing is done any more."""
    box.run(passes=12, seconds=15)
    return box.settle()


def assert_it_ends_well(box, image, at):
    status = rest(box)
    assert box.visitors.content, (at, box.visitors.failures[:2], box.world.cut)
    (left,) = [b for b in box.world.boxes.values() if b.spec.app == "web"]
    assert (left.spec.image, left.state) == (image, "running"), at
    assert status.of("web").ready, at
    names = dict(box.world.box("shop/main").names)
    assert names["web"] == left.address(left.spec), at


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("image", "ends"), [(TWO, TWO), (ILL, IMAGE)])
def test_killed_anywhere_nobody_notices(when, image, ends):
    for at in range(1, 200):
        box = serving()
        write(box, image)
        box.visitors.die(when, at)
        died = settles_unless_killed(box)
        box.visitors.die("", 0)
        box.restart()
        assert_it_ends_well(box, ends, at)
        if not died:
            break
    assert at > 15


@settings(max_examples=25)
@given(st.integers(0, 10**9))
def test_edits_and_deaths_and_nobody_notices(seed):
    chance = random.Random(seed)
    box = serving()
    for _ in range(8):
        written = chance.choice([IMAGE, TWO, ILL])
        write(box, written)
        box.visitors.die(chance.choice(["before", "after"]), chance.randrange(1, 20))
        try:
            box.run(chance.randrange(1, 5), seconds=chance.choice([1, 30, 400]))
        except Killed:
            box.restart()
        box.visitors.die("", 0)
    rest(box)
    assert box.visitors.content, (seed, box.visitors.failures[:2], box.world.cut)
    back = box.diary.statuses[-1].of("web").reason == "RolledBack"
    assert back == (written == ILL)
    runs = {b.spec.image for b in box.world.boxes.values() if b.spec.app == "web" and b.pid}
    assert len(runs) == 1
    assert ILL not in runs
