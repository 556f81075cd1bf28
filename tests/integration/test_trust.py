"""Signed images from a real registry on a real Podman: what was verified is what runs."""

import json
import os
import shutil

import keyless
import pytest
import signer
from e2e.box import Box, app
from local_registry import Kept, LocalRegistry

pytestmark = [
    pytest.mark.podman,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="the registry's settings lie in /etc"),
]
KEY, STRANGER = signer.make_key(), signer.make_key()


@pytest.fixture
def registry(tmp_path, podman_cli, busybox_image):
    made = LocalRegistry(tmp_path / "registry", podman_cli, tls=False, password="")
    made.base = busybox_image
    yield made
    made.close()


@pytest.fixture
def kept(registry):
    return Kept(registry)


@pytest.fixture
def box(tmp_path, podman_cli, registry, monkeypatch):
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    trust = tmp_path / "trust.yaml"
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(conf))
    monkeypatch.setenv("ARCHIPELAGO_TRUST", str(trust))
    made = Box(tmp_path / "box", podman_cli)
    made.trust = trust
    write_trust(made, f"{registry.host}/test")
    yield made
    made.clean()


def write_trust(box, scope, mode="enforce", key=KEY):
    box.trust.with_name("alice.pub").write_text(signer.pem(key))
    entry = {"scope": scope, "any_of": ["alice"], "allow_unbound_identity": True}
    document = {"mode": mode, "keys": {"alice": "alice.pub"}, "scopes": [entry]}
    box.trust.write_text(json.dumps(document))


def version(box, name="web"):
    return box.podman("exec", box.container(name)["Id"], "cat", "/version").strip()


def digest(box, name="web"):
    return app(box.status(), name)["containers"][0]["image_digest"]


def held(box, reason="NotVerified", name="web"):
    status = box.wait(lambda s: app(s, name)["reason"] == reason, f"{reason} of {name}")
    found = app(status, name)
    assert found["action"] == "hold"
    return found["message"]


@pytest.mark.parametrize("way", ["classic", "bundle"])
def test_a_signed_image_runs_by_its_id(box, registry, kept, way):
    found = registry.publish(registry.base, "one")
    (kept.sign if way == "classic" else kept.sign_bundle)(found, KEY)
    image = f"{kept.repository}:1"
    box.write("web", image=image)
    box.start()
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", found)
    there = box.container("web")
    ids = json.loads((box.state / box.instance / "images/ids.json").read_text())
    assert there["ImageID"] == ids[f"{kept.repository}@{found}"]
    pins = json.loads((box.state / box.instance / "images/images.json").read_text())["pins"]
    assert pins["web"]["main"] == {"image": image, "digest": found}


def test_who_signed_nothing_is_held_and_others_are_not(box, registry, kept):
    registry.publish(registry.base, "one")
    good = registry.publish(registry.base, "two", name="test/good")
    Kept(registry, "test/good").sign(good, KEY)
    box.write("web", image=f"{kept.repository}:1")
    box.write("good", image=f"{registry.host}/test/good:1")
    box.start()
    box.wait_ready("good")
    message = held(box)
    assert message == f"cannot prove who made {kept.repository}:1: it has no signature"
    assert box.podman("images", "--quiet", kept.repository) == ""
    assert not app(box.status(), "web")["containers"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda kept, one, two: kept.sign(one, STRANGER), "nobody who counts"),
        (
            lambda kept, one, two: kept.sign_bundle(one, KEY, predicate=signer.SBOM),
            "no signature of an",
        ),
        (
            lambda kept, one, two: kept.sign(one, KEY, repository="other.example/x"),
            "this repository",
        ),
    ],
    ids=["a stranger", "an attestation", "another repository"],
)
def test_what_proves_nothing_is_held(box, registry, kept, spoil, says):
    one = registry.publish(registry.base, "one")
    spoil(kept, one, None)
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    assert says in held(box)


def test_a_tag_that_moves_moves_nothing(box, registry, kept):
    """Between any two steps the tag is another image: what was verified is what runs."""
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    evil = registry.publish(registry.base, "evil")  # has the tag from now on
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    assert "it has no signature" in held(box)
    kept.point(one)
    box.stop()  # who was denied is asked about again in minutes, or after a start
    box.start()
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", one)
    kept.point(evil)
    gone = box.container("web")["Id"]
    box.podman("rm", "-f", "-t", "0", gone)
    box.wait(lambda s: app(s, "web")["containers"][0]["id"] != gone, "another container")
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", one)
    refused = box.run("update", "web", check=False)
    assert refused.returncode == 1
    assert "it has no signature" in refused.stderr
    assert (app(box.status(), "web")["action"], version(box)) == ("keep", "one")
    kept.sign(evil, KEY)
    box.run("update", "web")
    box.wait(lambda s: digest(box) == evil, "an update")
    box.wait_ready("web")
    assert version(box) == "evil"


def test_a_pin_is_verified_and_pulled_while_the_tag_is_another_image(box, registry, kept):
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    registry.publish(registry.base, "evil")
    box.write("web", image=f"{kept.repository}:1@{one}")
    box.start()
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", one)


def test_another_image_under_a_verified_name_is_not_run(box, registry, kept):
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    ids = box.state / box.instance / "images/ids.json"
    ids.parent.mkdir(parents=True)
    ids.write_text(json.dumps({f"{kept.repository}@{one}": "0" * 64}))
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    box.wait(lambda s: "is not the one that was prepared" in app(s, "web")["message"], "a refusal")


def test_where_it_only_warns_all_runs_and_is_said(box, registry, kept):
    write_trust(box, f"{registry.host}/test", "warn")
    registry.publish(registry.base, "one")
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    box.wait_ready("web")
    box.wait(lambda s: any("it has no signature" in n for n in s["notices"]), "a notice")


def test_a_box_that_boots_asks_nobody(box, registry, kept):
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    box.wait_ready("web")
    box.stop()
    registry.stop()
    box.podman("rm", "-f", "-a", "--filter", f"label=io.archipelago.instance={box.instance}")
    box.start()
    box.wait_ready("web")
    assert digest(box) == one


def test_a_trust_file_that_breaks_stops_nothing_that_runs(box, registry, kept):
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    box.wait_ready("web")
    before = box.container("web")["Id"]
    box.trust.write_text("mode: maybe\n")
    box.write("db", image=f"{kept.repository}:1")
    assert "trust.yaml:1:7" in held(box, name="db")
    assert box.container("web")["Id"] == before
    assert any("trust.yaml:1:7" in n for n in box.status()["notices"])
    shutil.copy(box.trust, box.trust.with_suffix(".bad"))
    write_trust(box, f"{registry.host}/test", key=STRANGER)
    box.write("more", image=f"{kept.repository}:1")
    assert "nobody who counts" in held(box, name="more")
    assert box.container("web")["Id"] == before


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_a_registry_that_gives_other_bytes_for_what_was_verified_gets_nothing_run(
    box, registry, kept, part
):
    """What is pulled by a digest is checked by Podman down to the last byte."""
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    blobs = registry.root / "data/docker/registry/v2/blobs/sha256"

    def blob(name):
        return blobs / name[7:9] / name[7:] / "data"

    told = json.loads(blob(one).read_bytes())
    goal = {"config": told["config"], "layer": told["layers"][-1]}.get(part, {"digest": one})
    content = bytearray(blob(goal["digest"]).read_bytes())
    content[-3] ^= 1
    blob(goal["digest"]).write_bytes(content)
    box.write("web", image=f"{kept.repository}:1@{one}")
    box.start()
    box.wait(lambda s: app(s, "web")["reason"] in {"BackOff", "Failed"}, "a refusal")
    assert "cannot pull" in app(box.status(), "web")["message"]
    assert not app(box.status(), "web")["containers"]


def test_the_verb_explains_what_the_loop_decides(box, registry, kept):
    one = registry.publish(registry.base, "one")
    image = f"{kept.repository}:1"
    refused = box.run("trust", "test", image, check=False)
    assert refused.returncode == 1
    assert "it has no signature" in refused.stdout
    kept.sign(one, KEY)
    told = box.json("trust", "test", image)
    assert (told["standing"], told["digest"], told["signers"]) == ("trusted", one, ["alice"])
    box.write("web", image=image)
    box.start()
    box.wait_ready("web")
    (listed,) = box.json("trust", "list")["images"]
    assert (listed["standing"], listed["digest"]) == ("trusted", one)


def test_one_apply_waits_for_what_is_looked_for_and_not_for_a_person(box, registry, kept):
    good = registry.publish(registry.base, "two", name="test/good")
    Kept(registry, "test/good").sign(good, KEY)
    box.write("good", image=f"{registry.host}/test/good:1")
    assert box.run("apply").returncode == 0
    assert digest(box, "good") == good
    registry.publish(registry.base, "one")
    box.write("web", image=f"{kept.repository}:1")
    done = box.run("apply", check=False)
    assert done.returncode == 1
    assert "it has no signature" in done.stdout + done.stderr


def told_of(box, *words):
    done = box.run(*words, check=False)
    return done.returncode, done.stdout + done.stderr


def test_another_signer_and_a_tag_that_goes_back_wait_for_a_word(box, registry, kept):
    one = registry.publish(registry.base, "one")
    kept.sign(one, KEY)
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    box.wait_ready("web")
    past = box.state / box.instance / "images/past.json"
    box.wait(lambda _: past.exists() and "alice" in past.read_text(), "alice is remembered")
    document = json.loads(box.trust.read_text())
    document["keys"]["bob"] = "bob.pub"
    document["scopes"][0]["any_of"].append("bob")
    box.trust.with_name("bob.pub").write_text(signer.pem(STRANGER))
    box.trust.write_text(json.dumps(document))
    two = registry.publish(registry.base, "two")
    kept.sign(two, STRANGER)
    code, told = told_of(box, "update", "web")
    assert (code, "is signed by bob, and was by alice until now" in told) == (1, True), told
    code, told = told_of(box, "confirm", "signer", "web", "--yes")
    assert (code, "web/main: alice → bob" in told) == (0, True), told
    box.run("update", "web")
    box.wait(lambda _: digest(box) == two, "the new one runs")
    box.wait_ready("web")
    kept.point(one)
    box.wait(lambda _: len(box.containers("label=io.archipelago.app=web")) == 1, "one is gone")
    code, told = told_of(box, "update", "web")
    assert (code, "has moved back to" in told, "--back" in told) == (1, True, True), told
    assert version(box) == "two"
    box.run("update", "web", "--back")
    box.wait(lambda _: digest(box) == one, "what was before runs again")
    verbs = [e["verb"] for e in box.json("audit")["entries"] if e["kind"] == "operator"]
    assert verbs == ["confirm signer", "update", "update"]


def test_who_signs_without_a_key_is_verified_offline(box, registry, kept):
    sigstore = keyless.Sigstore()
    box.trust.with_name("root.json").write_text(sigstore.trusted_root())
    who = {"issuer": keyless.ISSUER, "identity": keyless.HOLDER}
    document = {
        "mode": "enforce",
        "trusted_root": "root.json",
        "keyless": {"release": who},
        "scopes": [{"scope": kept.repository, "any_of": ["release"]}],
    }
    box.trust.write_text(json.dumps(document))
    one = registry.publish(registry.base, "one")
    kept.sign_keyless(one, sigstore, holder="https://forge.example/other")
    box.write("web", image=f"{kept.repository}:1")
    box.start()
    assert "nobody who counts here has signed it" in held(box)
    kept.sign_keyless(one, sigstore)
    box.run("trust", "test", f"{kept.repository}:1")
    box.stop()
    box.start()  # it would be looked at again within five minutes
    box.wait_ready("web")
    assert (version(box), digest(box)) == ("one", one)
    (listed,) = box.json("trust", "list")["images"]
    assert (listed["standing"], listed["signers"]) == ("trusted", ["release"])
