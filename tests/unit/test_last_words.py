"""What was printed before an end: read beside the loop, and nothing secret gets out."""

import threading

import pytest
from simulation import ManualClock

from reconciler.drivers.memory import MemoryDriver, World
from reconciler.drivers.memory.secrets import MemorySecrets
from reconciler.errors import DriverRejected, DriverUnavailable
from reconciler.last_words import LONGEST, LogEnds, words
from reconciler.model.last_words import LogEnd
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec

SECRET = "s3cr3t+/=value"

FULL = "x" * (LONGEST - 4)


def test_the_last_lines_are_told():
    assert words(["one", "two", "", "three", "four", " "], ()) == (
        "; it printed last: two / three / four"
    )
    assert words(["one"], ()) == "; it printed last: one"
    assert words([], ()) == words(["", "  "], ()) == ""


@pytest.mark.parametrize(
    ("why", "line", "shown"),
    [
        ("as it is", f"token={SECRET}!", "token=***!"),
        ("twice", f"{SECRET} {SECRET}", "*** ***"),
        ("in an address", "http://a:s3cr3t%2B%2F%3Dvalue@b", "http://a:***@b"),
        ("with colours inside", "s3cr\x1b[31m3t+/=value", "***"),
        (
            "at the edge of what is shown",
            FULL + SECRET,
            FULL + "***",
        ),
        ("what is no secret stays", "s3cr3t", "s3cr3t"),
        ("what steers a terminal goes", "a\x1b[2J\x1b]0;title\x07b\x00c\rd", "ab c d"),
        ("what is long is cut", "x" * 500, "x" * LONGEST + "…"),
    ],
)
def test_a_line_is_fit_to_be_told(why, line, shown):
    assert words([line], [SECRET]) == f"; it printed last: {shown}", why


def test_each_line_of_a_secret_of_several_is_hidden_and_quotes_are():
    assert words(["BEGIN", "abcdef", 'say \\"hi\\"'], ["BEGIN\nabcdef\n", 'say "hi"']) == (
        "; it printed last: *** / *** / ***"
    )


class Rig:
    def __init__(self):
        self.clock = ManualClock()
        self.world = World(self.clock)
        self.driver = MemoryDriver("archipelago", self.clock, self.world)
        self.secrets = MemorySecrets()
        self.lines, self.asked = {}, []
        self.driver.logs = self.logs
        self.woken, self.bugs = threading.Semaphore(0), []
        self.ends = LogEnds(self.driver, self.secrets, self.woken.release, self.bugs.append)

    def logs(self, ref, *, tail, follow):
        self.asked.append(ref)
        found = self.lines[ref]
        if isinstance(found, BaseException):
            raise found
        return iter(found[-tail:])

    def watch(self, **targets):
        self.ends.watch(targets)

    def hears(self, number=1):
        for _ in range(number):
            assert self.woken.acquire(timeout=20)
        return self.ends.records()


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.ends.close()
    assert not made.ends._thread.is_alive()


def test_what_ended_is_read_once_for_each_exit_code(rig):
    rig.lines["a"] = ["first"]
    rig.watch(a=LogEnd(None))
    assert rig.ends.records() == {}
    rig.watch(a=LogEnd(7))
    assert rig.hears() == {"a": "; it printed last: first"}
    rig.lines["a"] = ["second"]
    rig.watch(a=LogEnd(7))
    rig.watch(a=LogEnd(None))
    assert rig.ends.records() == {"a": "; it printed last: first"}, "words stay the same"
    rig.watch(a=LogEnd(8))
    assert rig.hears() == {"a": "; it printed last: second"}
    rig.watch()
    assert rig.ends.records() == {}
    assert rig.asked == ["a", "a"]


def test_its_secrets_are_hidden(rig):
    rig.secrets.ensure(SecretSpec("web", "key", SecretKind.HEX32))
    ref = SecretRef("web", "key")
    rig.lines["a"] = [f"the key is {rig.secrets.read(ref)}, the door is open-sesame"]
    rig.watch(a=LogEnd(1, (ref,), ("open-sesame",)))
    assert rig.hears() == {"a": "; it printed last: the key is ***, the door is ***"}


@pytest.mark.parametrize(
    "trouble", [DriverRejected("no"), DriverUnavailable("gone"), ZeroDivisionError()]
)
def test_what_cannot_be_read_is_empty_and_the_others_are_read(rig, trouble):
    rig.lines |= {"a": trouble, "b": ["fine"]}
    rig.watch(a=LogEnd(1), b=LogEnd(1))
    assert rig.hears(2) == {"a": "", "b": "; it printed last: fine"}
    assert [type(b) for b in rig.bugs] == [
        type(trouble) for _ in [0] if isinstance(trouble, ZeroDivisionError)
    ]
    rig.lines["a"] = ["at last"]
    rig.watch(a=LogEnd(None), b=LogEnd(1))
    rig.watch(a=LogEnd(1), b=LogEnd(1))
    assert rig.hears()["a"] == "; it printed last: at last"


def test_without_all_of_its_secrets_nothing_is_told(rig):
    rig.lines["a"] = ["anything"]
    rig.watch(a=LogEnd(1, (SecretRef("web", "lost"),)))
    assert rig.hears() == {"a": ""}


def test_what_is_gone_when_it_was_read_is_not_told(rig):
    gate, reading = threading.Event(), threading.Event()

    def slow():
        reading.set()
        gate.wait(20)
        yield "late"

    rig.lines["a"] = slow()
    rig.driver.logs = lambda ref, **_: rig.lines[ref]
    rig.watch(a=LogEnd(1))
    assert reading.wait(20)
    rig.watch()
    gate.set()
    assert rig.hears() == {}
