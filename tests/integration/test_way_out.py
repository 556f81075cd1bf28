"""What leaves an app, tried from inside: to the internet, the local network, and the machine."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from contract.machines import PodmanMachine, podman, until
from integration.street import OTHER, PORT, SERVE, Street

from reconciler.model.container import PortSpec
from reconciler.model.isolation import Egress, Passage

pytestmark = pytest.mark.podman

# Behind a device of the test's own world; nothing leaves the machine.
INTERNET, LAN, METADATA = "198.51.100.7", "192.168.77.7", "169.254.169.254"
INTERNET6, LAN6 = "2001:db8:5::7", "fd77::7"
OUTSIDE = (INTERNET, LAN, METADATA)
ALLOWED = {Egress.INTERNET: {INTERNET}, Egress.LAN: {INTERNET, LAN}, Egress.NONE: set()}
OVER_THERE = ("nsenter", "--net=/run/netns/outside")
PUBLISHED = 18099
HOST = 7007
ELSEWHERE = 5353
ANSWER = f"""
import socket, threading
def answer(who):
    if who.recv(512):
        who.sendall(b"heard")
    who.close()
here = socket.create_server(("::", {PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=answer, args=(here.accept()[0],), daemon=True).start()
"""
RELAY = f"""
import socket
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("10.66.6.1", {ELSEWHERE}))
while True:
    asked, who = here.recvfrom(512)
    there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    there.sendto(asked, ("10.66.6.1", 53))
    here.sendto(there.recv(512), who)
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def outside():
    """A network beyond the machine, with an answer at every address."""
    ip("netns", "add", "outside")
    ip("link", "add", "up0", "type", "veth", "peer", "name", "out0", "netns", "outside")
    for near, far in (
        ("198.51.100.1/24", f"{INTERNET}/24"),
        ("192.168.77.1/24", f"{LAN}/24"),
        ("169.254.169.1/24", f"{METADATA}/24"),
        ("2001:db8:5::1/64", f"{INTERNET6}/64"),
        ("fd77::1/64", f"{LAN6}/64"),
    ):
        more = ["nodad"] if ":" in near else []
        ip("address", "add", near, "dev", "up0", *more)
        ip("-n", "outside", "address", "add", far, "dev", "out0", *more)
    ip("link", "set", "up0", "up")
    ip("-n", "outside", "link", "set", "out0", "up")
    ip("-n", "outside", "link", "set", "lo", "up")
    ip("-n", "outside", "route", "add", "default", "via", "198.51.100.1")
    ip("-n", "outside", "-6", "route", "add", "default", "via", "2001:db8:5::1")
    served = subprocess.Popen([*OVER_THERE, sys.executable, "-c", ANSWER])
    try:
        assert until(lambda: reached_from(INTERNET, PORT) and reached_from(INTERNET6, PORT))
        yield
    finally:
        served.kill()
        served.wait(10)
        ip("netns", "delete", "outside")


@contextmanager
def listening(family, address, port=HOST, kind=socket.SOCK_STREAM):
    """A service of the machine that answers whoever comes."""
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(64)
            threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield listener
        if kind == socket.SOCK_STREAM:
            listener.shutdown(socket.SHUT_RDWR)


def answer(listener):
    with suppress(OSError):
        while True:
            listener.accept()[0].close()


@pytest.fixture(scope="module")
def street(busybox_image, podman_socket, tmp_path_factory, outside):
    machine = PodmanMachine(busybox_image, tmp_path_factory.mktemp("street"), podman_socket)
    made = Street(machine)
    made.build("one", six=True)
    made.build("two", ports=(PortSpec(PUBLISHED, PORT, "tcp", "0.0.0.0"),))
    yield made
    for app in ("one", "two"):
        machine.driver.forget_isolation(app)
    machine.close()


@pytest.fixture(autouse=True)
def shut(street):
    street.rules("one")
    street.rules("two")


def test_without_rules_everything_is_reached(street):
    """Else what follows would prove nothing."""
    street.machine.flush_rules()
    assert street.which("one", (*OUTSIDE, INTERNET6, LAN6)) == {*OUTSIDE, INTERNET6, LAN6}
    assert street.reaches("one", street.address("two"))
    with listening(socket.AF_INET, "0.0.0.0"):
        assert street.reaches("one", street.address("one", "Gateway"), HOST)


@pytest.mark.parametrize(
    ("egress", "want"),
    [
        (Egress.INTERNET, {INTERNET, INTERNET6}),
        (Egress.LAN, {INTERNET, INTERNET6, LAN, LAN6}),
        (Egress.NONE, set()),
    ],
)
def test_the_way_out_leads_where_it_says(street, egress, want):
    street.rules("one", egress)
    assert street.which("one", (*OUTSIDE, INTERNET6, LAN6)) == want
    assert street.which("two", OUTSIDE) == {INTERNET}


def machines_addresses(street):
    gateway = street.address("one", "Gateway")
    return gateway, street.address("two", "Gateway"), "198.51.100.1", "192.168.77.1"


@pytest.mark.parametrize("egress", Egress)
def test_no_service_of_the_machine_is_reached_at_any_address(street, egress):
    street.rules("one", egress)
    hosts = machines_addresses(street)
    six = (street.address("one", "IPv6Gateway"), "2001:db8:5::1", "fd77::1")
    with listening(socket.AF_INET, "0.0.0.0"), listening(socket.AF_INET6, "::", HOST + 1):
        assert reached_from("127.0.0.1", HOST)
        assert reached_from("fd77::1", HOST + 1)
        assert street.which("one", hosts, HOST) == set()
        assert street.which("one", six, HOST + 1) == set()
        assert street.which("one", hosts, 1) == set()  # nobody is there, and nobody says so


@pytest.mark.parametrize("egress", Egress)
def test_what_another_app_published_is_not_reached_by_the_machine(street, egress):
    street.rules("one", egress)
    assert street.which("one", machines_addresses(street), PUBLISHED) == set()


def test_what_a_stranger_published_is_not_reached_by_the_machine(street):
    name = f"{street.machine.instance}-stranger"
    serve = SERVE.format(PORT) + "exec busybox sleep 1000"
    published = ("-p", f"{PUBLISHED + 1}:{PORT}", "--pull", "never", street.machine.image)
    podman(
        "run", "-d", "--tmpfs", "/tmp", "--name", name, *published, "busybox", "sh", "-c", serve
    )
    try:
        street.rules("one", Egress.LAN)
        assert street.which("one", machines_addresses(street), PUBLISHED + 1) == set()
        assert until(lambda: reached_from("127.0.0.1", PUBLISHED + 1))
    finally:
        podman("rm", "-f", "-t", "0", name)


def reached_from(address, port):
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def far_reaches(address, port):
    asked = [*OVER_THERE, "busybox", "nc", "-w", "2", address, str(port)]
    return not subprocess.run(asked, stdin=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("egress", Egress)
def test_what_an_app_published_is_reached_from_the_machine_and_from_outside(street, egress):
    street.rules("two", egress)
    assert reached_from("127.0.0.1", PUBLISHED)
    assert reached_from(street.address("two"), PORT)
    assert far_reaches("198.51.100.1", PUBLISHED)
    assert not far_reaches(street.address("two"), OTHER)
    # A restart, and netavark's rules made anew.
    street.machine.driver.stop(street.houses["two"].container_name, 0)
    street.machine.driver.start(street.houses["two"].container_name)
    podman("network", "reload", "--all")
    assert until(lambda: reached_from("127.0.0.1", PUBLISHED))
    assert far_reaches("198.51.100.1", PUBLISHED)
    assert street.which("two", OUTSIDE) == ALLOWED[egress]
    assert street.which("one", (street.address("two"),)) == set()


def test_names_are_asked_of_the_own_network_alone_and_by_nobody_who_has_no_way_out(street):
    gateway, other, *machine = machines_addresses(street)

    def answered(server):
        return street.run("one", "timeout", "4", "busybox", "nslookup", "web", server).returncode

    assert answered(gateway) == 0
    assert answered(other) != 0
    with listening(socket.AF_INET, machine[0], 53, socket.SOCK_DGRAM) as asked:
        answered(machine[0])
        asked.settimeout(0.2)
        with pytest.raises(TimeoutError):
            asked.recv(512)
    with name_server_elsewhere("one-br"):
        assert answered(gateway) == 0
        assert street.which("one", (gateway,), ELSEWHERE) == set()
        street.rules("one", Egress.NONE)
        assert answered(gateway) != 0
    assert answered(gateway) != 0


@contextmanager
def name_server_elsewhere(bridge):
    """As netavark does it where `dns_bind_port` is set: to make room for another at port 53."""
    rule = f"add rule ip elsewhere pre iifname {bridge} udp dport 53 redirect to :{ELSEWHERE}"
    hook = "add chain ip elsewhere pre { type nat hook prerouting priority dstnat - 9; }"
    script = f"add table ip elsewhere\n{hook}\n{rule}\n"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    running = subprocess.Popen([sys.executable, "-c", RELAY])
    try:
        time.sleep(1)
        yield
    finally:
        running.kill()
        running.wait(10)
        subprocess.run(["nft", "delete", "table", "ip", "elsewhere"], check=True)


def test_neighbours_are_found_and_the_own_network_is_open(street):
    for egress in Egress:
        street.rules("one", egress)
        assert street.reaches("one", "127.0.0.1")
        assert street.reaches("one", street.address("one"))
        assert not street.reaches("one", street.address("one", "IPv6Gateway"), HOST)
        seen = street.run("one", "ip", "-6", "neighbour").stdout
        assert "FAILED" not in seen


def test_an_open_connection_out_ends_with_its_way(street):
    """Every packet is judged, not only the first."""
    street.rules("one", Egress.LAN)
    ref = street.houses["one"].container_name
    for ends in (False, True):
        talk = subprocess.Popen(
            ["podman", "exec", "-i", ref, "busybox", "nc", LAN, str(PORT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        time.sleep(1)
        if ends:
            street.rules("one")
        talk.stdin.write("hello\n")
        talk.stdin.flush()
        time.sleep(1)
        talk.kill()
        assert ("heard" in talk.communicate()[0]) is not ends


def test_a_passage_leads_where_no_way_out_does(street):
    db = street.address("two")
    street.rules("one", Egress.NONE, Passage("two", "two-br", PORT))
    assert street.reaches("one", db)
    assert not street.reaches("one", db, OTHER)
    assert not street.reaches("two", street.address("one"))
    # The same port of the same app by the machine's address is the same passage.
    assert street.reaches("one", street.address("one", "Gateway"), PUBLISHED)
