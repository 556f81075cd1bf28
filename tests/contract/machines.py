"""
The two machines on which the contract of a driver is tested, behind one set of hands.

A machine makes drivers, describes containers that behave in a certain way, and does to the world
what only a test may do. Nothing here is a test.
"""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from reconciler.drivers.memory import MemoryDriver, World
from reconciler.drivers.memory.leading import answering
from reconciler.drivers.podman.create_request import container_labels, create_request
from reconciler.drivers.podman.driver import PodmanDriver, Settings
from reconciler.drivers.podman.elsewhere import Registry
from reconciler.model import labels
from reconciler.model.confinement import Confinement
from reconciler.model.container import ContainerSpec, HealthCheck, HealthKind
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.observed import ContainerState, Hits
from reconciler.registry.ledger import FileLedger
from reconciler.security.inventory import InventoryFile
from reconciler.security.secrets import SecretFiles

DIGEST = "0123456789abcdef" * 4
PORT = 8080
CONFINED = Confinement()
_numbers = itertools.count(1)


def until(condition, seconds=10.0):
    """Wait until a condition holds, and return what it returned last."""
    ends = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < ends:
        time.sleep(0.005)
    return found


class RealClock:
    """The machine's own time."""

    def now(self):
        return datetime.now(UTC)

    def monotonic(self):
        return time.monotonic()


@dataclass
class Wakes:
    """Counts wake-ups, and lets a test wait for the next one."""

    moments: list = field(default_factory=list)
    condition: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self):
        with self.condition:
            self.moments.append(time.monotonic())
            self.condition.notify_all()

    def quiet(self, seconds=0.4):
        """Wait until nothing has come for a while, and forget what came."""
        with self.condition:
            while self.condition.wait(seconds):
                pass
            self.moments.clear()

    def came(self, seconds=5.0):
        """Say whether one came since the last quiet."""
        with self.condition:
            return self.condition.wait_for(lambda: bool(self.moments), seconds)


class Machine:
    """What both machines have in common."""

    def __init__(self):
        self.instance = f"t{os.getpid()}n{next(_numbers)}"
        self.app = "notes"
        self.driver = self.make_driver(self.instance)

    @property
    def network(self):
        return NetworkSpec(f"{self.instance}-net", self.app, f"{self.instance}"[-15:])

    @property
    def volume(self):
        return VolumeSpec(f"{self.instance}-data", self.app)

    def spec(self, name="web", **changes):
        """A container that runs until it is stopped."""
        plain = ContainerSpec(
            app=self.app,
            name=name,
            container_name=f"{self.instance}-{self.app}-{name}",
            digest=DIGEST,
            image=self.image,
            command=("busybox", "sleep", "1000"),
        )
        return replace(plain, **changes)

    def script(self, text, name="web", **changes):
        return self.spec(name, command=("busybox", "sh", "-c", text), **changes)

    def made(self, spec):
        """Have the container, not started, and return it as observed."""
        self.driver.create(spec)
        return self.see(spec)

    def running(self, spec):
        """Have the container running, and return it as observed."""
        self.driver.create(spec)
        self.driver.start(spec.container_name)
        return self.see(spec)

    def see(self, spec):
        """Return the container as observed; None where it is not there."""
        found = self.driver.observe().containers
        return next((c for c in found if c.container_name == spec.container_name), None)

    def state(self, spec):
        found = self.see(spec)
        return found and found.state

    def becomes(self, spec, state, seconds=10.0):
        return until(lambda: self.state(spec) is state, seconds)

    def probe(self, spec, **check):
        wanted = {"kind": HealthKind.TCP, "port": PORT, "timeout": 5.0} | check
        return self.driver.probe(self.see(spec), HealthCheck(**wanted))


class MemoryMachine(Machine):
    """A world of memory."""

    image = "localhost/test/busybox:1"
    kind = "memory"

    def __init__(self):
        self.world = World(RealClock())
        self.world.publish(self.image)
        self.secrets = self.world.secrets
        self.ledger = self.world.ledger
        super().__init__()
        self.driver.prepare_image(self.spec(), lambda _: None)

    def make_driver(self, instance):
        return MemoryDriver(instance, RealClock(), self.world)

    def close(self):
        pass

    def loaded(self, name):
        """Have an image of a registry on the box, and return its reference."""
        image = f"registry.example/{self.instance}/{name}:1"
        self.world.publish(image)
        self.world.images[image] = self.world.pullable[image]
        return image

    def content(self, spec, mount, path):
        """Return what a file in a volume of the container says."""
        volumes = {m.target: m.source for m in spec.mounts}
        return self.world.files.get((volumes[mount], path))

    def fill(self, volume, path, size):
        """Write a file of that size into a volume."""
        self.world.write_by_hand(volume, path, "x" * size)

    def variable(self, spec, key):
        box = self.world.boxes[spec.container_name]
        return {**dict(spec.environment), **box.secret_environment}[key]

    def exiting(self, code, name="web", after=0.0, **changes):
        spec = self.spec(name, **changes)
        self.world.exits(spec.container_name, code, after=after)
        return spec

    def printing(self, *lines, name="web", then_ends=True):
        spec = self.spec(name)
        self.world.prints(spec.container_name, *lines)
        if then_ends:
            self.world.exits(spec.container_name, 0, after=0.2)
        return spec

    def serving(self, name="web", **changes):
        return self.spec(name, **changes)

    def answering(self, port, address="127.0.0.1"):
        """Return who answers at a port of the machine, by the name of the container."""
        found = answering(self.world, port)
        return found.name if found else ""

    def client(self, spec, port):
        """Be connected to a container for a while."""
        self.world.connect(spec.container_name)
        return contextlib.nullcontext()

    def connected(self, spec):
        return self.world.box(spec.container_name).clients

    def answers(self, spec, *, ok, message):
        self.world.set_health(spec.container_name, ok, message)

    def kill(self, spec):
        self.world.kill(spec.container_name, 137)

    def lose(self, spec):
        self.world.lose(spec.container_name)

    def pause(self, spec):
        self.world.set_state(spec.container_name, ContainerState.PAUSED)

    def half_make(self, spec):
        self.driver.create(spec)
        self.world.set_state(spec.container_name, ContainerState.BROKEN)

    def flush_rules(self):
        self.world.flush_rules()

    def connect_by_hand(self, spec, network):
        self.world.attach_by_hand(spec.container_name, *sorted((spec.network, network)))

    def disconnect_by_hand(self, spec, network):
        self.world.attach_by_hand(spec.container_name)

    def limit_by_hand(self, spec, limits):
        self.world.limit_by_hand(spec.container_name, limits)

    def widen_by_hand(self, spec, *capabilities):
        """Put a container in its place that looks like ours, and may do more."""
        wide = replace(CONFINED, capabilities=tuple(sorted(capabilities)))
        self.world.confine_by_hand(spec.container_name, wide)

    def exec_by_hand(self, spec):
        self.world.exec_by_hand(spec.container_name)

    def overreach(self, spec, *, memory=False):
        """Let it ask the kernel for more than it may."""
        self.world.hit(spec.container_name, Hits(memory=1) if memory else Hits(pids=1))

    def remove_by_hand(self, spec):
        self.world.remove_by_hand(spec.container_name)

    def adopt(self, adoptions):
        self.world.inventory.adopt(adoptions)

    def add_container_like(self, spec, name):
        """Make what a spec asks for by hand, without our labels; return its id."""
        self.world.add_foreign_container(name, like=spec)
        return self.world.box(name).ref

    def add_foreign_container(self, name, instance="", volume=None):
        self.world.add_foreign_container(name, instance, (volume,) if volume else ())

    def add_foreign_network(self, name):
        self.world.add_foreign_network(name)

    def add_foreign_volume(self, name):
        self.world.add_foreign_volume(name)

    def has_container(self, name):
        return name in self.world.boxes

    def has_network(self, name):
        return name in self.world.networks

    def has_volume(self, name):
        return name in self.world.volumes

    def has_image(self, name):
        return name in self.world.images

    def end_service(self):
        self.world.available = False

    def begin_service(self):
        self.world.available = True
        self.world.wake()


class PodmanMachine(Machine):
    """The Podman of the test's own world. With no socket given: a service that a test may kill."""

    kind = "podman"

    def __init__(self, image, directory, socket=None):
        self.image = image
        self.directory = directory
        self.secrets = SecretFiles(directory / "secrets")
        self.ledger = FileLedger(directory / "images" / "images.json")
        self.inventory = InventoryFile(directory / "adopted" / "inventory.json")
        self.socket = socket or directory / "podman.sock"
        self.process = None
        self.tagged = []
        self.clients = {}
        if socket is None:
            self.begin_service()
        super().__init__()

    def make_driver(self, instance):
        settings = Settings(
            data_dir=self.directory,
            shares_dir=self.directory / "shares",
            profiles_dir=self.directory / "apparmor",
            registry=Registry(self.ledger),
            inventory=self.inventory,
            quiet=0.0,  # no other loop was here
        )
        return PodmanDriver(instance, self.socket, secrets=self.secrets, settings=settings)

    def begin_service(self):
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{self.socket}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert until(self._answers), "Podman's service did not start"

    def _answers(self):
        asked = ["curl", "-s", "--unix-socket", str(self.socket), "http://d/_ping"]
        return subprocess.run(asked, capture_output=True, check=False).stdout == b"OK"

    def end_service(self, how=signal.SIGKILL):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)

    def close(self):
        """Remove what carries a test's instance or name, and end the service."""
        names = podman("ps", "-a", "--format", "{{.Names}}").split()
        ours = [n for n in names if n.startswith(self.instance)]
        if ours:
            podman("rm", "--force", "--time", "0", *ours, check=False)
        for kind in ("network", "volume"):
            listed = podman(kind, "ls", "--format", "{{.Name}}").split()
            mine = [n for n in listed if n.startswith(self.instance)]
            if mine:
                podman(kind, "rm", *mine, check=False)
        if self.tagged:
            podman("untag", self.image, *self.tagged, check=False)
        self.end_service(signal.SIGTERM)

    def loaded(self, name):
        image = f"registry.example/{self.instance}/{name}:1"
        podman("tag", self.image, image)
        self.tagged.append(image)
        return image

    def content(self, spec, mount, path):
        volume = next(m.source for m in spec.mounts if m.target == mount)
        where = podman("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip()
        file = Path(where) / path
        return file.read_text() if file.exists() else None

    def fill(self, volume, path, size):
        where = podman("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip()
        (Path(where) / path).write_bytes(b"x" * size)

    def variable(self, spec, key):
        return podman("exec", spec.container_name, "busybox", "sh", "-c", f'echo "${key}"')[:-1]

    def exiting(self, code, name="web", after=0.0, **changes):
        return self.script(f"busybox sleep {after}; exit {code}", name, **changes)

    def printing(self, *lines, name="web", then_ends=True):
        text = "".join(f"echo '{line}';" for line in lines)
        end = "busybox sleep 0.2" if then_ends else "exec busybox sleep 1000"
        return self.script(text + end, name)

    def serving(self, name="web", **changes):
        told = changes.get("container_name", name)
        text = f"cd /tmp; echo well > index.html; echo {told} > name;"
        text += f" exec busybox httpd -f -p {PORT} -h /tmp"
        return self.script(text, name, readonly_root=True, **changes)

    def answering(self, port, address="127.0.0.1"):
        asked = http.client.HTTPConnection(address, port, timeout=5)
        try:
            asked.request("GET", "/name")
            return asked.getresponse().read().decode().strip()
        except ConnectionError:
            return ""
        finally:
            asked.close()

    @contextlib.contextmanager
    def client(self, spec, port):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as made:
            self.clients[spec.container_name] = made
            yield made

    def connected(self, spec):
        """What it says arrives, as long as it is connected."""
        made = self.clients[spec.container_name]
        try:
            made.sendall(b"GET /name HTTP/1.0\r\n\r\n")
            return int(made.recv(100).startswith(b"HTTP/1"))
        except OSError:
            return 0

    def answers(self, spec, *, ok, message):
        """A real container answers for itself."""

    def kill(self, spec):
        os.kill(self.see(spec).pid, signal.SIGKILL)

    def lose(self, spec):
        inspected = self.inspect(spec.container_name)
        os.kill(inspected["State"]["ConmonPid"], signal.SIGKILL)
        os.kill(inspected["State"]["Pid"], signal.SIGKILL)

    def pause(self, spec):
        podman("pause", spec.container_name)

    def half_make(self, spec):
        """Initialised and then abandoned, as a service that is killed in a start leaves it."""
        self.driver.create(spec)
        podman("init", spec.container_name)
        self.lose(spec)

    def connect_by_hand(self, spec, network):
        podman("network", "connect", network, spec.container_name)

    def disconnect_by_hand(self, spec, network):
        podman("network", "disconnect", network, spec.container_name)

    def limit_by_hand(self, spec, limits):
        given = ("--cpus", limits.cpu, "--memory", limits.memory)
        podman("update", *map(str, given), "--memory-swap", "-1", spec.container_name)

    def flush_rules(self):
        table = f"archipelago-{self.instance}"
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)

    def widen_by_hand(self, spec, *capabilities):
        self.remove_by_hand(spec)
        marks = [f"--label={k}={v}" for k, v in container_labels(spec, self.instance).items()]
        added = [f"--cap-add={name}" for name in capabilities]
        given = ("--cap-drop=ALL", *added, "--security-opt=no-new-privileges")
        name = ("--detach", "--name", spec.container_name, "--cgroupns=private")
        podman("run", *name, *given, *marks, self.image, *spec.command)

    def exec_by_hand(self, spec):
        podman("exec", spec.container_name, "busybox", "true")

    def overreach(self, spec, *, memory=False):
        """Let it ask the kernel for more than it may; who looks for the first time sees that."""
        greedy = "for i in 1 2 3 4 5 6 7 8 9; do busybox sleep 1 & done; wait"
        if memory:
            greedy = "busybox dd if=/dev/zero of=/dev/null bs=64M count=1"
        podman("exec", spec.container_name, "busybox", "sh", "-c", greedy, check=False)
        self.driver = self.make_driver(self.instance)

    def remove_by_hand(self, spec):
        ends = time.monotonic() + 10  # what it had mounted may be busy for a moment
        while time.monotonic() < ends:
            podman("rm", "--force", "--time", "0", spec.container_name, check=False)
            if not podman("ps", "-aq", "--filter", f"name=^{spec.container_name}$"):
                return
            time.sleep(0.2)
        podman("rm", "--force", "--time", "0", spec.container_name)

    def adopt(self, adoptions):
        self.inventory.adopt(adoptions)

    def add_container_like(self, spec, name):
        body = create_request(spec, self.instance) | {"name": name, "labels": {}}
        asked = ["curl", "-s", "--unix-socket", str(self.socket), "--data", json.dumps(body)]
        place = "http://d/v4.0.0/libpod/containers/create"
        asked += ["-H", "Content-Type: application/json", place]
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        podman("start", name)
        return json.loads(done.stdout)["Id"]

    def add_foreign_container(self, name, instance="", volume=None):
        mounts = ("--volume", f"{volume}:/data") if volume else ()
        marks = self._marks(instance)
        podman("create", "--name", name, *marks, *mounts, self.image, "busybox", "true")

    def add_foreign_network(self, name):
        podman("network", "create", name)

    def add_foreign_volume(self, name):
        podman("volume", "create", name)

    def has_container(self, name):
        return self._exists("container", name)

    def has_network(self, name):
        return self._exists("network", name)

    def has_volume(self, name):
        return self._exists("volume", name)

    def has_image(self, name):
        return self._exists("image", name)

    def inspect(self, name):
        return json.loads(podman("inspect", name))[0]

    @staticmethod
    def _marks(instance):
        return ("--label", f"{labels.INSTANCE}={instance}") if instance else ()

    @staticmethod
    def _exists(kind, name):
        command = ["podman", kind, "exists", name]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def podman(*arguments, check=True):
    """Run a command of Podman's and return its output."""
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def context(directory: Path, *lines):
    """Write a build context with a Containerfile."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Containerfile").write_text("\n".join(("FROM scratch", *lines, "")))
    (directory / "hello.txt").write_text("hello\n")
    return directory
