"""From a drift or an edit until the process runs, beside the raw calls that this takes."""

import json
import os
import signal
import time
from pathlib import Path

from measuring import Raw, box, median, p90, tell, wait

from reconciler.config import load_settings
from reconciler.drivers.podman.create_request import create_request
from reconciler.wiring import reader

ROUNDS = 10
COLUMNS = ["what", "median ms", "p90 ms", "least ms"]
# The first thing that the process does: the file's time is the moment in which it runs.
MARK = "touch /data/began; exec sleep 9999"
DATA = [{"name": "data", "target": "/data"}]


class Marks:
    """When the app's process last began, by a file in its volume."""

    def __init__(self, it, app="web"):
        self._volume, self._podman, self._file = f"{it.instance}-{app}-data", it.podman, None

    def last(self):
        if self._file is None:
            told = self._podman(
                "volume", "inspect", "--format", "{{.Mountpoint}}", self._volume, check=False
            )
            if not told:
                return 0.0
            self._file = Path(told, "began")
        try:
            return self._file.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def since(self, began):
        """Wait for a run that began later; return the milliseconds from then."""
        wait(lambda: self.last() > began, "a new run")
        return (self.last() - began) * 1000


def rows_of(named):
    return [[name, median(v), p90(v), min(v)] for name, v in named.items()]


def pause():
    """Long enough that the app is calm, and that the clock of files has moved on."""
    time.sleep(0.6)


def drifts(it, raw, found):
    """What the loop makes good; patience would grow, so each round has a loop of its own."""
    it.write("web", command=MARK, volumes=DATA)
    marks = Marks(it)
    for _ in range(ROUNDS):
        it.start()
        it.wait_ready("web")
        pause()
        pid = it.container("web")["Pid"]
        began = time.time()
        os.kill(pid, signal.SIGKILL)
        found["killed: running again"].append(marks.since(began))
        it.wait_ready("web")
        pause()
        it.stop()
        it.start()
        it.wait_ready("web")
        pause()
        ref = it.container("web")["Id"]
        began = time.time()
        raw("DELETE", f"/containers/{ref}?force=true&timeout=0")
        gone = time.time()
        again = marks.since(began)
        found["rm -f: running again, from the request"].append(again)
        found["rm -f: running again, from its reply"].append(again - (gone - began) * 1000)
        it.wait_ready("web")
        assert it.container("web")["Id"] != ref, "what was measured was not the new one"
        it.stop()


def edits(it, found):
    it.start()
    it.wait_ready("web")
    marks = Marks(it)
    for number in range(ROUNDS):
        pause()
        began = time.time()
        it.write("web", command=MARK, volumes=DATA, environment={"N": str(number)})
        found["edit saved: the new one runs"].append(marks.since(began))
        it.wait_ready("web")
    for number in range(ROUNDS):
        pause()
        began = time.time()
        it.write(f"new{number}", command=MARK, volumes=DATA)
        found["file saved: a new app runs"].append(Marks(it, f"new{number}").since(began))
        it.wait_ready(f"new{number}")
    it.stop()


def raw_calls(it, raw, found):
    """The same container, by hand, with no loop beside it."""
    settings = load_settings(
        {
            "desired_state": it.desired,
            "catalogue": it.catalogue,
            "state_dir": it.state,
            "podman": it.service.url,
            "instance": it.instance,
        },
        {},
        None,
    )
    with reader(settings) as reconciler:
        spec = reconciler.preview()[0].desired.apps["web"].containers[0]
    body = create_request(spec, it.instance)
    body["name"] = f"{it.instance}-raw"
    body["labels"] = {**body["labels"], "io.archipelago.container": "raw"}
    ref = it.container("web")["Id"]
    raw("DELETE", f"/containers/{ref}?force=true&timeout=0")
    marks = Marks(it)
    for _ in range(ROUNDS):
        pause()
        began = time.time()
        made = json.loads(raw("POST", "/containers/create", body))["Id"]
        raw("POST", f"/containers/{made}/start")
        found["raw: create + start"].append(marks.since(began))
        pid = json.loads(raw("GET", f"/containers/{made}/json"))["State"]["Pid"]
        pause()
        began = time.time()
        os.kill(pid, signal.SIGKILL)
        wait(lambda m=made: _state(raw, m) == "exited", "the end")
        found["raw: killed until Podman says exited"].append((time.time() - began) * 1000)
        pause()
        began = time.time()
        raw("POST", f"/containers/{made}/start")
        found["raw: start"].append(marks.since(began))
        raw("DELETE", f"/containers/{made}?force=true&timeout=0")


def _state(raw, ref):
    return json.loads(raw("GET", f"/containers/{ref}/json"))["State"]["Status"]


def main():
    names = [
        "raw: killed until Podman says exited",
        "raw: start",
        "killed: running again",
        "raw: create + start",
        "rm -f: running again, from the request",
        "rm -f: running again, from its reply",
        "edit saved: the new one runs",
        "file saved: a new app runs",
    ]
    found = {name: [] for name in names}
    with box() as (it, raw):
        drifts(it, raw, found)
        edits(it, found)
        raw_calls(it, Raw(it.service.socket), found)
    tell("until the process runs", COLUMNS, rows_of(found), f"{ROUNDS} rounds each")


if __name__ == "__main__":
    main()
