"""The metrics before Prometheus' own judges: promtool, and a server that scrapes them."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest

from reconciler.model.change import Action, Change, Outcome, Reason, Result
from reconciler.model.health import HealthState
from reconciler.model.status import AppStatus, Condition, ConditionType, PassStatus, Status
from reconciler.report.metrics import Metrics

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: archipelago
    static_configs: [{{targets: ["{address}"]}}]
"""


def found(tool):
    path = shutil.which(tool)
    if path:
        return path
    message = f"needs {tool}: apt-get install prometheus"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    return pytest.skip(message)


@pytest.fixture
def metrics():
    """Metrics in which every family has a series."""
    made = Metrics()
    conditions = tuple(Condition(kind, True, "x", "", NOW) for kind in ConditionType)
    app = AppStatus(
        "web",
        "1",
        Action.KEEP,
        "x",
        "",
        conditions,
        "1-a",
        HealthState.HEALTHY,
        (),
        (),
        disk_bytes=1,
        disk_limit=2,
    )
    made.passed(Status((app,), PassStatus(1, 0.02, NOW)))
    change = Change("web", Action.RESTART, Reason.UNHEALTHY)
    made.finished(Outcome(change, Result.APPLIED, "", NOW, NOW, 1))
    made.api_call("list_containers", 0.01, False)
    yield made
    made.close()


def test_promtool_finds_nothing_to_say(metrics):
    checked = subprocess.run(
        [found("promtool"), "check", "metrics"],
        input=generate_latest(metrics.registry),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def asked(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as reply:
            return json.load(reply)["data"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


@pytest.fixture
def prometheus(tmp_path, metrics):
    """The port of a Prometheus server that scrapes the metrics."""
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(address=metrics.serve("127.0.0.1:0")))
    port = free_port()
    server = subprocess.Popen(
        [
            found("prometheus"),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(5)


def test_a_real_prometheus_scrapes_them(prometheus):
    query = urllib.parse.quote('archipelago_changes_total{action="restart",result="applied"}')
    ends = time.monotonic() + 30
    result = None
    while time.monotonic() < ends and not result:
        result = (asked(prometheus, f"/api/v1/query?query={query}") or {}).get("result")
        time.sleep(0.2)
    assert result, "nothing was scraped in 30 s"
    assert result[0]["value"][1] == "1"
    [target] = asked(prometheus, "/api/v1/targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    names = asked(prometheus, "/api/v1/label/__name__/values")
    assert "archipelago_podman_call_duration_seconds_bucket" in names
