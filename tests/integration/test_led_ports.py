"""Who reaches a port that is led, from where: this machine, another one, and other apps."""

import subprocess
import sys
import threading
import time

import pytest
from contract.machines import PORT, PodmanMachine, until
from msgspec.structs import replace

from reconciler.model.container import NetworkPolicy, PortSpec
from reconciler.model.desired import NetworkSpec
from reconciler.model.isolation import IsolationSpec, Lead
from reconciler.model.trial import MACHINE, Reach, Target

pytestmark = pytest.mark.podman

HOST = 28440
HERE, THERE = "10.77.0.1", "10.77.0.2"
ASK = f"""
import http.client, sys
asked = http.client.HTTPConnection(sys.argv[1], {HOST}, timeout=2)
asked.request("GET", "/name")
print(asked.getresponse().read().decode().strip())
"""


@pytest.fixture
def machine(busybox_image, podman_socket, tmp_path):
    made = PodmanMachine(busybox_image, tmp_path, podman_socket)
    yield made
    for each in ("notes", "db"):
        made.driver.forget_isolation(each)
    made.close()


@pytest.fixture
def outside():
    """Another machine on a cable of ours, which may even ask for our loopback's address."""
    other = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    names = f"/proc/{other.pid}/ns/net"
    ours = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, check=True)

    def moved():
        told = subprocess.run(["readlink", names], capture_output=True, check=False)
        return told.stdout and told.stdout != ours.stdout

    assert until(moved)
    within = ["nsenter", f"--net={names}"]
    for line in (
        f"ip link add led0 type veth peer name led1 netns {other.pid}",
        f"ip addr add {HERE}/24 dev led0",
        "ip link set led0 up",
        f"{' '.join(within)} ip addr add {THERE}/24 dev led1",
        f"{' '.join(within)} ip link set led1 up",
        f"{' '.join(within)} ip route add default via {HERE}",
        f"{' '.join(within)} ip route add 127.0.0.1/32 via {HERE} src {THERE}",
    ):
        subprocess.run(line.split(), check=True)
    setting = "echo 1 > /proc/sys/net/ipv4/conf/led1/route_localnet"
    subprocess.run([*within, "sh", "-c", setting], check=True)

    def ask(address):
        asked = [*within, sys.executable, "-c", ASK, address]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()

    yield ask
    subprocess.run(["ip", "link", "del", "led0"], check=True)
    other.kill()
    other.wait()


def led(machine, bind):
    """A container that serves, and to which the port leads."""
    machine.driver.ensure_network(machine.network)
    spec = machine.serving(
        network=machine.network.name,
        network_policy=NetworkPolicy.ISOLATED,
        ports=(PortSpec(HOST, PORT, bind=bind),),
        led=True,
    )
    machine.running(spec)
    assert until(lambda: machine.probe(spec).ok)
    isolate(machine, spec, bind)
    return spec


def isolate(machine, spec, bind):
    seen = machine.see(spec)
    lead = Lead(seen.ref, bind, HOST, seen.address, PORT)
    machine.driver.isolate(IsolationSpec("notes", machine.network.interface, lead=lead))


@pytest.mark.parametrize(
    ("bind", "here", "out"),
    [
        ("0.0.0.0", {"127.0.0.1", "127.0.0.2", HERE}, {HERE}),
        (HERE, {HERE}, {HERE}),
        ("127.0.0.1", {"127.0.0.1"}, set()),
    ],
)
def test_a_port_is_led_at_the_address_at_which_it_is_bound(machine, outside, bind, here, out):
    spec = led(machine, bind)
    name = spec.name
    asked = ("127.0.0.1", "127.0.0.2", HERE)
    assert {a for a in asked if machine.answering(HOST, a) == name} == here
    assert {a for a in (HERE, "127.0.0.1") if outside(a) == name} == out


def test_no_app_is_led_to_another_one(machine):
    spec = led(machine, "0.0.0.0")
    network = NetworkSpec(f"{machine.instance}-db", "db", f"{machine.instance[-10:]}-db")
    machine.driver.ensure_network(network)
    other = machine.spec(
        "db", app="db", network=network.name, network_policy=NetworkPolicy.ISOLATED
    )
    machine.running(other)
    machine.driver.isolate(IsolationSpec("db", network.interface))
    seen = machine.see(spec).address
    found = machine.driver.reach(
        machine.see(other).ref, (Target(MACHINE, HOST), Target(seen, PORT))
    )
    assert found == (Reach.SHUT, Reach.SHUT)
    assert machine.answering(HOST) == spec.name


def test_a_bridge_that_was_made_anew_is_told_again(machine):
    spec = led(machine, "127.0.0.1")
    machine.driver.stop(spec.container_name, 0)
    machine.driver.start(spec.container_name)
    assert until(lambda: machine.probe(spec).ok)
    (rules,) = machine.driver.observe().isolation
    assert rules.lead is None, "it does not lead there"
    isolate(machine, spec, "127.0.0.1")
    assert machine.driver.observe().isolation[0].lead.ref == machine.see(spec).ref
    assert machine.answering(HOST) == spec.name


def test_who_is_connected_is_waited_for_and_no_longer_than_the_grace(machine):
    spec = led(machine, "127.0.0.1")
    ref, never = machine.see(spec).ref, threading.Event()
    with machine.client(spec, HOST) as client:
        began = time.monotonic()
        machine.driver.drain(ref, 1.0, never)
        assert time.monotonic() - began >= 1.0
        soon = threading.Timer(0.5, client.close)
        soon.start()
        machine.driver.drain(ref, 600.0, never)
        soon.join()
    assert machine.see(replace(spec)).pid
