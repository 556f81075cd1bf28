"""Images from a real registry: pinned, updated, asked about; with a password and TLS."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from contract.machines import PodmanMachine
from e2e.box import Box, app, condition
from local_registry import USER, LocalRegistry, SlowDoor

from reconciler.registry.client import RegistryClient

pytestmark = [
    pytest.mark.podman,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="certificates lie in /etc, which is root's"),
]
MIB = 2**20


@pytest.fixture
def registry(tmp_path, podman_cli, busybox_image):
    made = LocalRegistry(tmp_path / "registry", podman_cli)
    made.base = busybox_image
    made.login()
    yield made
    made.close()


@pytest.fixture
def image(registry):
    return f"{registry.host}/test/web:1"


@pytest.fixture
def box(tmp_path, podman_cli):
    made = Box(tmp_path / "box", podman_cli)
    yield made
    made.clean()


def version(box, name="web"):
    """Which image runs, as it says itself."""
    return box.podman("exec", box.container(name)["Id"], "cat", "/version").strip()


def digest(box, name="web"):
    return app(box.status(), name)["containers"][0]["image_digest"]


def forget_image(box, image):
    """Remove every trace of a repository's images from the box."""
    repository = image.rpartition(":")[0]
    told = box.podman("images", "--all", "--format", "{{.ID}} {{.Repository}}")
    for line in sorted(set(told.splitlines())):
        found, _, name = line.partition(" ")
        if name == repository:
            box.podman("rmi", "--force", found, check=False)


def remove_by_hand(box, name="web"):
    gone = box.container(name)["Id"]
    box.podman("rm", "-f", "-t", "0", gone)
    box.wait(
        lambda s: (
            app(s, name)["action"] == "keep"
            and app(s, name)["containers"][0]["id"] != gone
            and app(s, name)["containers"][0]["state"] == "running"
        ),
        "another container",
    )


@pytest.fixture
def first(box, registry, image):
    """The digest of an image that runs; the tag means another one by now."""
    found = registry.publish(registry.base, "one")
    box.write("web", image=image)
    box.start()
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", found)
    return found


@pytest.fixture
def second(first, registry):
    found = registry.publish(registry.base, "two")
    assert found != first
    return found


def clear_away(box, image):
    """Leave nothing of the app but its manifest and the ledger."""
    box.run("suspend", "web")
    box.wait(lambda s: app(s, "web")["reason"] == "Suspended", "suspension")
    box.podman("rm", "-f", "-a", "--filter", f"label=io.archipelago.instance={box.instance}")
    forget_image(box, image)
    box.run("resume", "web")


def ledger_of(box):
    return json.loads((box.state / box.instance / "images/images.json").read_text())


def test_what_was_resolved_once_is_written_down_and_shown(box, image, first):
    assert ledger_of(box)["pins"] == {"web": {"main": {"image": image, "digest": first}}}
    assert app(box.status(), "web")["containers"][0]["image"] == image
    assert first[:19] in box.run("status", "web").stdout


def test_a_tag_that_moves_changes_nothing_until_somebody_asks(box, image, first, second):
    (row,) = box.json("outdated")["images"]
    assert (row["state"], row["running"], row["available"]) == ("newer", first, second)
    assert "newer" in box.run("outdated").stdout
    remove_by_hand(box)
    assert (version(box), digest(box)) == ("one", first)
    clear_away(box, image)  # pulled again, and exactly the same
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", first)


def test_a_ledger_that_is_lost_changes_nothing(box, first, second):
    before = box.container("web")["Id"]
    shutil.rmtree(box.state / box.instance / "images")
    box.stop()
    box.start()
    box.wait_ready("web")
    assert (box.container("web")["Id"], digest(box)) == (before, first)
    assert ledger_of(box)["pins"]["web"]["main"]["digest"] == first


def test_an_update_runs_the_new_image_and_the_next_one_touches_nothing(box, first, second):
    assert box.json("update", "web")["changed"] is True
    box.wait(lambda s: digest(box) == second and len(app(s, "web")["containers"]) == 1, "update")
    box.wait_ready("web")
    assert version(box) == "two"
    assert len(box.containers()) == 1, "the one before is gone"
    now = box.container("web")["Id"]
    assert box.json("update", "web")["changed"] is False
    assert "nothing to do" in box.run("update", "--all").stdout
    assert [r["state"] for r in box.json("outdated")["images"]] == ["current"]
    box.wait_ready("web")
    assert box.container("web")["Id"] == now


def test_what_is_pinned_and_gone_is_said_and_never_replaced(box, registry, image, first, second):
    registry.drop(first)
    clear_away(box, image)
    status = box.wait(lambda s: "no longer has" in app(s, "web")["message"], "a complaint")
    assert "`archipelago update web` asks anew" in app(status, "web")["message"]
    assert box.containers() == {}
    box.run("update", "web")
    box.wait_ready("web", patience=20)
    assert version(box) == "two"


def test_an_update_that_cannot_be_pulled_leaves_the_old_one_running(box, registry, first, second):
    before = box.container("web")["Id"]
    box.stop()
    assert box.json("update", "web")["changed"] is True
    registry.drop(second)
    box.start()
    box.wait(lambda s: "no longer has" in app(s, "web")["message"], "a complaint")
    assert (box.container("web")["Id"], digest(box)) == (before, first)


def test_always_asks_whenever_the_container_is_made(box, registry, image):
    first = registry.publish(registry.base, "one")
    box.write("web", image=image, container={"pull_policy": "always"})
    box.start()
    box.wait_ready("web")
    before = box.container("web")["Id"]
    second = registry.publish(registry.base, "two")
    box.stop()
    box.start()
    box.wait_ready("web")
    assert (box.container("web")["Id"], digest(box)) == (before, first), "it was not made anew"
    remove_by_hand(box)
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("two", second)


def test_never_asks_nobody(box, registry, image):
    registry.publish(registry.base, "one")
    box.write("web", image=image, container={"pull_policy": "never"})
    box.start()
    status = box.wait(lambda s: "pull policy is never" in app(s, "web")["message"], "a refusal")
    assert not condition(status, "web", "Ready")["status"]
    box.podman("pull", "-q", image)
    box.wait_ready("web")
    assert version(box) == "one"


def test_a_wrong_password_is_said_and_not_shown(box, registry, image):
    registry.publish(registry.base, "one")
    auth = Path("/run/containers/0/auth.json")
    good = auth.read_text()
    try:
        box.podman("logout", registry.host)
        box.write("web", image=image)
        box.start()
        status = box.wait(lambda s: "cannot pull" in app(s, "web")["message"], "a complaint")
        assert "authentication required" in app(status, "web")["message"]
        told = box.run("outdated", check=False)
        assert told.returncode == 1
        assert "podman login" in told.stdout
        assert box.run("update", "web", check=False).returncode == 1
    finally:
        auth.write_text(good)
    box.wait_ready("web")


def test_a_registry_that_nobody_vouches_for_is_named(box, registry, image):
    registry.publish(registry.base, "one")
    registry.distrust()
    box.write("web", image=image)
    box.start()
    status = box.wait(lambda s: "cannot pull" in app(s, "web")["message"], "a complaint")
    assert "certificate signed by unknown authority" in app(status, "web")["message"]
    told = box.run("outdated", check=False)
    assert told.returncode == 1
    assert "certificate is not trusted" in told.stdout
    registry.trust()
    box.wait_ready("web")


@pytest.fixture
def slow(registry):
    """The same image through a door that lets 6 MiB a second pass."""
    door = SlowDoor(registry.port, 6 * MIB)
    registry.trust(door.port)
    host = f"localhost:{door.port}"
    registry.podman("login", "-u", USER, "--password-stdin", host, stdin=registry.password)
    yield f"{host}/test/web:1"
    door.close()
    registry.podman("logout", host, check=False)


def pulls(status):
    message = app(status, "web")["message"]
    return message.startswith("pulling") and "MiB" in message


def test_a_long_pull_tells_layers_and_bytes(box, registry, slow):
    registry.publish(registry.base, "big", layers=(30 * MIB, 30 * MIB, 30 * MIB))
    box.write("web", image=slow)
    box.start()
    seen = []

    def watched(status):
        message = app(status, "web")["message"]
        if message.startswith("pulling") and message not in seen:
            seen.append(message)
        return app(status, "web")["action"] == "keep"

    box.wait(watched, "the pull", patience=90)
    told = [re.search(r"(\d) of 5 layers, (\d+\.\d) of 90\.0 MiB$", m) for m in seen]
    sizes = [float(m[2]) for m in told if m]
    assert len(sizes) >= 2, seen
    assert sizes == sorted(sizes), seen


def test_killed_in_the_middle_of_a_pull_the_next_loop_goes_on(box, registry, slow):
    registry.publish(registry.base, "one")
    box.write("web", image=slow)
    box.start()
    box.wait_ready("web")
    before = box.container("web")["Id"]
    second = registry.publish(registry.base, "two", layers=(40 * MIB,))
    box.run("update", "web")
    box.wait(pulls, "a pull that is under way")
    box.stop(signal.SIGKILL)
    assert box.container("web")["Id"] == before
    box.start()
    box.wait(lambda s: digest(box) == second and len(app(s, "web")["containers"]) == 1, "update")
    box.wait_ready("web")
    assert version(box) == "two"


def test_a_registry_that_the_operator_calls_insecure(box, tmp_path, podman_cli, busybox_image):
    settings = Path("/etc/containers/registries.conf.d/of-a-test.conf")
    registry = LocalRegistry(tmp_path / "plain", podman_cli, tls=False, password="")
    settings.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    try:
        found = registry.publish(busybox_image, "one")
        box.write("web", image=f"{registry.host}/test/web:1")
        box.start()
        box.wait_ready("web")
        assert digest(box) == found
        assert [r["state"] for r in box.json("outdated")["images"]] == ["current"]
    finally:
        settings.unlink()
        registry.close()


@pytest.mark.parametrize("many", [False, True], ids=["an image", "an index of images"])
def test_where_only_podman_knows_the_way_its_own_digest_is_the_pin(
    many, registry, image, tmp_path, podman_socket
):
    wanted = {registry.publish(registry.base, "one")}
    if many:
        image = f"{registry.host}/test/many:1"
        registry.podman("manifest", "create", image)
        registry.podman("manifest", "add", image, f"docker://{registry.host}/test/web:1")
        registry.podman("manifest", "push", "--all", image, f"docker://{image}")
        registry.podman("manifest", "rm", image)
        # Podman 4 tells the digest of the index, Podman 5 that of the image in it.
        wanted.add(RegistryClient(dict(os.environ)).digest(image))
    machine = PodmanMachine(registry.base, tmp_path / "machine", podman_socket)
    spec = machine.spec(image=image)
    machine.driver.prepare_image(spec, lambda _: None)
    found = machine.ledger.pins()[spec.app, spec.name].digest
    assert found in wanted
    assert machine.running(spec).image_digest == found
    machine.close()
