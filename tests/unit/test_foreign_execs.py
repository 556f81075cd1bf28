"""Commands that others run in containers are told from our own checks, or not at all."""

from datetime import UTC, datetime

from reconciler.drivers.podman.foreign_execs import MOST, SLACK_SECONDS, ForeignExecs

START = 1000.0


class Clock:
    at = START

    def __call__(self):
        return self.at


def made(quiet=0.0):
    clock = Clock()
    execs = ForeignExecs(quiet, clock)
    clock.at += 1
    return execs, clock


def moment(at):
    return datetime.fromtimestamp(at, UTC)


def test_a_command_of_somebody_elses():
    execs, clock = made()
    assert execs.last("a") is None
    assert execs.came("a", clock.at)
    assert execs.last("a") == moment(clock.at)
    assert execs.last("b") is None


def test_one_of_ours_makes_one_event():
    execs, clock = made()
    with execs.ours("a"):
        assert not execs.came("a", clock.at)
        assert execs.came("a", clock.at)


def test_its_event_may_come_when_it_is_over():
    execs, clock = made()
    with execs.ours("a"):
        ran = clock.at
    clock.at += 100 * SLACK_SECONDS  # this process stood still meanwhile
    assert not execs.came("a", ran)
    assert execs.came("a", ran)


def test_what_made_no_event_hides_nothing_for_long():
    execs, clock = made()
    for _ in range(3):
        with execs.ours("a"):
            pass
    clock.at += SLACK_SECONDS + 1
    assert execs.came("a", clock.at)
    assert execs.last("a") == moment(clock.at)


def test_ours_in_another_container_hide_nothing():
    execs, clock = made()
    with execs.ours("b"):
        assert execs.came("a", clock.at)


def test_an_earlier_loop_may_have_begun_a_check():
    execs, clock = made(quiet=SLACK_SECONDS)
    for ref in ("checked", "other"):
        assert execs.came(ref, clock.at)
        assert execs.last(ref) is None
    ran = clock.at
    with execs.ours("checked"):
        pass
    clock.at += SLACK_SECONDS
    assert execs.last("checked") is None
    assert execs.last("other") == moment(ran)


def test_what_is_gone_is_forgotten():
    execs, clock = made()
    with execs.ours("b"):
        pass
    assert execs.came("a", clock.at)
    execs.forget(frozenset({"b"}))
    assert execs.last("a") is None
    assert not execs.came("b", clock.at)
    execs.forget(frozenset())
    assert execs.came("b", clock.at)


def test_where_no_event_comes_what_is_awaited_is_bounded():
    execs, _ = made()
    for _ in range(MOST + 1):
        with execs.ours("a"):
            pass
    assert len(execs._own["a"]) == MOST
