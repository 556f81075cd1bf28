"""
The two lives of a machine that is rebooted, each in a world of its own on the same disk.

`boots.py first ROOT` has everything running and ends in the middle of it, `boots.py again ROOT`
begins with a fresh loop. Each prints what it saw, as JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from e2e.box import SERVE, Box, app, ready

HTTP = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s", "timeout": "1s"}
APPS = ("db", "web", "shop", "a", "b", "c", "d")
MANY = ("a", "b", "c", "d")


def podman(*arguments, check=True):
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def machine(root):
    box = Box(root, podman)
    box.instance = "boots"
    return box


def seen(box):
    """What runs, what it is for Podman, and what its data says."""
    status = box.status()
    found = {name: box.container(name) for name in APPS}
    data = podman("exec", found["db"]["Id"], "busybox", "cat", "/data/lives")
    form = ("--format", "{{.Mountpoint}}")
    place = podman("volume", "inspect", *form, f"{box.instance}-job-data").strip()
    return {
        "ids": {name: c["Id"] for name, c in found.items()},
        "started": {name: app(status, name)["containers"][0]["started_at"] for name in APPS},
        "ready": {name: ready(status, name) for name in APPS},
        "data": data.split(),
        "done": (Path(place) / "done").read_text().split(),
        "all": sorted(box.containers()),
        "networks": sorted(podman("network", "ls", "--format", "{{.Name}}").split()),
        "answer": podman(
            "exec", found["web"]["Id"], "busybox", "wget", "-qO-", "http://main:8080"
        ),
    }


def first(box, image):
    podman("load", "-i", image)
    data = [{"name": "data", "target": "/data"}]
    box.write("db", command=f"echo life >> /data/lives; {SERVE}", health_check=HTTP, volumes=data)
    box.write("web", health_check=HTTP, dependencies=["db"])
    box.write("shop", dependencies=["web"])
    for name in MANY:
        box.write(name)
    once = {"restart": "no"}
    box.write("job", command="echo done >> /data/done", container=once, volumes=data)
    box.start().wait_ready(*APPS, "job")
    return seen(box)


def again(box):
    left = json.loads(podman("ps", "-a", "--format", "json"))
    running = [c["Names"][0] for c in left if c["State"] == "running"]
    (box.state / box.instance / "status.json").unlink()
    known = len(box.json("events", "--tail", "1000")["events"])
    box.start().wait_ready(*APPS, "job")
    events = box.json("events", "--tail", "1000")["events"][known:]
    return {**seen(box), "before": running, "left": len(left), "events": events}


if __name__ == "__main__":
    which, place, *more = sys.argv[1:]
    told = {"first": first, "again": again}[which](machine(Path(place)), *more)
    print(json.dumps(told))
