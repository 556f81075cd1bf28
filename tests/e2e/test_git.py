"""A box that follows a repository: a push is an install, and nobody goes back without a word."""

import hmac
import http.client
import json

import pytest
from e2e.box import IMAGE, SERVE, app
from git_server import Forge, free_port, served

pytestmark = pytest.mark.e2e


def manifest(name):
    container = {"image": IMAGE, "command": ["sh", "-c", SERVE], "stop_grace_period": 0}
    container |= {"tmpfs": ["/tmp"]}
    return json.dumps({"app": {"id": name, "name": name, "container": container}})


@pytest.fixture
def forge(tmp_path):
    made = Forge(tmp_path / "forge")
    made.write("box/web.yml", manifest("web"))
    return made


def follow(box, forge, url, **git):
    """Return a box whose settings name the repository instead of a folder."""
    it = box()
    lines = {"url": url, "path": "box", "interval": 3600, **git}
    file = it.root / "archipelago.toml"
    file.write_text("[git]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items()))
    it.flags["config"] = file
    it.follows = True
    return it


def push(port, secret):
    body = b"{}"
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", body, {"X-Hub-Signature-256": f"sha256={signature}"})
    assert connection.getresponse().status == 202


@pytest.fixture
def signed(box, forge, tmp_path):
    """A box that follows signed commits, woken by a webhook; it runs `web`."""
    (tmp_path / "secret").write_text("known to two\n")
    (tmp_path / "allowed").write_text(forge.key("alice"))
    forge.first = forge.commit("Add web", key="alice")
    port = free_port()
    with served(forge.root) as address:
        it = follow(
            box,
            forge,
            f"{address}/tree",
            verify="range",
            allowed_signers=str(tmp_path / "allowed"),
            webhook=f"127.0.0.1:{port}",
            webhook_secret_file=str(tmp_path / "secret"),
        )
        it.push = lambda: push(port, "known to two")
        it.start()
        it.wait_ready("web")
        yield it


def test_a_push_is_an_install_and_on_record(signed, forge):
    it = signed
    source = it.status()["source"]
    assert (source["commit"], source["signer"]) == (forge.first, "alice@example.org")
    shown = it.run("status").stdout
    assert f"at {forge.first[:10]}: Add web (Alice <alice@example.org>), signed by alice" in shown
    forge.write("box/db.yml", manifest("db"))
    second = forge.commit("Add db", key="alice")
    it.push()
    it.wait_ready("web", "db")
    [begun] = [e for e in it.json("audit", "--app", "db")["entries"] if e["kind"] == "begin"]
    assert begun["commit"] == second
    assert it.json("plan")["changes"][0]["action"] == "keep"  # a look knows it as well
    refused = it.run("suspend", "web", check=False)
    assert refused.returncode == 1
    assert "change it there, and push" in refused.stderr


def test_a_verb_is_a_push_that_is_taken_and_named(box, forge, tmp_path):
    """As a user: install on the box, and it is in the repository; then it runs."""
    (tmp_path / "allowed").write_text(forge.key("alice") + forge.key("box"))
    forge.commit("Add web", key="alice")
    forge.git("clone", "-q", "--bare", str(forge.tree), str(forge.root / "bare.git"))
    forge.git("config", "http.receivepack", "true", at=forge.root / "bare.git")
    with served(forge.root) as address:
        it = follow(
            box,
            forge,
            f"{address}/bare.git",
            verify="range",
            allowed_signers=str(tmp_path / "allowed"),
            push=True,
        )
        file = it.flags["config"]
        file.write_text(f'commit_key = "{forge.keys / "box"}"\n' + file.read_text())
        it.start()
        it.wait_ready("web")
        (tmp_path / "db.yml").write_text(manifest("db"))
        told = it.json("install", "--manifest", str(tmp_path / "db.yml"))
        head = forge.git("rev-parse", "main", at=forge.root / "bare.git")
        assert (told["file"], told["commit"]) == ("box/db.yml", head)
        it.wait_ready("web", "db")  # long before the interval is over: the verb woke the loop
        source = it.status()["source"]
        assert (source["commit"], source["signer"]) == (head, "box@example.org")
        assert f"{head[:10]} Install db (" in it.run("status", "db").stdout
        assert app(it.status(), "db")["changed_by"]["subject"] == "Install db"
        assert app(it.status(), "web")["changed_by"]["subject"] == "Add web"
        [begun] = [e for e in it.json("audit", "--app", "db")["entries"] if e["kind"] == "begin"]
        assert (begun["commit"], begun["changed_by"]) == (head, head)
        it.run("remove", "db")
        it.wait_gone("db")
        assert it.run("audit", "verify").returncode == 0


def test_a_work_tree_is_committed_to_and_names_the_last_change(box, forge):
    it = box()
    desired = it.desired
    forge.git("init", "-q", "-b", "main", str(desired), at=forge.root)
    (desired / "web.yml").write_text(manifest("web"))
    it.start()
    it.wait_ready("web")
    told = it.json("suspend", "web")
    log = forge.git("log", "--format=%H %s", "--name-only", at=desired).split()
    assert log == [told["commit"], "Suspend", "web", "web.suspend.yml"]
    named = it.wait(lambda s: app(s, "web")["changed_by"], "the last change is known")
    assert app(named, "web")["changed_by"]["commit"] == told["commit"]


def test_nobody_goes_back_without_a_word_nor_without_a_signature(signed, forge):
    it = signed
    forge.write("box/db.yml", manifest("db"))
    forge.commit("Add db", key="alice")
    it.push()
    it.wait_ready("web", "db")
    forge.git("reset", "-q", "--hard", forge.first)
    it.push()
    held = it.wait(lambda s: s["source"]["message"], "the way back is held")
    assert "`archipelago confirm revision`" in held["notices"][0]
    assert app(held, "db")["action"] == "keep"
    it.run("confirm", "revision", "--yes")
    it.wait_gone("db")
    assert it.run("confirm", "revision", "--yes").stdout.startswith("Nothing to confirm")
    forge.write("box/evil.yml", manifest("evil"))
    forge.commit("Not signed")
    it.push()
    it.wait(lambda s: "is not signed" in s["source"]["message"], "it is not taken")
    assert [a["id"] for a in it.status()["apps"]] == ["web"]
    assert it.run("audit", "verify").returncode == 0


def test_a_repository_that_is_gone_at_the_start_removes_nothing(box, forge):
    forge.commit()
    with served(forge.root) as address:
        it = follow(box, forge, f"{address}/tree")
        it.start()
        it.wait_ready("web")
        it.stop()
    it.start()
    told = it.wait(lambda s: s["source"]["message"], "nobody answers")
    assert told["source"]["message"].startswith("cannot fetch the desired state: ")
    assert app(told, "web")["action"] == "keep"
