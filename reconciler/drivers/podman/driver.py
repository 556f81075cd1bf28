"""The verbs of `ports.Driver`, carried out by Podman."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.drivers.podman import (
    attachment,
    create_request,
    differences,
    draining,
    host,
    leading,
    logs,
    reaching,
    strangers,
    volume_size,
)
from reconciler.drivers.podman.addresses import Addresses
from reconciler.drivers.podman.app_names import AppNames
from reconciler.drivers.podman.apparmor import AppArmor
from reconciler.drivers.podman.belongings import Belongings
from reconciler.drivers.podman.client import Client, ObserveCall, Request
from reconciler.drivers.podman.containers import Containers, Places
from reconciler.drivers.podman.elsewhere import NothingAdopted, Registry
from reconciler.drivers.podman.events import Events
from reconciler.drivers.podman.files import Files
from reconciler.drivers.podman.firewall import Firewall
from reconciler.drivers.podman.foreign_execs import SLACK_SECONDS, ForeignExecs
from reconciler.drivers.podman.images import Deadlines, Images
from reconciler.drivers.podman.listing import Listed
from reconciler.drivers.podman.live_confinement import LiveConfinement
from reconciler.drivers.podman.live_limits import LiveLimits
from reconciler.drivers.podman.liveness import Liveness
from reconciler.drivers.podman.lookup import Lookup
from reconciler.drivers.podman.network_watch import NetworkWatch
from reconciler.drivers.podman.probe import Prober
from reconciler.drivers.podman.process_watch import ProcessWatch
from reconciler.drivers.podman.shares import Shares
from reconciler.drivers.podman.users import users_of
from reconciler.drivers.podman.volumes import Volumes
from reconciler.errors import DriverConflict
from reconciler.model.adoption import ContainerFacts
from reconciler.model.container import ContainerSpec, HealthCheck
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.health import ProbeResult
from reconciler.model.isolation import LAN_RANGES, Egress, IsolationSpec, Names
from reconciler.model.observed import ContainerState, Observed, ObservedContainer
from reconciler.model.trial import Reach, Target
from reconciler.model.volume import ObservedVolume
from reconciler.ports import Inventory, Secrets, Subscription, Wake

_CLOSE_SECONDS = 1.0


def _ignore_call(kind: str, seconds: float, ok: bool) -> None:
    """Measure nothing."""


def _ignore_warning(text: str) -> None:
    """Tell nobody."""


class Hooks(Struct, frozen=True):
    """
    Who is told what.

    `observe_call` gets every call's kind, seconds and whether it went well; `warn` what Podman
    warns of; `pin_bridge` the interface of a network in which a container was started.
    """

    observe_call: ObserveCall = _ignore_call
    warn: Callable[[str], None] = _ignore_warning
    pin_bridge: Callable[[str], object] = host.pin_bridge_address


class Settings(Struct, frozen=True):
    """Where directories, copies and images are, what was adopted, and what the network is."""

    data_dir: Path = Path("/var/lib/archipelago")
    shares_dir: Path = Path("/var/lib/archipelago/shares")
    profiles_dir: Path = Path("/var/lib/archipelago/apparmor")
    deadlines: Deadlines = field(default_factory=Deadlines)
    registry: Registry = field(default_factory=Registry)
    inventory: Inventory = field(default_factory=NothingAdopted)
    lan: tuple[str, ...] = LAN_RANGES
    quiet: float = SLACK_SECONDS  # in which commands in containers may be those of another loop


class PodmanDriver:
    """Podman, through the service that listens at `socket_path`. Implements `ports.Driver`."""

    def __init__(
        self,
        instance: str,
        socket_path: Path,
        *,
        secrets: Secrets,
        settings: Settings | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        settings, hooks = settings or Settings(), hooks or Hooks()
        self._instance = instance
        self._hooks = hooks
        self._liveness = Liveness()
        self._client = Client(socket_path, hooks.observe_call)
        self._inventory = settings.inventory
        self._belongings = Belongings(self._client, instance, settings.inventory)
        self._volumes = Volumes(self._client, instance, settings.inventory)
        self._images = Images(self._client, instance, settings.deadlines, settings.registry)
        self._lookup = Lookup(self._client, instance, self._liveness, settings.inventory)
        users = users_of(instance, rootful=self._liveness.rootful)
        shares = Shares(self._client, self._lookup, settings.shares_dir, users)
        self._names = AppNames(self._client)
        self._addresses = Addresses()
        self._limits = LiveLimits(rootful=self._liveness.rootful)
        self._confinement = LiveConfinement()
        self._firewall = Firewall(instance, settings.lan)
        apparmor = AppArmor(settings.profiles_dir, hooks.warn, rootful=self._liveness.rootful)
        given = (settings.data_dir, shares, secrets, self._belongings, self._names)
        places = Places(*given, apparmor, users)
        self._containers = Containers(self._client, self._lookup, instance, places, hooks.warn)
        self._files = Files(self._client, self._lookup, secrets, shares)
        self._execs = ForeignExecs(settings.quiet)
        self._prober = Prober(self._client, self._liveness, self._execs)
        self._lock = threading.Lock()
        self._subscribed: list[_Subscribed] = []
        self._apps: dict[str, str] = {}

    def observe(self) -> Observed:
        """Return all containers and networks of this instance, sorted."""
        found = self._lookup.all()
        # After the containers: what was seen to run got its rules before that.
        isolation, unenforceable = self._firewall.observe()
        connected = {i.app for i in isolation if i.passages or i.egress is Egress.NONE}
        containers = [self._reached(listed, connected) for listed in found]
        self._apps = {c.ref: c.app for c in containers}
        known = frozenset(self._apps)
        self._addresses.forget(known)
        self._names.forget(known)
        self._limits.forget(known)
        self._confinement.forget(known)
        self._execs.forget(known)
        networks = self._belongings.networks()
        running = {c.ref: c.pid for c in containers if c.state is ContainerState.RUNNING}
        with self._lock:
            subscribed = tuple(self._subscribed)
        for each in subscribed:
            each.processes.watch(running)
        return Observed(
            tuple(sorted(containers, key=lambda c: (c.app, c.container_name))),
            tuple(sorted(networks, key=lambda n: (n.app, n.name))),
            isolation,
            unenforceable,
            unlimited=self._limits.unlimited,
        )

    def app_of(self, ref: str) -> str:
        """Return whose a container was when they were looked at last, or nothing."""
        return self._apps.get(ref, "")

    def _reached(self, listed: Listed, connected: set[str]) -> ObservedContainer:
        """Return a running container with its limits, its address, and names where it has some."""
        container = replace(listed.container, exec_at=self._execs.last(listed.ref))
        if container.state is not ContainerState.RUNNING:
            return container
        limits, hits = self._limits.of(container)
        confinement = self._confinement.of(container)
        container = replace(container, limits=limits, hits=hits, confinement=confinement)
        if not container.networks:
            return container
        names = self._names.read(listed) if container.app in connected else None
        return replace(container, address=self._addresses.of(container), names=names)

    def prepare_image(self, container: ContainerSpec, progress: Callable[[str], None]) -> None:
        """Have the image on the box, pulled or built."""
        self._images.prepare(container, progress)

    def ensure_network(self, network: NetworkSpec) -> None:
        """Have the network."""
        self._belongings.ensure_network(network)

    def ensure_volume(self, volume: VolumeSpec) -> None:
        """Have the volume."""
        self._belongings.ensure_volume(volume)

    def create(self, container: ContainerSpec) -> str:
        """Have the container, not started."""
        chosen = self._images.chosen(container)
        return self._containers.create(chosen, self._images.to_run(chosen))

    def write_files(self, ref: str, container: ContainerSpec) -> None:
        """Have its files in its volumes."""
        self._files.write(ref, container)

    def start(self, ref: str, names: Names = ()) -> None:
        """Have it running, with these names known."""
        self._pin(self._containers.start(ref, names))

    def drain(self, ref: str, grace: float, stop: threading.Event) -> None:
        """Let the connections to it end."""
        listed = self._lookup.find(ref)
        if listed is not None and listed.container.state is ContainerState.RUNNING:
            draining.drain(listed.container.pid, grace, stop)

    def stop(self, ref: str, grace: float) -> None:
        """Have it not running."""
        self._containers.stop(ref, grace)

    def remove(self, ref: str) -> None:
        """Have it gone."""
        removed = self._containers.remove(ref)
        if removed:
            self._inventory.forget(removed)

    def remove_network(self, name: str) -> None:
        """Have the network gone."""
        self._belongings.remove_network(name)

    def isolate(self, isolation: IsolationSpec) -> None:
        """Have these rules for an app."""
        if isolation.lead is not None and not self._firewall.leads(isolation):
            own = [c.container.pid for c in self._lookup.all() if c.container.app == isolation.app]
            leading.refuse_if_taken(isolation.app, isolation.lead, own)
        self._firewall.isolate(isolation)

    def forget_isolation(self, app: str) -> None:
        """Have no rules for an app."""
        self._firewall.forget(app)

    def write_names(self, ref: str, names: Names) -> None:
        """Have a running container know exactly these names."""
        listed = self._lookup.find(ref)
        if listed is not None and listed.container.state is ContainerState.RUNNING:
            self._names.write(listed, names)

    def attach(self, ref: str, container: ContainerSpec) -> None:
        """Have it in its app's network."""
        listed = self._lookup.find(ref)
        if listed is not None and container.network is not None:
            place = attachment.place(container)
            address = self._belongings.address(container.network, place)
            attachment.attach(self._client, listed, container, address)

    def detach(self, ref: str, network: str) -> None:
        """Have it not in a network."""
        listed = self._lookup.find(ref)
        if listed is not None:
            attachment.detach(self._client, listed, network)

    def set_limits(self, ref: str, container: ContainerSpec) -> None:
        """Have its limits enforced."""
        listed = self._lookup.find(ref)
        if listed is None:
            return
        self._limits.read_again(listed.ref)
        body = create_request.limits(container.resources) | differences.KEEP_UNCHECKED
        what, path = f"limit {listed.name}", f"/containers/{listed.ref}/update"
        self._client.call(Request("update_container", what, "POST", path, body=body))

    def probe(self, container: ObservedContainer, check: HealthCheck) -> ProbeResult:
        """Ask whether it is well; never raises."""
        return self._prober.probe(container, check)

    def reach(self, ref: str, targets: tuple[Target, ...]) -> tuple[Reach, ...]:
        """Try connections from inside a running container."""
        listed = self._lookup.find(ref)
        if listed is None:
            raise DriverConflict(f"cannot try what {ref} reaches: it is gone")
        return reaching.reach(self._liveness, listed.container, targets)

    def examine(self, names: tuple[str, ...]) -> tuple[ContainerFacts, ...]:
        """Return what can be seen of containers of anybody."""
        return strangers.examine(self._client, self._lookup, names)

    def volume_usage(self, name: str, stop: threading.Event) -> int | None:
        """Return how many bytes the volume takes on its disk."""
        place = self._belongings.volume_place(name)
        if not place:
            return None
        return volume_size.allocated(place, stop, rootful=self._liveness.rootful)

    def volumes(self) -> tuple[ObservedVolume, ...]:
        """Return all volumes of this instance, and those that are only named so."""
        return self._volumes.all()

    def volume_users(self, name: str) -> tuple[str, ...]:
        """Return who mounts the volume."""
        return self._volumes.users(name)

    def remove_volume(self, name: str) -> None:
        """Have the volume gone, and the data in it."""
        self._volumes.remove(name)
        self._inventory.forget(name)

    def logs(self, ref: str, *, tail: int | None, follow: bool) -> Iterator[str]:
        """Yield the lines that it printed. The iterator can be closed from any thread."""
        listed = self._lookup.find(ref)
        if listed is None:
            raise DriverConflict(f"cannot read the log of {ref}: it is gone")
        return logs.read(self._client, listed, tail=tail, follow=follow)

    def subscribe(self, wake: Wake) -> Subscription:
        """Wake on Podman's events, and at once when a process ends."""
        events = partial(Events, self._client, self._instance, execs=self._execs)
        subscribed = _Subscribed(events, self._liveness, wake, self._forget)
        if subscribed.network is not None:
            self._firewall.tell_changes(subscribed.network.changed)
        with self._lock:
            self._subscribed.append(subscribed)
        return subscribed

    def _forget(self, subscribed: "_Subscribed") -> None:
        with self._lock:
            if subscribed in self._subscribed:
                self._subscribed.remove(subscribed)

    def _pin(self, listed: Listed) -> None:
        """Where no udevd keeps a bridge's address, keep it: its first start made the bridge."""
        for network in listed.container.networks:
            interface = self._belongings.interface(network)
            if interface:
                self._hooks.pin_bridge(interface)


class _Subscribed:
    """Both ways of hearing that something happened, as one subscription."""

    def __init__(
        self,
        events: Callable[[Wake], Events],
        liveness: Liveness,
        wake: Wake,
        forget: Callable[["_Subscribed"], None],
    ) -> None:
        self._wake = wake
        self._forget = forget
        self._lock = threading.RLock()
        self._open = True
        self.processes = ProcessWatch(liveness, self._pass_on)
        self._events = events(self._pass_on)
        self.network: NetworkWatch | None = None
        with suppress(OSError):
            self.network = NetworkWatch(self._pass_on)

    def close(self) -> None:
        """Stop; no wake-up comes after this returns."""
        self._forget(self)
        self._open = False
        # One under way is waited for; but it may itself wait for the one that is closing this.
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            self._lock.release()
        self._events.close()
        self.processes.close()
        if self.network is not None:
            self.network.close()

    def _pass_on(self) -> None:
        with self._lock:
            if self._open:
                self._wake()
