"""Apps that are stopped for a while, and apps that are left exactly as they are."""

import pytest
from e2e.box import app, condition, ready

pytestmark = [pytest.mark.podman, pytest.mark.e2e]


def test_everything_is_stopped_for_a_while_and_comes_back_by_itself(box):
    it = box()
    it.write("db")
    it.write("web", dependencies=["db"])
    it.start().wait_ready("web", "db")
    ids = {c["Id"] for c in it.containers().values()}
    told = it.run("suspend", "--all", "--for", "4s").stdout
    assert "the loop stops everything until" in told
    status = it.wait(
        lambda s: all(app(s, a)["action"] == "hold" for a in ("web", "db")), "the stop"
    )
    assert app(status, "web")["suspended"]["until"].endswith("Z")
    assert app(status, "web")["message"].startswith("suspended by the operator until 20")
    assert it.containers(running=True) == {}
    it.wait_ready("web", "db")
    assert {c["Id"] for c in it.containers(running=True).values()} == ids
    assert app(it.status(), "web")["suspended"] is None


def test_what_is_left_alone_may_be_stopped_by_hand(box):
    it = box()
    it.write("web")
    it.write("db")
    it.start().wait_ready("web", "db")
    before = it.container("web")
    it.run("suspend", "web", "--keep-running")
    status = it.wait(lambda s: app(s, "web")["reason"] == "Suspended", "the word")
    assert ready(status, "web")
    assert condition(status, "web", "Ready")["reason"] == "Suspended"
    it.podman("stop", "-t", "0", before["Id"])
    it.wait(lambda s: not ready(s, "web"), "the stop to be seen")
    it.write("web", container={"environment": {"A": "b"}})
    it.delete("db")
    it.wait_gone("db")
    (left,) = it.containers().values()
    assert (left["Id"], left["State"]) == (before["Id"], "exited")
    assert "left as it is by the operator" in it.run("status").stdout
    it.run("resume", "web")
    it.wait_ready("web")
    assert it.container("web")["Id"] != before["Id"]
