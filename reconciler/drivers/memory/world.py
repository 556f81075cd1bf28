"""
The machine in memory, and everything that a test may do to it behind the reconciler's back.

Deterministic: ids are counted, time comes from the clock given. Targets are container names, refs
or `app/container`; what is said of `app/container` holds for every revision of it.
"""

import hashlib
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta

from msgspec.structs import replace

from reconciler.drivers.memory.audit import MemoryAudit
from reconciler.drivers.memory.inventory import MemoryInventory
from reconciler.drivers.memory.ledger import MemoryLedger
from reconciler.drivers.memory.secrets import MemorySecrets
from reconciler.drivers.memory.things import Answer, Behaviour, Box, Owned
from reconciler.drivers.memory.waking import Call, Moment, Waking
from reconciler.errors import DriverRejected, DriverUnavailable
from reconciler.model.confinement import Confinement
from reconciler.model.container import ContainerSpec, Resources
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.isolation import IsolationSpec
from reconciler.model.observed import ContainerState, Hits
from reconciler.model.trial import Target
from reconciler.ports import Clock, Wake


class World:
    """The machine: what exists on it, what may be pulled, and what goes wrong next."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.Condition(threading.RLock())
        self.boxes: dict[str, Box] = {}  # by name
        self.networks: dict[str, Owned] = {}
        self.volumes: dict[str, Owned] = {}
        self.rules: dict[tuple[str, str], IsolationSpec] = {}  # by instance and app
        self.unenforceable = self.unlimited = ""  # why nobody enforces rules, or limits
        self.cut = 0  # clients that were connected to what was stopped or removed by a driver
        self.leaks: set[tuple[str, Target]] = set()  # by name: reached whatever the rules say
        self.files: dict[tuple[str, str], str] = {}  # by volume and path
        self.unreadable: set[str] = set()  # volumes that cannot be measured
        self.secrets = MemorySecrets()
        self.images: dict[str, str] = {}  # reference to id
        self.pullable: dict[str, str] = {}
        self.digests: dict[str, str] = {}  # reference to what a registry says it means
        self.ledger = MemoryLedger()
        self.inventory = MemoryInventory()
        self.audit = MemoryAudit()
        self.calls: list[Call] = []
        self.available = True
        self.hook: Callable[[Moment], None] | None = None
        self.broken_builds: dict[str, str] = {}
        self.taken_ports: set[tuple[int, str]] = set()
        self._faults: dict[tuple[str, str], list[BaseException]] = {}
        self._behaviours: dict[str, Behaviour] = {}
        self._prints: dict[str, tuple[str, ...]] = {}
        self._answers: dict[str, Answer] = {}
        self._waking: list[Waking] = []
        self._counter = 0
        self._led = 0

    # What a test arranges

    def publish(self, *references: str, version: str = "1") -> None:
        """Let images be pulled; another `version` is another image behind the same name."""
        with self.lock:
            for reference in references:
                found = _id(f"image {reference} {version}")
                digest = f"sha256:{found}"
                self.pullable[reference] = found
                self.pullable[parse_image_reference(reference).at(digest)] = found
                self.digests[reference] = digest

    def unpublish(self, *references: str) -> None:
        """Let images not be pulled any more, by no digest; what is on the box stays."""
        with self.lock:
            for reference in references:
                exactly = parse_image_reference(reference).at("sha256:")
                for name in [n for n in self.pullable if n == reference or n.startswith(exactly)]:
                    del self.pullable[name]
                self.digests.pop(reference, None)

    def exits(
        self,
        target: str,
        code: int,
        *,
        after: float = 0.0,
        times: int | None = None,
    ) -> None:
        """Let a container end by itself, `after` seconds from each of its next `times` starts."""
        with self.lock:
            self._behaviours[target] = Behaviour(code, after, times)

    def stays(self, target: str) -> None:
        """Let a container run on again from its next start."""
        with self.lock:
            self._behaviours.pop(target, None)

    def prints(self, target: str, *lines: str) -> None:
        """Let a container print lines at each start; one that runs prints them now."""
        with self.lock:
            self._prints[target] = lines
            box = self.find(target)
            if box is not None and box.state is ContainerState.RUNNING:
                box.lines.extend(lines)
            self.lock.notify_all()

    def connect(self, target: str, clients: int = 1) -> None:
        """Let clients be connected to a container until it is drained, or ends."""
        with self.lock:
            self.box(target).clients += clients

    def set_health(self, target: str, ok: bool, message: str = "") -> None:
        """Let probes of a container be answered so."""
        with self.lock:
            self._answers[target] = Answer(ok, message)

    def fail_next(self, verb: str, error: BaseException, *, when: str = "before") -> None:
        """Let the next call of a verb raise, before or after it did its work. Calls add up."""
        with self.lock:
            self._faults.setdefault((verb, when), []).append(error)

    def break_build(self, context: str, message: str) -> None:
        """Let builds from a context directory fail."""
        with self.lock:
            self.broken_builds[context] = message

    def take_port(self, port: int, protocol: str = "tcp") -> None:
        """Let a program that is no container listen on a port."""
        with self.lock:
            self.taken_ports.add((port, protocol))

    # What happens to the machine by other hands

    def kill(self, target: str, exit_code: int = 137) -> None:
        """End a container's process."""
        with self.changing():
            self.box(target).end(exit_code, self.clock.now())

    def stop_by_hand(self, target: str) -> None:
        """Stop a container as an operator would."""
        self.kill(target, 143)

    def remove_by_hand(self, target: str) -> None:
        """Remove a container as an operator would."""
        with self.changing():
            del self.boxes[self.box(target).name]

    def lose(self, target: str) -> None:
        """End a container's process and the one that watches it: the engine says running."""
        self.set_state(target, ContainerState.LOST)

    def set_state(self, target: str, state: ContainerState) -> None:
        """Put a container into a state: paused, ending, broken."""
        with self.changing():
            self.box(target).state = state

    def remove_network_by_hand(self, name: str) -> None:
        """Remove a network as an operator would."""
        with self.changing():
            del self.networks[name]

    def attach_by_hand(self, target: str, *networks: str) -> None:
        """Put a container into exactly these networks, as an operator would."""
        with self.changing():
            self.box(target).networks = networks

    def limit_by_hand(self, target: str, limits: Resources) -> None:
        """Change what a running container may use, as an operator would."""
        with self.changing():
            self.box(target).limits = limits

    def exec_by_hand(self, target: str) -> None:
        """Run a command in a container, as an operator would."""
        with self.changing():
            self.box(target).exec_at = self.clock.now()

    def hit(self, target: str, hits: Hits) -> None:
        """Let the kernel refuse a running container more, so often since it was started."""
        with self.changing():
            self.box(target).hits = hits

    def add_intruder(self, name: str, like: str) -> None:
        """Add a running container with all labels of another one, as who knows them would."""
        with self.changing():
            box = self.box(like)
            made = Box(
                self.next_id(name), name, box.instance, box.spec, box.image_id, self.clock.now()
            )
            made.run(self.next_pid(), self.clock.now(), self.clock.monotonic())
            self.boxes[name] = made

    def confine_by_hand(self, target: str, confinement: Confinement) -> None:
        """Put a container made otherwise in the place of one, as somebody who knows our labels."""
        with self.changing():
            box = self.box(target)
            box.confinement = confinement
            box.run(self.next_pid(), self.clock.now(), self.clock.monotonic())

    def flush_rules(self) -> None:
        """Remove all rules, as an operator would."""
        with self.changing():
            self.rules.clear()

    def write_by_hand(self, volume: str, path: str, text: str) -> None:
        """Write a file in a volume, as what runs in a container would."""
        with self.lock:
            self.files[volume, path] = text

    def add_foreign_container(
        self,
        name: str,
        instance: str = "",
        mounts: tuple[str, ...] = (),
        like: ContainerSpec | None = None,
    ) -> None:
        """
        Add a running container that is not ours: nobody's, or another instance's.

        With `like`, one that was made by hand as such a spec asks for.
        """
        with self.changing():
            box = Box(self.next_id(name), name, instance, None, "", self.clock.now())
            box.mounted, box.like = mounts, like
            box.networks = (like.network,) if like and like.network else ()
            box.run(self.next_pid(), self.clock.now(), self.clock.monotonic())
            self.boxes[name] = box

    def add_foreign_network(self, name: str, instance: str = "") -> None:
        """Add a network that is not ours."""
        with self.changing():
            self.networks[name] = Owned(name, "", instance)

    def add_foreign_volume(self, name: str, instance: str = "") -> None:
        """Add a volume that is not ours."""
        with self.changing():
            self.volumes[name] = Owned(name, "", instance)

    def reboot(self) -> None:
        """End every process, as a restart of the machine does. Nothing else is lost."""
        with self.changing():
            for box in self.boxes.values():
                if box.pid:
                    box.end(137, self.clock.now())

    # What drivers use

    def begin(self, verb: str, subject: str, *, mutating: bool) -> None:
        """Tell the hook, write the call down, and fail if that was arranged."""
        self._meet(Moment(verb, subject, "before"))
        with self.lock:
            if not self.available:
                raise DriverUnavailable(f"cannot {verb} {subject}: the engine does not answer")
            if mutating:
                self.calls.append(Call(verb, subject))
        self.let_time_pass()

    def finish(self, verb: str, subject: str) -> None:
        """Tell the hook that it is done, and fail if that was arranged."""
        self._meet(Moment(verb, subject, "after"))

    def find(self, target: str) -> Box | None:
        """Return a container by ref, name or app/container (the newest)."""
        if target in self.boxes:
            return self.boxes[target]
        found = [b for b in self.boxes.values() if target in {b.ref, b.path}]
        return found[-1] if found else None

    def box(self, target: str) -> Box:
        """Return a container that has to be there."""
        box = self.find(target)
        if box is None:
            raise LookupError(f"there is no container {target!r} in this world")
        return box

    def answer(self, box: Box) -> Answer:
        """Return what a container answers to a probe."""
        return self._answers.get(box.name) or self._answers.get(box.path) or Answer()

    def held(self, volume: str) -> int:
        """Return how many bytes the files in a volume have."""
        return sum(len(text.encode()) for (v, _), text in self.files.items() if v == volume)

    def set_going(self, box: Box) -> None:
        """Start a container and let it do what was arranged. Refused where a port is taken."""
        self._check_ports(box)
        box.run(self.next_pid(), self.clock.now(), self.clock.monotonic())
        for key in (box.path, box.name):
            box.lines.extend(self._prints.get(key, ()))
            behaviour = self._behaviours.get(key)
            if behaviour is None or behaviour.exit_code is None or behaviour.times == 0:
                continue
            if behaviour.times is not None:
                self._behaviours[key] = replace(behaviour, times=behaviour.times - 1)
            box.ends = (self.clock.monotonic() + behaviour.after, behaviour.exit_code)
        self._end_what_is_due()

    def let_time_pass(self) -> None:
        """Let containers end whose time has come, and wake who waits for it."""
        with self.lock:
            ended = self._end_what_is_due()
        if ended:
            self.wake()

    def subscribe(self, wake: Wake) -> Waking:
        """Wake on each change from now on."""
        waking = Waking(wake, self._forget)
        with self.lock:
            self._waking.append(waking)
        return waking

    def wake(self) -> None:
        """Wake everybody who subscribed."""
        with self.lock:
            waking = tuple(self._waking)
        for each in waking:
            each.wake()

    @contextmanager
    def changing(self) -> Generator[None]:
        """Hold the lock for a change; wake everybody when it is made and the lock is free."""
        with self.lock:
            yield
            self.lock.notify_all()
        self.wake()

    def next_id(self, name: str) -> str:
        """Return an id that was never given before."""
        self._counter += 1
        return _id(f"container {name} {self._counter}")

    def next_number(self) -> int:
        """Return a small number that no container has any more that was made lately."""
        self._led = (self._led + 1) % 64
        return self._led

    def next_pid(self) -> int:
        """Return the id of a process that is not there, on any machine."""
        self._counter += 1
        return 2**22 + self._counter

    def _forget(self, waking: Waking) -> None:
        with self.lock:
            if waking in self._waking:
                self._waking.remove(waking)

    def _meet(self, moment: Moment) -> None:
        if self.hook is not None:
            self.hook(moment)
        with self.lock:
            faults = self._faults.get((moment.verb, moment.when))
            error = faults.pop(0) if faults else None
        if error is not None:
            raise error

    def _end_what_is_due(self) -> bool:
        now, due = self.clock.monotonic(), False
        for box in self.boxes.values():
            if box.ends is not None and box.ends[0] <= now:
                late = timedelta(seconds=now - box.ends[0])
                box.end(box.ends[1], self.clock.now() - late)
                due = True
        if due:
            self.lock.notify_all()
        return due

    def _check_ports(self, box: Box) -> None:
        taken = set(self.taken_ports)
        for other in self.boxes.values():
            if other is not box and other.holds_ports:
                taken |= other.ports
        for port, protocol in sorted(box.ports & taken):
            raise DriverRejected(
                f"cannot start {box.name}: port {port}/{protocol} is in use;"
                " choose another host port, or stop what listens there",
            )


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
