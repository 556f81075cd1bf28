"""What the kernel enforces of an app is told, and so is who only looks like one of ours."""

import pytest
from e2e.box import condition, ready

pytestmark = [pytest.mark.podman, pytest.mark.e2e]
ALONE = "neither AppArmor nor SELinux confines main"


def confined(status, app):
    if not ready(status, app):
        return None
    told = condition(status, app, "Confined")
    return told["status"], told["reason"], told["message"]


def marks(box, app):
    """What makes a container of ours recognised, for one that is made by other hands."""
    form = "{{range $k, $v := .Config.Labels}}--label={{$k}}={{$v}}\n{{end}}"
    ref = box.container(app)["Id"]
    name = box.podman("inspect", "--format", "{{.Name}}", ref).strip()
    return ["--name", name, *box.podman("inspect", "--format", form, ref).split()]


def test_what_the_kernel_enforces_is_told_and_what_it_does_not(box, busybox_image):
    made = box()
    made.write("notes")
    made.write("raw", security={"capabilities": ["NET_RAW"]})
    made.write("free", security={"privileged": True})
    made.approve("raw", "free")
    made.start().wait_ready("notes", "raw", "free")
    apps = ("notes", "raw", "free")
    made.wait(
        lambda s: all((confined(s, a) or ("", "NotKnown"))[1] != "NotKnown" for a in apps), ""
    )
    told = made.status()
    for app in ("notes", "raw"):
        status, reason, message = confined(told, app)
        assert (status, reason) == (True, "Confined")
        assert message in {ALONE, ""}
    wish = "nothing confines main: privileged, as its manifest says"
    assert confined(told, "free") == (False, "Privileged", wish)

    given = marks(made, "notes")
    made.stop()
    made.podman("rm", "--force", "--time", "0", given[1])
    made.podman("run", "--detach", "--privileged", *given, busybox_image, "sleep", "1000")
    made.start()
    made.wait(lambda s: (confined(s, "notes") or ("",) * 2)[1] == "NotConfined", "to be told")
    message = confined(made.status(), "notes")[2]
    assert "capabilities that its manifest does not list: AUDIT_CONTROL, " in message
    assert "main may gain privileges; the system calls of main are not filtered" in message
    assert "main has unprotected " in message
    assert "NotConfined" in made.run("status", "notes").stdout

    made.podman("rm", "--force", "--time", "0", given[1])  # it is made again, by us
    made.wait(lambda s: (confined(s, "notes") or (False,))[0], "to be confined again")
    events = [e for e in made.json("events", "notes")["events"] if e["kind"] == "confinement"]
    assert [e["reason"] for e in events] == ["NotConfined", "Confined"]
