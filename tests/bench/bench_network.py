"""
What two connected apps send each other, beside two containers on one plain bridge.

Between them: two containers on a plain bridge each, which is what the way from one network to
another costs by itself. In all pairs the same small programs speak: a client in the network
namespace of one container, a server in that of the other. The pairs take turns, so a noisy moment
meets all of them.
"""

import json
import subprocess
import sys
import time

from measuring import BUSYBOX, box, median, run_podman, tell

PORT = 8080
MEGABYTES = 512
QUESTIONS = 3000
ROUNDS = 9
TARGET = 0.95
COLUMNS = ["what", "plain bridge", "two bridges", "connected apps", "ratio", "to two bridges"]

SERVER = f"""
import socket
server = socket.create_server(("", {PORT}))
print("ready", flush=True)
block = bytearray(1 << 20)
while True:
    one, _ = server.accept()
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with one:
        if one.recv(1) == b"b":
            while one.recv_into(block):
                pass
        else:
            while one.recv(64):
                one.sendall(b"x" * 64)
"""

CLIENT = f"""
import json, socket, sys, time
def connect(letter):
    made = socket.create_connection((sys.argv[1], {PORT}), 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(letter)
    return made
block = bytes(1 << 20)
with connect(b"b") as bulk:
    began = time.perf_counter()
    for _ in range({MEGABYTES}):
        bulk.sendall(block)
    bulk.shutdown(socket.SHUT_WR)
    bulk.recv(1)
    rate = {MEGABYTES} / (time.perf_counter() - began)
times = []
with connect(b"q") as asking:
    for _ in range({QUESTIONS}):
        began = time.perf_counter()
        asking.sendall(b"x" * 64)
        asking.recv(64)
        times.append(time.perf_counter() - began)
times.sort()
print(json.dumps([rate, times[len(times) // 2] * 1e6]))
"""


def inside(name, program, *arguments):
    """Return the command that runs a program of ours in a container's network."""
    pid = run_podman("inspect", "--format", "{{.State.Pid}}", name)
    return ["nsenter", "-t", pid, "-n", sys.executable, "-c", program, *arguments]


def address(name):
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return run_podman("inspect", "--format", form, name)


class Pair:
    """A container that asks, and one that answers."""

    def __init__(self, asking, answering):
        self._asking, self._address = asking, address(answering)
        command = inside(answering, SERVER)
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout.readline() == "ready\n"

    def measure(self):
        """Return MB/s and the median of the round trips in microseconds."""
        command = inside(self._asking, CLIENT, self._address)
        told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(told.stdout)

    def end(self):
        self._server.kill()
        self._server.wait()
        self._server.stdout.close()


def plain(*networks):
    """Two containers of nobody, on these bridges."""
    names = [f"{networks[0]}-{number}" for number in range(2)]
    for network in networks:
        run_podman("network", "create", network)
    for name, network in zip(names, (networks * 2)[:2], strict=True):
        sleep = ("sleep", "9999")
        run_podman("run", "-d", "--name", name, "--network", network, BUSYBOX, *sleep)
    return Pair(*names)


def connected(it):
    """Two apps, of which one may reach the other's port."""
    it.write("db", command="exec sleep 9999")
    needs = [{"app_id": "db", "ports": [PORT]}]
    it.write("shop", command="exec sleep 9999", dependencies=needs)
    it.run("apply", "--timeout", "60s", timeout=90)
    return Pair(it.container("shop")["Id"], it.container("db")["Id"])


def main():
    with box() as (it, _):
        pairs = [plain("one"), plain("two", "three"), connected(it)]
        found = [[] for _ in pairs]
        for _ in range(ROUNDS):
            for pair, results in zip(pairs, found, strict=True):
                results.append(pair.measure())
                time.sleep(0.1)
        for pair in pairs:
            pair.end()
        run_podman("rm", "-f", "-t", "0", "one-0", "one-1", "two-0", "two-1")
        run_podman("network", "rm", "one", "two", "three")
    (one, two, ours), rows = ([median(c) for c in zip(*each, strict=True)] for each in found), []
    rows.append(["MB/s", one[0], two[0], ours[0], ours[0] / one[0], ours[0] / two[0]])
    rows.append(["round trip, us", one[1], two[1], ours[1], one[1] / ours[1], two[1] / ours[1]])
    tell("two connected apps", COLUMNS, rows, f"medians of {ROUNDS}, goal: ratio >= {TARGET}")


if __name__ == "__main__":
    main()
