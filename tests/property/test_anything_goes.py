"""
Anything may happen, in any order, to a box; what must hold is looked at after every call.

Operators edit, others meddle, the engine fails, the reconciler dies: `guarded.GuardedBox` knows
what must never be. At the end all is mended, and desired has to equal observed.
"""

import os

import pytest
from guarded import GuardedBox
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from simulation import IMAGE

from reconciler.drivers.memory.leading import answering
from reconciler.errors import DriverConflict, DriverRejected, DriverUnavailable
from reconciler.model.container import Resources
from reconciler.model.evidence import Evidence

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "0"))  # as many, and others each time
NAMES = ["a", "b", "c", "d", "e"]
SHELF = "shelf"  # an app that only the catalogue knows
IMAGES = [IMAGE, "localhost/test:2", "localhost/test:3"]
ERRORS = [DriverUnavailable, DriverRejected, DriverConflict]
VERBS = [
    *("observe", "prepare_image", "ensure_network", "ensure_volume", "create", "write_files"),
    *("start", "stop", "remove", "remove_network", "isolate", "forget_isolation"),
    *("write_names", "attach", "detach", "set_limits", "drain"),
]
CHECK = {"type": "tcp", "endpoint": "8080", "interval": "1s", "retries": 1}
PORTS = {name: 9000 + number for number, name in enumerate(NAMES)}
names = st.sampled_from(NAMES)
moments = st.sampled_from(["before", "after"])


class AnythingGoes(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.box = GuardedBox()
        self.box.facts.evidence = Evidence(free_bytes=2**40)
        self.box.catalogue.write(SHELF)
        self.kept, self.turn = {}, 0
        for name, needed in (("a", set()), ("b", {"a"}), ("c", {"b", SHELF})):
            self.edit(name, IMAGE, "plain", needed, connected=False)
        self.box.settle()

    @property
    def folder(self):
        return self.box.folder

    # The operator

    @rule(
        name=names,
        image=st.sampled_from(IMAGES),
        shape=st.sampled_from(["plain", "checked", "pair", "job", "led"]),
        needed=st.sets(st.sampled_from([*NAMES, SHELF]), max_size=2),
        connected=st.booleans(),
    )
    def edit(self, name, image, shape, needed, connected):
        self.turn += 1
        below = sorted(n for n in needed if n < name or n == SHELF)
        ports = {"ports": [8080]} if connected else {}
        main = {"image": image, "environment": {"TURN": str(self.turn)}}
        main |= {"volumes": [{"name": "data", "target": "/data"}]}
        main |= {"resources": {"memory_limit": "64Mi"}}
        containers, more = {"main": main}, {}
        match shape:
            case "led":
                del main["volumes"]
                main |= {"health_check": CHECK, "ports": [{"host": PORTS[name], "container": 80}]}
                more["update"] = {"strategy": "blue-green"}
            case "checked":
                main["health_check"] = CHECK
            case "pair":
                containers["db"] = {"image": image}
                main["depends_on"] = {"db": "started"}
            case "job":
                containers["job"] = {"image": image, "restart": "no"}
                main["depends_on"] = {"job": "completed"}
                self.box.world.exits(f"{name}/job", 0)
        requires = [{"app_id": n, **ports} for n in below]
        self.folder.write(name, requires=requires, containers=containers, **more)

    @rule(gone=st.sets(names, min_size=1), said=st.booleans())
    def delete(self, gone, said):
        for name in sorted(gone):
            self.folder.delete(name)
        if said:
            self.confirm()

    @rule(name=names)
    def corrupt(self, name):
        if name in self.folder.apps:
            self.folder.corrupt(name)

    @rule()
    def mend(self):
        for name, data in list(self.folder.broken.items()):
            self.folder.broken.pop(name)
            self.folder.apps[name] = data

    @rule()
    def vanish_or_come_back(self):
        self.folder.complete = not self.folder.complete

    @rule()
    def empty(self):
        self.kept = {**self.folder.apps} or self.kept
        self.folder.apps.clear()
        self.folder.broken.clear()

    @precondition(lambda self: self.kept)
    @rule()
    def bring_back(self):
        for name, data in self.kept.items():
            if name not in self.folder.broken:
                self.folder.apps.setdefault(name, data)

    @rule()
    def confirm(self):
        said = dict.fromkeys(self.box.observed_apps() - self.box.wanted(), self.box.clock.now())
        old = self.box.facts.evidence
        told = {**old.removal_confirmed, **said}
        self.box.facts.evidence = replace(old, removal_confirmed=told)

    @rule(name=names)
    def suspend_or_resume(self, name):
        self.folder.suspended.symmetric_difference_update({name})

    @rule(name=names)
    def leave_alone_or_resume(self, name):
        word = {"app": name, "keep_running": True}
        if word in self.folder.words:
            self.folder.words.remove(word)
        else:
            self.folder.words.append(word)

    # Others

    @rule(how=st.sampled_from(["kill", "stop", "remove", "lose"]), which=st.integers(0, 20))
    def drift(self, how, which):
        box, world = self._any(which), self.box.world
        if box is None:
            return
        match how:
            case "remove":
                world.remove_by_hand(box.name)
            case "lose" if box.pid:
                world.lose(box.name)
            case "kill" if box.pid:
                world.kill(box.name)
            case "stop" if box.pid:
                world.stop_by_hand(box.name)

    @rule(how=st.sampled_from(["attach", "detach", "limit"]), which=st.integers(0, 20))
    def change(self, how, which):
        box = self._any(which)
        if box is None or not box.pid:
            return
        match how:
            case "attach":
                self.box.world.attach_by_hand(box.name, box.spec.network, "lan")
            case "detach":
                self.box.world.attach_by_hand(box.name)
            case "limit":
                self.box.world.limit_by_hand(box.name, Resources(memory=2**20, pids=1))

    @rule(name=names)
    def remove_network(self, name):
        if f"archipelago-{name}" in self.box.world.networks:
            self.box.world.remove_network_by_hand(f"archipelago-{name}")

    @rule()
    def flush(self):
        self.box.flushed |= {app for _, app in self.box.world.rules}
        self.box.world.flush_rules()

    @rule(name=names, ok=st.booleans())
    def health(self, name, ok):
        self.box.world.set_health(f"{name}/main", ok)

    # The machine

    @rule()
    def engine_down_or_up(self):
        self.box.world.available = not self.box.world.available

    @rule(verb=st.sampled_from(VERBS), error=st.sampled_from(ERRORS), when=moments)
    def fail(self, verb, error, when):
        self.box.world.fail_next(verb, error("as arranged"), when=when)

    @rule(at=st.integers(1, 12))
    def kill_reconciler_at(self, at):
        self.box.dies_in = at

    @rule()
    def reboot(self):
        self.box.world.reboot()
        self.box.flushed |= {app for _, app in self.box.world.rules}
        self.box.world.flush_rules()  # the kernel forgets them
        self.box.foreign = self.box.seen_of_strangers()  # nobody starts theirs
        self.box.restart()

    @rule(seconds=st.sampled_from([60.0, 3600.0, 86400.0 * 400]))
    def clock_jumps(self, seconds):
        self.box.clock.advance(seconds)

    @rule()
    def one_pass(self):
        self.box.run_or_die(1, 1.0)

    @rule()
    def quick_passes(self):
        self.box.run_or_die(3, 0.5)

    @rule()
    def passes_beyond_every_pause(self):
        self.box.run_or_die(4, 400.0)

    @invariant()
    def strangers_and_rules(self):
        self.box.assert_untouched()

    def teardown(self):
        """Mend all, let it rest, and compare."""
        box = self.box
        box.world._faults.clear()
        box.dies_in, box.world.available, self.folder.complete = 0, True, True
        self.folder.suspended.clear()
        self.folder.words.clear()
        self.mend()
        for name in NAMES:
            box.world.set_health(f"{name}/main", True)
        self._write_what_is_missing()
        box.settle()
        self.confirm()
        for app in [*box.revisions.failed]:  # a reboot at its deadline is no update's fault
            box.revisions.retry(app, box.clock.now())
        box.settle()
        box.assert_as_desired()
        self.assert_led()
        calls = len(box.world.calls)
        box.run(3)
        assert len(box.world.calls) == calls, "at rest it acts"
        assert box.seen_of_strangers() == box.foreign

    def assert_led(self):
        """A port leads to the one container of an app that hands over, and to none of others."""
        for name, port in PORTS.items():
            led = "update" in self.folder.apps.get(name, {})
            found = answering(self.box.world, port)
            assert (found is not None and found.path == f"{name}/main") is led, name

    def _write_what_is_missing(self):
        """An empty folder and a requirement that nobody wrote would be held for ever."""
        while missing := {n for d in self.folder.apps.values() for n in _needs(d)} - {
            *self.folder.apps,
            SHELF,
        }:
            for name in missing:
                self.folder.write(name)
        if not self.folder.apps:
            self.folder.write("a")

    def _any(self, which):
        ours = self.box.ours()
        return ours[which % len(ours)] if ours else None


def _needs(data):
    return {need["app_id"] for need in data["dependencies"]}


# To explain is to trace every line, which takes longer than all the rest.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
SETTINGS = settings(
    max_examples=EXAMPLES or 300,
    derandomize=not EXAMPLES,
    stateful_step_count=40,
    phases=PHASES if os.environ.get("CHAOS_SHRINK") == "no" else [*PHASES, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.timeout(900 + EXAMPLES)
def test_whatever_happens_what_must_never_be_is_not():
    run_state_machine_as_test(AnythingGoes, settings=SETTINGS)
