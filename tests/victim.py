"""
A box of six apps on a real Podman, everything that may be done to it, and what must hold after.

`chaos.py` does it at random, with a seed.
"""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress

from e2e.box import IMAGE, SERVE, app, ready, services

CHECK = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s", "timeout": "1s"}
SICK = {**CHECK, "endpoint": "http://localhost:8081", "retries": 2}
# What the first container ever wrote into the volume, and one line for each that came later.
KEEP_A_LOG = "[ -e /data/born ] || echo $REVISION > /data/born; echo $REVISION >> /data/log; "
VOLUME = {"volumes": [{"name": "data", "target": "/data"}]}
APPS = {  # what containers each has
    "cache": ("main",),
    "db": ("main",),
    "job": ("init", "main"),
    "pair": ("db", "main"),
    "shop": ("main",),
    "web": ("main",),
}
KEPT = ("db", "pair")  # which have a volume
PATIENCE = 150.0
STATE_SIZE = "2m"


class Victim:
    """Six apps, strangers beside them, and a loop that may be killed."""

    def __init__(self, box):
        self.it, self.podman = box, box.podman
        self.revision = dict.fromkeys(APPS, 0)
        self.spoilt = set()  # apps whose manifest is not as it should be
        self.away = self.it.root / "away"
        self.ballast = self.it.state / "ballast"
        self.frozen = []
        self.strange = f"{self.it.instance}-stranger"

    def begin(self):
        self.it.state.mkdir(parents=True, exist_ok=True)
        self.own_disk = os.geteuid() == 0
        if self.own_disk:
            command = ["mount", "-t", "tmpfs", "-o", f"size={STATE_SIZE}", "tmpfs", self.it.state]
            subprocess.run(command, check=True, timeout=10)
        self._make_strangers()
        self.strangers = self._see_strangers()
        for name in APPS:
            self.write(name)
        self.it.approve("cache")  # it reaches an app that it does not require
        self.it.launch()
        self.wait()

    def end(self):
        with suppress(Exception):
            self.mend()
        self.it.clean()
        if self.own_disk:
            subprocess.run(["umount", "-l", self.it.state], check=False, timeout=10)
        self.podman("rm", "-f", "-t", "0", self.strange, check=False)
        self.podman("network", "rm", "-f", f"{self.strange}-net", check=False)
        self.podman("volume", "rm", "-f", f"{self.strange}-vol", check=False)

    # Manifests

    def write(self, name, command=SERVE, check=CHECK):
        """Write the next revision of an app."""
        self.revision[name] += 1
        common = {"image": IMAGE, "stop_grace_period": 0, "tmpfs": ["/tmp"]}
        common |= {"environment": {"REVISION": str(self.revision[name])}}
        kept = VOLUME if name in KEPT else {}
        log = KEEP_A_LOG if name in KEPT else ""
        main = {**common, **kept, "command": ["sh", "-c", log + command], "health_check": check}
        containers = {"main": main}
        if name == "pair":
            containers["db"] = {**common, "command": ["sh", "-c", "exec sleep 9999"]}
            main["depends_on"] = {"db": "started"}
        if name == "job":
            containers["init"] = {**common, "command": ["sh", "-c", "exit 0"], "restart": "no"}
            main["depends_on"] = {"init": "completed"}
        more = {}
        if name in {"web", "shop"}:
            more["dependencies"] = [{"app_id": "db", "ports": [8080]}]
        if name == "cache":
            more["connections"] = [{"to": "pair", "ports": [8080]}]
        document = {"app": {"id": name, "name": name, "containers": containers, **more}}
        self.file(name).write_text(json.dumps(document, indent=1))  # JSON is YAML

    def file(self, name):
        return self.it.desired / f"{name}.yml"

    def mend(self):
        """Undo what a person has to undo; the rest is the loop's."""
        self.ballast.unlink(missing_ok=True)
        for pid in self.frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.frozen.clear()
        if self.away.exists():
            self.away.rename(self.it.desired)
        for name in sorted(self.spoilt):
            self.write(name)
        self.spoilt.clear()
        process = self.it.process
        if process is not None and process.poll() is not None:
            raise AssertionError("the loop ended by itself")
        if process is None:
            self.it.launch()

    def told(self):
        return self.it.output.read_text()[-3000:] if self.it.output.exists() else ""

    # What is there

    def wait(self, patience=PATIENCE):
        """Wait until desired equals observed, and the loop says so."""

        def good(status):
            return (
                all(ready(status, n) and app(status, n)["action"] == "keep" for n in APPS)
                and not status["pass"].get("error")
                and len(status["apps"]) == len(APPS)
                and self.rows() == self.expected()
                and len(services(self.it, "podman.sock")) == 1
            )

        self.it.wait(good, f"revisions {self.revision}, not {self.rows()}", patience)

    def expected(self):
        return sorted(
            (name, part, "exited" if part == "init" else "running", str(self.revision[name]))
            for name, parts in APPS.items()
            for part in parts
        )

    def rows(self):
        """Every container there is, dead or alive, with the revision that it was made for."""
        found = self.it.containers()
        if not found:
            return []
        told = json.loads(self.podman("container", "inspect", *found, check=False) or "[]")
        labels = "io.archipelago."
        return sorted(
            (
                c["Config"]["Labels"][f"{labels}app"],
                c["Config"]["Labels"][f"{labels}container"],
                c["State"]["Status"],
                dict(e.split("=", 1) for e in c["Config"]["Env"]).get("REVISION"),
            )
            for c in told
        )

    def assert_whole(self):
        """Exactly what is desired is there, nothing leaked, and nothing else was touched."""
        it, label = self.it, f"label=io.archipelago.instance={self.it.instance}"
        assert self.rows() == self.expected()
        for container in it.containers(running=True).values():
            assert os.path.exists(f"/proc/{container['Pid']}"), container["Names"]  # noqa: PTH110
            own = f"{it.instance}-{container['Labels']['io.archipelago.app']}"
            assert container["Networks"] == [own], container["Networks"]
        names = self.podman("network", "ls", "--filter", label, "--format", "{{.Name}}").split()
        assert sorted(names) == [f"{it.instance}-{name}" for name in APPS]
        volumes = self.podman("volume", "ls", "-q", "--filter", label).split()
        assert sorted(volumes) == [f"{it.instance}-{name}-data" for name in KEPT]
        for name in KEPT:
            inside = it.container(name)["Id"]
            assert self.podman("exec", inside, "/bin/busybox", "cat", "/data/born") == "1"
            log = self.podman("exec", inside, "/bin/busybox", "cat", "/data/log").split()
            assert log == sorted(log, key=int), "an old revision ran after a new one"
        self.assert_rules()
        assert self._see_strangers() == self.strangers
        left = [p.name for p in it.state.rglob("*") if p.name.startswith(".conf-")]
        left += [p.name for p in it.state.rglob("*.new") if p.name != "status.new"]
        assert not left, f"temporary files are left: {left}"

    def assert_rules(self):
        if not self.own_disk:
            return
        rules = self.nft("list", "table", "inet", f"archipelago-{self.it.instance}")
        for name in APPS:
            assert f'comment "{name}"' in rules, f"{name} has no rules\n{rules}"
        assert rules.count("8080") == 3, rules  # web to db, shop to db, cache to pair

    def assert_told(self, since):
        """Each app that is there was installed, updated or started, say the events."""
        file = self.it.state / self.it.instance / "events.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()[since:] if line]
        done = {e["app"] for e in lines if e["kind"] == "change" and e["reason"] == "Applied"}
        assert set(APPS) <= done, f"nothing is told of {set(APPS) - done}"

    def events(self):
        file = self.it.state / self.it.instance / "events.jsonl"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def nft(self, *arguments):
        done = subprocess.run(
            ["nft", *arguments], capture_output=True, text=True, timeout=10, check=False
        )
        return done.stdout

    # Strangers

    def _make_strangers(self):
        """A container, a network and a volume beside ours, and named as ours are."""
        self.podman("network", "create", f"{self.strange}-net")
        self.podman("volume", "create", f"{self.strange}-vol")
        mounts = ("--network", f"{self.strange}-net", "-v", f"{self.strange}-vol:/v")
        command = ("/bin/busybox", "sh", "-c", "echo mine > /v/f; exec /bin/busybox sleep 99999")
        self.podman("run", "-d", "--name", self.strange, *mounts, IMAGE, *command)
        time.sleep(0.5)

    def _see_strangers(self):
        form = "{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}"
        return (
            self.podman("container", "inspect", self.strange, "--format", form),
            self.podman("exec", self.strange, "/bin/busybox", "cat", "/v/f"),
            f"{self.strange}-net" in self.podman("network", "ls", "--format", "{{.Name}}"),
        )
