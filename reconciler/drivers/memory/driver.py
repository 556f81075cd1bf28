"""The verbs of `ports.Driver`, carried out in a world of memory."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from threading import Event

from msgspec.structs import replace

from reconciler.drivers.memory import leading, reaching, strangers, volumes
from reconciler.drivers.memory.things import Box, Owned
from reconciler.drivers.memory.world import World
from reconciler.errors import DriverConflict, DriverRejected
from reconciler.model.adoption import ContainerFacts
from reconciler.model.container import ContainerSpec, HealthCheck, PullPolicy
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.health import ProbeResult
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.isolation import IsolationSpec, Names
from reconciler.model.observed import (
    ContainerState,
    Observed,
    ObservedContainer,
    ObservedNetwork,
)
from reconciler.model.pin import Pin
from reconciler.model.trial import Reach, Target
from reconciler.model.volume import ObservedVolume
from reconciler.ports import Clock, Subscription, Wake

_ENDED = {ContainerState.CREATED, ContainerState.EXITED, ContainerState.LOST}


class MemoryDriver:
    """
    An engine without an engine. Implements `ports.Driver`.

    Without a world it makes its own; given one, it finds what earlier drivers left there.
    """

    def __init__(self, instance: str, clock: Clock, world: World | None = None) -> None:
        self.instance = instance
        self.world = world or World(clock)
        self.world.clock = clock

    def observe(self) -> Observed:
        """Return all containers and networks of this instance, sorted."""
        with self._verb("observe", self.instance, mutating=False):
            containers = [b.observed(spec) for b, spec in self._known()]
            networks = [n for n in self.world.networks.values() if n.instance == self.instance]
        containers.sort(key=lambda c: (c.app, c.container_name))
        networks.sort(key=lambda n: (n.app, n.name))
        return Observed(
            tuple(containers),
            tuple(ObservedNetwork(n.name, n.app, n.interface, n.sealed) for n in networks),
            tuple(
                self.world.rules[key]
                for key in sorted(self.world.rules)
                if key[0] == self.instance
            ),
            self.world.unenforceable,
            unlimited=self.world.unlimited,
        )

    def prepare_image(self, container: ContainerSpec, progress: Callable[[str], None]) -> None:
        """Have the image in the world, pulled or built."""
        with self._verb("prepare_image", container.image):
            if container.build is not None:
                self._build(container, progress)
            else:
                self._pull(container, progress)
                self._recognise(self._chosen(container))

    def ensure_network(self, network: NetworkSpec) -> None:
        """Have the network."""
        with self._verb("ensure_network", network.name):
            new = Owned(network.name, network.app, self.instance)
            new.interface, new.sealed = network.interface, network.sealed
            present = self.world.networks.setdefault(network.name, new)
            if present.instance != self.instance:
                raise DriverRejected(
                    f"cannot use network {network.name}: one of that name is there and is not"
                    " ours; rename or remove it",
                )

    def ensure_volume(self, volume: VolumeSpec) -> None:
        """Have the volume."""
        with self._verb("ensure_volume", volume.name):
            volumes.ensure(self.world, self.instance, volume)

    def create(self, container: ContainerSpec) -> str:
        """Have the container, not started; replaces a half-made one."""
        name = container.container_name
        container = self._chosen(container)
        with self._verb("create", name):
            box = self.world.boxes.get(name)
            if box is not None and box.instance != self.instance:
                raise DriverRejected(
                    f"cannot create {name}: the name is taken by a container that is not ours;"
                    " rename or remove it",
                )
            if box is not None and box.state is not ContainerState.BROKEN:
                return box.ref
            self._check_parts(container)
            secret = {
                key: self.world.secrets.reveal(text) for key, text in container.secret_environment
            }
            image_id = self.world.images[_image_to_run(container)]
            made = Box(
                self.world.next_id(name),
                name,
                self.instance,
                container,
                image_id,
                self.world.clock.now(),
                secret_environment=secret,
                number=self.world.next_number() if container.led else 0,
            )
            self.world.boxes[name] = made
        return made.ref

    def write_files(self, ref: str, container: ContainerSpec) -> None:
        """Have its files in its volumes."""
        with self._verb("write_files", ref):
            box = self._mine(ref)
            if box is None:
                raise DriverConflict(f"cannot write the files of {ref}: it is gone")
            for share in container.shares:
                if not self._runs(share.app, share.container):
                    raise DriverRejected(
                        f"cannot read {share.path} of {share.app}: it does not run",
                    )
            volumes = {m.target: m.source for m in container.mounts}
            for file in container.files:
                place = (volumes.get(file.mount, file.mount), file.path)
                if file.overwrite or place not in self.world.files:
                    self.world.files[place] = self.world.secrets.reveal(file.content)

    def start(self, ref: str, names: Names = ()) -> None:
        """Have it running, with these names known."""
        with self._verb("start", ref):
            box = self._mine(ref)
            if box is None:
                raise DriverConflict(f"cannot start {ref}: it is gone")
            match box.state:
                case ContainerState.RUNNING:
                    return
                case ContainerState.PAUSED:
                    box.state = ContainerState.RUNNING
                case ContainerState.CREATED | ContainerState.EXITED:
                    self.world.set_going(box)
                    box.names = names if box.pid else ()
                case ContainerState.BROKEN | ContainerState.LOST | ContainerState.ENDING:
                    raise DriverConflict(f"cannot start {box.name}: it is {box.state}")

    def drain(self, ref: str, grace: float, stop: Event) -> None:
        """Let clients go within their grace, in no time; who is told to stop does not wait."""
        with self._verb("drain", ref):
            box = self._mine(ref)
            if box is not None and grace > 0 and not stop.is_set():
                box.clients = 0

    def stop(self, ref: str, grace: float) -> None:
        """Have it not running."""
        with self._verb("stop", ref):
            box = self._mine(ref)
            if box is not None and box.state not in _ENDED:
                self.world.cut += box.clients
                box.end(143 if grace > 0 else 137, self.world.clock.now())

    def remove(self, ref: str) -> None:
        """Have it gone. Volumes stay."""
        with self._verb("remove", ref):
            box = self._mine(ref)
            if box is not None:
                self.world.cut += box.clients
                del self.world.boxes[box.name]
                self.world.inventory.forget(box.ref)

    def remove_network(self, name: str) -> None:
        """Have the network gone."""
        with self._verb("remove_network", name):
            network = self.world.networks.get(name)
            if network is None or network.instance != self.instance:
                return
            if any(b.uses(name) for b in self.world.boxes.values()):
                raise DriverConflict(f"cannot remove network {name}: containers still use it")
            del self.world.networks[name]

    def isolate(self, isolation: IsolationSpec) -> None:
        """Have these rules for an app."""
        with self._verb("isolate", isolation.app):
            if self.world.unenforceable:
                why = self.world.unenforceable
                raise DriverRejected(f"cannot isolate apps from each other: {why}")
            if isolation.lead is not None:
                leading.check(self.world, self.instance, isolation.app, isolation.lead)
            self.world.rules[self.instance, isolation.app] = isolation

    def forget_isolation(self, app: str) -> None:
        """Have no rules for an app."""
        with self._verb("forget_isolation", app):
            self.world.rules.pop((self.instance, app), None)

    def write_names(self, ref: str, names: Names) -> None:
        """Have a running container know exactly these names."""
        with self._verb("write_names", ref):
            box = self._mine(ref)
            if box is not None and box.state is ContainerState.RUNNING:
                box.names = names

    def attach(self, ref: str, container: ContainerSpec) -> None:
        """Have it in its app's network."""
        with self._verb("attach", ref):
            box = self._mine(ref)
            if box is not None and box.networks is not None and container.network:
                box.networks = tuple(sorted({*box.networks, container.network}))

    def detach(self, ref: str, network: str) -> None:
        """Have it not in a network."""
        with self._verb("detach", ref):
            box = self._mine(ref)
            if box is not None and box.networks is not None:
                box.networks = tuple(n for n in box.networks if n != network)

    def set_limits(self, ref: str, container: ContainerSpec) -> None:
        """Have its limits enforced."""
        with self._verb("set_limits", ref):
            box = self._mine(ref)
            if box is not None:
                box.limits = container.resources

    def probe(self, container: ObservedContainer, check: HealthCheck) -> ProbeResult:
        """Answer as was arranged; never raises."""
        self.world.let_time_pass()
        with self.world.lock:
            box = self._mine(container.ref)
            if box is None or box.state is not ContainerState.RUNNING:
                return ProbeResult(False, f"{check.kind} check: the container is not running")
            answer = self.world.answer(box)
        return ProbeResult(answer.ok, answer.message)

    def reach(self, ref: str, targets: tuple[Target, ...]) -> tuple[Reach, ...]:
        """Answer by the rules that are in force."""
        with self._verb("reach", ref, mutating=False):
            box = self._mine(ref)
            if box is None or box.state is not ContainerState.RUNNING:
                raise DriverConflict(f"cannot try what {ref} reaches: it does not run")
            return tuple(reaching.reach(self.world, box, target) for target in targets)

    def examine(self, names: tuple[str, ...]) -> tuple[ContainerFacts, ...]:
        """Return what can be seen of containers of anybody."""
        with self._verb("examine", ", ".join(names), mutating=False):
            boxes = [b for b in self.world.boxes.values() if {b.name, b.ref} & {*names}]
            return tuple(strangers.facts_of(b) for b in sorted(boxes, key=lambda b: b.name))

    def volume_usage(self, name: str, stop: Event) -> int | None:
        """Return what was put into the volume."""
        with self._verb("volume_usage", name, mutating=False):
            found = volumes.usage(self.world, self.instance, name)
            return None if stop.is_set() else found

    def volumes(self) -> tuple[ObservedVolume, ...]:
        """Return all volumes of this instance, and those that are only named so."""
        with self._verb("volumes", self.instance, mutating=False):
            return volumes.observed(self.world, self.instance)

    def volume_users(self, name: str) -> tuple[str, ...]:
        """Return who mounts the volume."""
        with self._verb("volume_users", name, mutating=False):
            return volumes.users(self.world, name)

    def remove_volume(self, name: str) -> None:
        """Have the volume gone, with what is in it."""
        with self._verb("remove_volume", name):
            volumes.remove(self.world, self.instance, name)
            self.world.inventory.forget(name)

    def logs(self, ref: str, *, tail: int | None, follow: bool) -> Iterator[str]:
        """Yield lines that the container printed."""
        with self._verb("logs", ref, mutating=False):
            box = self._mine(ref)
            if box is None:
                raise DriverConflict(f"cannot read the log of {ref}: it is gone")
            first = max(0, len(box.lines) - tail) if tail is not None else 0
        return self._lines(box, first, follow=follow)

    def subscribe(self, wake: Wake) -> Subscription:
        """Wake on each change of the world."""
        return self.world.subscribe(wake)

    def _lines(self, box: Box, at: int, *, follow: bool) -> Iterator[str]:
        while True:
            self.world.let_time_pass()
            with self.world.lock:
                lines = box.lines[at:]
                ended = box.pid == 0 or box.name not in self.world.boxes
                if not lines and follow and not ended:
                    self.world.lock.wait(0.05)
            yield from lines
            at += len(lines)
            if not lines and (ended or not follow):
                return

    @contextmanager
    def _verb(self, verb: str, subject: str, *, mutating: bool = True) -> Generator[None]:
        self.world.begin(verb, subject, mutating=mutating)
        if mutating:
            with self.world.changing():
                yield
        else:
            with self.world.lock:
                yield
        self.world.finish(verb, subject)

    def _ours(self) -> list[Box]:
        adopted = strangers.adopted(self.world)
        return [*(b for b in self.world.boxes.values() if b.instance == self.instance), *adopted]

    def _known(self) -> list[tuple[Box, ContainerSpec]]:
        """Return ours with the specs that their labels, or the inventory, tell of."""
        known = self.world.inventory.adoptions().containers
        specs = [
            (b, strangers.as_adopted(known[b.ref], b) if b.ref in known else b.spec)
            for b in self._ours()
        ]
        return [(box, spec) for box, spec in specs if spec is not None]

    def _runs(self, app: str, container: str) -> bool:
        return any(
            (spec.app, spec.name, box.state) == (app, container, ContainerState.RUNNING)
            for box, spec in self._known()
        )

    def _mine(self, ref: str) -> Box | None:
        return next((b for b in self._ours() if ref in {b.ref, b.name}), None)

    def _check_parts(self, container: ContainerSpec) -> None:
        name = container.container_name
        if _image_to_run(container) not in self.world.images:
            raise DriverRejected(
                f"cannot create {name}: the image {container.image} is not here; pull it first",
            )
        if container.apparmor_profile not in {"default", "unconfined"}:
            wanted = container.apparmor_profile
            raise DriverRejected(
                f"cannot create {name}: its manifest wants the AppArmor profile `{wanted}`, and"
                " this kernel has no AppArmor; write `default`, which does what can be done"
            )
        self._recognise(container)
        if container.network is not None and container.network not in self.world.networks:
            raise DriverConflict(f"cannot create {name}: network {container.network} is gone")

    def _recognise(self, container: ContainerSpec) -> None:
        name = _image_to_run(container)
        certain = container.build is not None or parse_image_reference(name).digest is not None
        if not container.guarded or not certain:
            return
        found = self.world.images[name]
        if self.world.ledger.recognised(name, found) != found:
            raise DriverRejected(
                f"cannot create {container.container_name}: the image {container.image} is not the"
                " one that was prepared under this name",
            )

    def _pull(self, container: ContainerSpec, progress: Callable[[str], None]) -> None:
        reference = parse_image_reference(container.image)
        world, policy = self.world, container.pull_policy
        if container.guarded and reference.is_local:
            policy = PullPolicy.NEVER
        elif container.guarded and not (container.pin or reference.digest):
            raise DriverRejected(
                f"cannot pull {container.image}: nobody has judged yet what it is"
            )
        certain = container.pin or reference.digest or ""
        name = reference.at(certain) if certain else container.image
        always = policy is PullPolicy.ALWAYS and not container.pin
        if name not in world.images or always:
            if policy is PullPolicy.NEVER:
                raise DriverRejected(
                    f"cannot use the image {name}: it is not here and its pull policy is never",
                )
            progress(f"pulling {container.image}")
            if name not in world.pullable:
                asks = f"; `archipelago update {container.app}` asks anew" if container.pin else ""
                raise DriverRejected(f"cannot pull {name}: there is no such image{asks}")
            world.images[name] = world.pullable[name]
        if not certain and not reference.is_local:
            digest = f"sha256:{world.images[name]}"
            world.images[reference.at(digest)] = world.images[name]
            world.ledger.pin((container.app, container.name), Pin(container.image, digest))

    def _chosen(self, container: ContainerSpec) -> ContainerSpec:
        """Return the container with the image that it is to be made of."""
        reference = parse_image_reference(container.image)
        if reference.is_local:
            return container
        known = self.world.ledger.pins().get((container.app, container.name))
        if not container.pin and known is not None and known.image == container.image:
            return replace(container, pin=known.digest)
        return replace(container, pin=container.pin or reference.digest or "")

    def _build(self, container: ContainerSpec, progress: Callable[[str], None]) -> None:
        build = container.build
        if build is None or container.image in self.world.images:
            return
        progress(f"building {container.image}")
        trouble = self.world.broken_builds.get(build.context)
        if trouble is not None:
            raise DriverRejected(f"cannot build {container.image}: {trouble}")
        self.world.images[container.image] = build.content
        self.world.ledger.recognised(container.image, build.content, made=True)


def _image_to_run(container: ContainerSpec) -> str:
    if not container.pin:
        return container.image
    return parse_image_reference(container.image).at(container.pin)
