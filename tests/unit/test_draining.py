"""Who is connected, as a kernel shows it; and who listens at a port."""

import os
import socket
import threading
import time

import pytest

from reconciler.drivers.podman import draining, leading
from reconciler.errors import DriverRejected
from reconciler.model.isolation import IsolationSpec, Lead

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid inode\n"
LINE = " 0: {} {} {} 00000000:00000000 00:00000000 00000000 0 0 {} 1 0 0 0\n"
LISTENS = ("00000000:1F90", "00000000:0000", "0A")
CLIENT = "0100590A:D431"


def table(*lines, inode="77"):
    return HEAD + "".join(LINE.format(*line, inode) for line in lines)


@pytest.mark.parametrize(
    ("state", "number"),
    [
        ("01", 1),  # established
        ("03", 1),  # being made
        ("04", 1),  # ended here, and not all of it was delivered
        ("05", 0),  # all of it was
        ("06", 0),  # remembered, no more
        ("08", 1),  # the other side has ended, and is still to be answered
        ("09", 1),
        ("0B", 1),
    ],
)
def test_a_connection_counts_until_all_was_delivered(state, number):
    assert draining.connected(table(LISTENS, ("C35A590A:1F90", CLIENT, state))) == number


def test_only_who_came_from_outside_to_where_somebody_listens_counts():
    assert draining.connected(table(LISTENS)) == 0
    assert draining.connected(table(LISTENS, ("0100007F:1F90", CLIENT, "01"))) == 0
    assert draining.connected(table(LISTENS, ("C35A590A:C001", CLIENT, "01"))) == 0
    six = ("0000000000000000FFFF0000C35A590A:1F90", CLIENT, "01")
    assert draining.connected(table(LISTENS), table(six)) == 1
    loop = ("0000000000000000FFFF00000100007F:1F90", CLIENT, "01")
    assert draining.connected(table(LISTENS), table(loop)) == 0
    assert draining.connected("", "") == 0


def test_who_is_connected_is_waited_for_until_the_grace_is_over(monkeypatch):
    told = table(LISTENS, ("C35A590A:1F90", CLIENT, "01"))
    monkeypatch.setattr(draining, "read_all", lambda _pid, _name: told)
    began = time.monotonic()
    draining.drain(1, 0.5, threading.Event())
    assert time.monotonic() - began >= 0.5


def test_when_nobody_is_left_it_is_over_soon(monkeypatch):
    looks = iter([1, 1, 0, 1])
    told = {1: table(LISTENS, ("C35A590A:1F90", CLIENT, "01")), 0: table(LISTENS)}
    counted = []

    def read(_pid, name):
        if name == "net/tcp":
            counted.append(next(looks, 0))
        return told[counted[-1]]

    monkeypatch.setattr(draining, "read_all", read)
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.001)
    draining.drain(1, 600.0, threading.Event())
    assert counted == [1, 1, 0, 1, *[0] * draining.QUIET_LOOKS]


@pytest.mark.parametrize("why", ["told to stop", "it is gone"])
def test_nobody_waits_in_vain(monkeypatch, why):
    told = "" if why == "it is gone" else table(LISTENS, ("C35A590A:1F90", CLIENT, "01"))
    monkeypatch.setattr(draining, "read_all", lambda _pid, _name: told)
    stop = threading.Event()
    if why == "told to stop":
        stop.set()
    began = time.monotonic()
    draining.drain(1, 600.0, stop)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("address", "bind", "found"),
    [
        ("0100007F", "127.0.0.1", True),
        ("0100007F", "0.0.0.0", True),
        ("00000000", "127.0.0.1", True),
        ("0A01A8C0", "192.168.1.10", True),
        ("0A01A8C0", "127.0.0.1", False),
        ("0" * 32, "127.0.0.1", True),
    ],
)
def test_who_listens_where_a_port_is_bound(address, bind, found):
    listens = (f"{address}:1F90", "00000000:0000", "0A")
    assert bool(leading.listening(table(listens), bind, 8080)) is found
    assert not leading.listening(table(listens), bind, 8081)
    assert not leading.listening(table((f"{address}:1F90", CLIENT, "01")), bind, 8080)


def test_a_port_is_refused_where_somebody_listens_who_is_not_of_the_app():
    with socket.create_server(("127.0.0.1", 0)) as made:
        lead = Lead("a" * 64, "127.0.0.1", made.getsockname()[1], "10.0.0.2", 80)
        with pytest.raises(DriverRejected, match=r"cannot lead port \d+ to web: it is in use"):
            leading.refuse_if_taken("web", lead, [0])
        child = os.fork()
        if child == 0:  # pragma: no cover - a container's process, of which we are the conmon
            time.sleep(60)
            os._exit(0)
        try:
            leading.refuse_if_taken("web", lead, [child])
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    leading.refuse_if_taken("web", lead, [])


def test_a_bridge_that_is_not_there_is_in_nobodys_way():
    assert leading.is_open("ar-none")
    leading.open_bridge("ar-none")


def test_a_bridge_that_cannot_be_opened_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(leading, "_setting", lambda _interface: tmp_path)
    with pytest.raises(DriverRejected, match="cannot lead a port to ar1: cannot write"):
        leading.open_bridge("ar1")


def test_a_port_leads_to_one_app_at_each_address():
    led = Lead("a" * 64, "127.0.0.1", 80, "10.0.0.2", 80)
    others = [IsolationSpec("db", "ar2"), IsolationSpec("db", "ar2", lead=led)]
    with pytest.raises(DriverRejected, match="it leads to db"):
        leading.refuse_if_led("web", led, others)
    elsewhere = Lead("b" * 64, "192.168.1.10", 80, "10.0.0.3", 80)
    leading.refuse_if_led("web", elsewhere, others)
