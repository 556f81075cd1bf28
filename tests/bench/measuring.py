"""What every bench needs: a box on a real Podman, raw requests beside it, and a table."""

import http.client
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS)]

from conftest import BUSYBOX, CONTAINERFILE, run_podman, static_busybox  # noqa: E402
from e2e.box import Box  # noqa: E402

from reconciler.drivers.podman.service import PodmanService  # noqa: E402

RESULTS = TESTS.parent / ".bench"


@contextmanager
def box():
    """A box with a Podman service and the image; yields it and the raw API."""
    root = Path(tempfile.mkdtemp(prefix="archipelago-bench-"))
    service = PodmanService(root / "podman", "bench", dict(os.environ))
    service.start()
    context = root / "busybox/bin"
    context.mkdir(parents=True)
    shutil.copy(static_busybox(), context / "busybox")
    for applet in ("sh", "sleep", "touch"):
        (context / applet).symlink_to("busybox")
    (root / "busybox/Containerfile").write_text(CONTAINERFILE)
    run_podman("build", "--quiet", "--tag", BUSYBOX, root / "busybox")
    made = Box(root / "box", run_podman)
    made.flags["podman"] = service.url
    made.service = service
    try:
        yield made, Raw(service.socket)
    finally:
        made.clean()
        service.stop()
        shutil.rmtree(root)


class Raw:
    """Podman's API with nothing around it: one connection, kept open."""

    def __init__(self, path):
        self._connection = http.client.HTTPConnection("localhost")
        self._connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.sock.connect(str(path))

    def __call__(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        self._connection.request(method, f"/v4.0.0/libpod{path}", text, headers)
        reply = self._connection.getresponse()
        told = reply.read()
        if reply.status >= 400:
            raise RuntimeError(f"{method} {path}: {reply.status} {told.decode()}")
        return told

    def list(self, instance):
        filters = json.dumps({"label": [f"io.archipelago.instance={instance}"]})
        return self("GET", f"/containers/json?all=true&filters={quote(filters)}")


def timed(work):
    """How many milliseconds it took."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def median(values):
    return statistics.median(values)


def p90(values):
    return sorted(values)[max(0, round(0.9 * len(values)) - 1)]


def wait(wanted, what, patience=30.0):
    ends = time.monotonic() + patience
    while not wanted():
        if time.monotonic() > ends:
            raise TimeoutError(what)
        time.sleep(0.001)


def tell(name, columns, rows, note=""):
    """Print a table, and keep its figures beside it."""
    print(f"\n{name}{': ' + note if note else ''}")
    table = [columns, *([_shown(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(columns))]
    for row in table:
        cells = (
            v.ljust(w) if i == 0 else v.rjust(w)
            for i, (v, w) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join(cells))
    RESULTS.mkdir(exist_ok=True)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    document = {"name": name, "note": note, "load": os.getloadavg()[0], "rows": found}
    file = RESULTS / f"{Path(sys.argv[0]).stem}.json"
    kept = json.loads(file.read_text()) if file.exists() else []
    kept = [k for k in kept if k["name"] != name]
    file.write_text(json.dumps([*kept, document], indent=1) + "\n")


def _shown(value):
    return f"{value:.2f}" if isinstance(value, float) else str(value)
