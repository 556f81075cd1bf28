"""A box to try the installed command on: folders of its own, an instance of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

COMMAND = Path(sys.executable).with_name("archipelago")
IMAGE = "localhost/test/busybox:1"
SERVE = "mkdir -p /tmp/w; echo ok > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w"
PATIENCE = 45.0


class Box:
    def __init__(self, root: Path, podman, **flags):
        self.root, self.podman, self.flags = root, podman, flags
        self.instance = f"t{uuid.uuid4().hex[:8]}"
        self.desired, self.catalogue = root / "desired", root / "catalogue"
        self.state = root / "state"
        for folder in (self.desired, self.catalogue):
            folder.mkdir(parents=True, exist_ok=True)
        # Whoever uses it: as whom, with which variables, and where the command is.
        self.command, self.environment, self.who = COMMAND, os.environ, {}
        self.follows = False  # a repository, which is named in the settings
        self.said = ""  # by every verb
        self.process = None
        self.output = root / "loop.log"

    # The operator

    def write(self, app, *, image=IMAGE, command=SERVE, file=None, **more):
        """Write a manifest, and return its file."""
        container = {"image": image, "command": ["sh", "-c", command], "stop_grace_period": 0}
        container |= {"tmpfs": ["/tmp"], **more.pop("container", {})}
        document = {"app": {"id": app, "name": app, "container": container, **more}}
        path = self.desired / (file or f"{app}.yml")
        path.write_text(json.dumps(document, indent=2))  # JSON is YAML
        return path

    def delete(self, app):
        (self.desired / f"{app}.yml").unlink()

    def run(self, *arguments, check=True, timeout=90, env=None):
        """Use a verb once; return what it did."""
        done = subprocess.run(
            [self.command, *arguments, *self._common()],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=self.root,
            env={**self.environment, **(env or {})},
            **self.who,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if arguments[0] != "secret":
            self.said += done.stderr + done.stdout
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--output", "json", **more).stdout)

    def approve(self, *apps):
        """Say yes to what these apps ask for, as a script does that has read it."""
        for app in apps:
            (asked,) = self.json("permissions", app)["apps"]
            self.run("approve", app, "--yes", "--accept-permissions", asked["hash"])

    def _common(self):
        flags = {
            **({} if self.follows else {"desired-state": self.desired}),
            "catalogue": self.catalogue,
            "state-dir": self.state,
            "instance": self.instance,
            **self.flags,
        }
        return [str(w) for key, value in flags.items() for w in (f"--{key}", value)]

    # The loop

    def start(self, **env):
        """Start the loop, as a service manager would, and wait for its first pass."""
        self.launch(**env)
        self.wait(lambda s: s["pass"]["number"] > 0, "a first pass")
        return self

    def launch(self, **env):
        """Start the loop, and wait for nothing."""
        settings = {"ARCHIPELAGO_METRICS": "127.0.0.1:0", "ARCHIPELAGO_INTERVAL": "3600"}
        settings |= {"ARCHIPELAGO_WINDOW": "1", **env}  # what is replaced is soon removed
        with self.output.open("a") as log:
            self.process = subprocess.Popen(
                [self.command, "run", *self._common()],
                stdout=log,
                stderr=log,
                cwd=self.root,
                env={**self.environment, **settings},
                **self.who,
            )

    def stop(self, how=signal.SIGTERM):
        """Stop the loop, kindly or not; the apps go on."""
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        (self.state / self.instance / "status.json").unlink(missing_ok=True)
        return code

    def status(self):
        """What the loop wrote down last; an empty status before its first pass."""
        try:
            return json.loads((self.state / self.instance / "status.json").read_text())
        except (OSError, ValueError):
            return {"apps": [], "problems": [], "pass": {"number": 0}}

    def wait(self, wanted, what, patience=PATIENCE):
        """Wait until the status is as wanted; fail with the status and the log."""
        ends = time.monotonic() + patience
        while time.monotonic() < ends:
            status = self.status()
            try:
                if wanted(status):
                    return status
            except (KeyError, IndexError, StopIteration, FileNotFoundError):
                pass
            time.sleep(0.02)
        log = self.output.read_text()[-6000:] if self.output.exists() else ""
        told = json.dumps(self.status(), indent=1)[-4000:]
        raise AssertionError(f"waited in vain for {what}\n{told}\n{log}")

    def wait_ready(self, *apps, patience=PATIENCE):
        return self.wait(
            lambda s: all(ready(s, a) and app(s, a)["action"] == "keep" for a in apps),
            f"{apps} ready",
            patience,
        )

    def wait_gone(self, *apps):
        return self.wait(
            lambda s: not {a["id"] for a in s["apps"]} & set(apps),
            f"{apps} gone",
        )

    # The engine

    def containers(self, *filters, running=False):
        """This instance's containers as `podman ps` tells them, by container name."""
        told = self.podman(
            "ps",
            *([] if running else ["-a"]),
            "--no-trunc",
            "--format",
            "json",
            "--filter",
            f"label=io.archipelago.instance={self.instance}",
            *(w for f in filters for w in ("--filter", f)),
        )
        return {c["Names"][0]: c for c in json.loads(told or "[]")}

    def container(self, app, name="main"):
        """The one running container of an app."""
        found = [
            c
            for c in self.containers(running=True).values()
            if c["Labels"]["io.archipelago.app"] == app
            and c["Labels"]["io.archipelago.container"] == name
        ]
        assert len(found) == 1, found
        return found[0]

    def leaks(self):
        """Where a secret of an app is, other than where secrets are kept or handed over."""
        own = self.state / self.instance
        kept = [f for f in (own / "secrets").rglob("*") if f.is_file() and f.suffix != ".new"]
        values = {f.read_bytes().strip(): f.name for f in kept}
        handed = (own / "secrets", own / "shares")
        files = [f for f in self.root.rglob("*") if f.is_file() and not f.is_symlink()]
        told = {f: f.read_bytes() for f in files if not any(h in f.parents for h in handed)}
        told |= {"what verbs said": self.said.encode()} | _outside_of_containers()
        return [
            f"{name} in {place}"
            for place, text in told.items()
            for value, name in values.items()
            if value in text
        ]

    def clean(self):
        """Leave nothing of this instance."""
        self.stop(signal.SIGKILL)
        label = f"label=io.archipelago.instance={self.instance}"
        for kind, gone in (("container", "rm"), ("network", "rm"), ("volume", "rm")):
            extra = ["-a"] if kind == "container" else []
            ids = self.podman(kind, "ls", *extra, "-q", "--filter", label).split()
            if ids:
                force = ["-f", "-t", "0"] if kind == "container" else ["-f"]
                self.podman(kind, gone, *force, *ids, check=False)
        table = f"archipelago-{self.instance}"
        subprocess.run(["nft", "delete", "table", "inet", table], check=False, capture_output=True)
        for service in services(self):  # what a killed loop left
            os.kill(service, signal.SIGTERM)


def _outside_of_containers():
    """The command lines and environments of all processes but those in containers."""
    here, found = Path("/proc/self/ns/pid").readlink(), {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "ns/pid").readlink() == here:
                words = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
                found[f"process {words[:80]!a}"] = words
        except OSError:
            continue
    return found


def services(it, socket=""):
    """The processes that serve Podman's API for this instance, at any socket or at one."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"archipelago-{it.instance}/{socket}" in words and "system\0service" in words:
            found.append(int(file.parent.name))
    return found


def app(status, name):
    return next(a for a in status["apps"] if a["id"] == name)


def condition(status, name, kind):
    return next(c for c in app(status, name)["conditions"] if c["type"] == kind)


def ready(status, name):
    return (
        any(a["id"] == name for a in status["apps"]) and condition(status, name, "Ready")["status"]
    )
