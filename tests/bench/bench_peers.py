"""
The same work by others (podman-compose, `podman kube play`, ansible), and the raw requests for it.

`python tests/bench/bench_peers.py [N…]`: N apps of one container each, 10 if not given. Where what
others need is not there (catatonit for pods, podman-compose and ansible from PyPI), they are left
out, with a word.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import BUSYBOX, Raw, box, median, tell, timed

PLACE = Path(__file__).resolve().parents[2] / ".bench/peers"  # `make bench` fills it
WORKERS = 4
PORT = 18093
SLEEP = "exec busybox sleep 9999"
SERVE = "mkdir -p /tmp/w; echo {} > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w"


class Ours:
    name = "archipelago apply"

    def __init__(self, it, raw):
        self._it = it

    def up(self, texts):
        for number, text in texts.items():
            same = {"command": SLEEP, "environment": {"TEXT": text}}
            self._it.write(f"app{number:03}", container={"tmpfs": []}, **same)  # others have none
        self._it.run("apply", "--timeout", "300s", timeout=320)

    def down(self):
        for file in self._it.desired.iterdir():
            file.unlink()
        self._it.run("confirm", "removal", "--yes")
        self._it.run("apply", "--timeout", "300s", timeout=320)


class Raw4:
    name = f"raw requests, {WORKERS} at once"

    def __init__(self, it, raw):
        self._it, self._there = it, {}

    def _one(self, number, text):
        raw, name = Raw(self._it.service.socket), f"raw{number:03}"
        if self._there.get(number) == text:
            return
        if number in self._there:
            raw("DELETE", f"/containers/{name}?force=true&timeout=0")
        body = {
            "name": name,
            "image": BUSYBOX,
            "command": ["sh", "-c", SLEEP],
            "env": {"TEXT": text},
            "cap_drop": ["ALL"],
            "netns": {"nsmode": "bridge"},
            "Networks": {f"net{number:03}": {}},
        }
        if number not in self._there:
            network = {"name": f"net{number:03}", "driver": "bridge", "dns_enabled": True}
            raw("POST", "/networks/create", network)
        raw("POST", "/containers/create", body)
        raw("POST", f"/containers/{name}/start")
        self._there[number] = text

    def up(self, texts):
        raw = Raw(self._it.service.socket)
        raw.list("none")
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._one, texts.keys(), texts.values()))

    def down(self):
        def one(number):
            raw = Raw(self._it.service.socket)
            raw("DELETE", f"/containers/raw{number:03}?force=true&timeout=0")
            raw("DELETE", f"/networks/net{number:03}")

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(one, self._there))
        self._there = {}


class Compose:
    name = "podman-compose up -d"

    def __init__(self, it, raw):
        self._folder = it.root / "compose"
        self._folder.mkdir()
        self._command = [str(PLACE / "bin/podman-compose"), "-p", "peers"]

    def up(self, texts):
        services = {
            f"app{number:03}": {
                "image": BUSYBOX,
                "command": ["sh", "-c", SLEEP],
                "stop_grace_period": "0s",
                "environment": {"TEXT": text},
                "networks": [f"net{number:03}"],
            }
            for number, text in texts.items()
        }
        self._write(
            {
                "services": services,
                "networks": {n: {} for s in services.values() for n in s["networks"]},
            }
        )
        self._run("up", "-d")

    def _write(self, document):
        (self._folder / "compose.yml").write_text(json.dumps(document))

    def _run(self, *words):
        subprocess.run(
            [*self._command, *words],
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=900,
        )

    def down(self):
        self._run("down", "-t", "0")


class Kube:
    name = "podman kube play --replace"

    def __init__(self, it, raw):
        self._it, self._file = it, it.root / "pods.yml"

    def up(self, texts):
        pods = [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"app{number:03}"},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {
                            "name": "main",
                            "image": BUSYBOX,
                            "imagePullPolicy": "Never",
                            "command": ["sh", "-c", SLEEP],
                            "env": [{"name": "TEXT", "value": text}],
                        }
                    ],
                },
            }
            for number, text in texts.items()
        ]
        self._file.write_text("\n---\n".join(json.dumps(pod) for pod in pods))
        self._it.podman("kube", "play", "--replace", str(self._file))

    def down(self):
        self._it.podman("kube", "down", str(self._file))


class Ansible:
    name = "ansible, containers.podman"

    def __init__(self, it, raw):
        self._folder = it.root / "ansible"
        self._folder.mkdir()

    def up(self, texts):
        self._texts = texts
        self._play("present", "started")

    def down(self):
        self._play("absent", "absent")

    def _play(self, network, container):
        def task(module, state, **arguments):
            return {f"containers.podman.{module}": {"state": state, **arguments}}

        networks = [task("podman_network", network, name=f"net{n:03}") for n in self._texts]
        containers = [
            task(
                "podman_container",
                container,
                name=f"app{number:03}",
                image=BUSYBOX,
                command=["sh", "-c", SLEEP],
                env={"TEXT": text},
                network=[f"net{number:03}"],
                stop_time=0,
            )
            for number, text in self._texts.items()
        ]
        tasks = networks + containers if container == "started" else containers + networks
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        (self._folder / "play.yml").write_text(json.dumps([play]))
        subprocess.run(
            [PLACE / "bin/ansible-playbook", "play.yml"],
            cwd=self._folder,
            env={**os.environ, "ANSIBLE_HOME": str(self._folder), "PATH": _path()},
            check=True,
            capture_output=True,
            timeout=1800,
        )


def _path():
    return f"{PLACE / 'bin'}:{os.environ['PATH']}"


def races(count):
    """Cold, again without a change, one changed, all gone: in milliseconds, for everybody."""
    rows = []
    with box() as (it, raw):
        for kind in (Raw4, Ours, Compose, Kube, Ansible):
            try:
                rows.append([kind.name, *_race(kind(it, raw), count)])
            except (subprocess.CalledProcessError, AssertionError, OSError) as error:
                why = (getattr(error, "stderr", b"") or b"").decode() or str(error)
                print(f"left out: {kind.name}: {why.strip().splitlines()[-1][-200:]}")
    columns = ["by", "cold ms", "no change ms", "one changed ms", "removed ms"]
    tell(f"the same work, {count} apps", columns, rows)


def _race(peer, count):
    texts = dict.fromkeys(range(count), "a")
    cold = timed(lambda: peer.up(texts))
    same = median([timed(lambda: peer.up(texts)) for _ in range(3)])
    one = timed(lambda: peer.up(texts | {count // 2: "b"}))
    return cold, same, one, timed(peer.down)


class Load:
    """Asks a port all the time, and knows how long nobody answered."""

    def __init__(self):
        self.failed, self.asked, self.gap, self.seen = 0, 0, 0.0, set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _run(self):
        last = time.monotonic()
        while not self._end.wait(0.005):
            self.asked += 1
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}", timeout=1) as reply:
                    self.seen.add(reply.read().decode().strip())
            except OSError:
                self.failed += 1
                continue
            now = time.monotonic()
            self.gap, last = max(self.gap, now - last), now


def gaps():
    """Requests that failed, and the longest silence, while one app was updated."""
    rows = [_ours("archipelago", "replace"), _ours("archipelago, blue-green", "blue-green")]
    with box() as (it, raw):
        compose = Compose(it, raw)

        def service(text):
            compose._write(
                {
                    "services": {
                        "web": {
                            "image": BUSYBOX,
                            "command": ["sh", "-c", SERVE.format(text)],
                            "stop_grace_period": "0s",
                            "ports": [f"127.0.0.1:{PORT}:8080"],
                        }
                    }
                }
            )
            compose._run("up", "-d")

        try:
            service("old")
            rows.append(["podman-compose up -d", *_updated(lambda: service("new"))])
            compose.down()
        except subprocess.CalledProcessError as error:
            print(f"left out: podman-compose: {error.stderr[-150:]}")
    tell("one app updated under load", ["by", "asked", "failed", "longest gap ms"], rows)


def _ours(name, strategy):
    with box() as (it, _):
        more = {"ports": [{"host": PORT, "container": 8080}], "update": {"strategy": strategy}}
        it.write("web", command=SERVE.format("old"), **more)
        it.start().wait_ready("web")
        row = [name, *_updated(lambda: it.write("web", command=SERVE.format("new"), **more))]
        it.stop()
        it.clean()
        return row


def _updated(change):
    time.sleep(1)
    with Load() as load:
        time.sleep(0.5)
        change()
        ends = time.monotonic() + 30
        while "new" not in load.seen and time.monotonic() < ends:
            time.sleep(0.02)
        time.sleep(0.5)
    assert load.seen == {"old", "new"}, load.seen
    return load.asked, load.failed, load.gap * 1000


def main():
    for count in [int(word) for word in sys.argv[1:]] or [10]:
        races(count)
    gaps()


if __name__ == "__main__":
    main()
