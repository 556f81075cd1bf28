"""The operator's word: what is shown, what is written, and what a script has to say."""

import json

import pytest
from unit.test_cli import box, entry, manifest  # noqa: F401 - box is a fixture

from reconciler import wiring
from reconciler.cli import prompt
from reconciler.sources.manifests import load_documents

ADMIN = "  security: {capabilities: [NET_ADMIN], network_policy: host}\n"
STORAGE = "  dependencies: [{storage: 10Gi}]\n"


def wide(box, more=ADMIN):  # noqa: F811 - the fixture's value
    box.write("web.yml", manifest("web") + more + STORAGE)


def asked(box, app="web"):  # noqa: F811
    (found,) = box.json("permissions", app)["apps"]
    return found


def policy(box, text):  # noqa: F811
    (box.root / "policy.toml").write_text(text)
    (box.root / "policy.toml").chmod(0o600)


@pytest.fixture
def person(monkeypatch):
    """Somebody at a terminal."""
    monkeypatch.setattr(prompt, "interactive", lambda: True)


def plan_of(box, app="web"):  # noqa: F811
    return next(c for c in box.json("plan")["changes"] if c["app"] == app)


def test_what_an_app_may_do_is_printed_by_risk(box):  # noqa: F811
    wide(box, "  security: {capabilities: [SYS_ADMIN, NET_ADMIN]}\n")
    told = box.run("permissions", "web").stdout.splitlines()
    assert told[:5] == [
        "web (web)",
        "  as good as root of this machine:",
        "    - Capability: SYS_ADMIN (does most of what root does), not approved",
        "  more than every app may do:",
        "    - Capability: NET_ADMIN (changes the settings of its network), not approved",
    ]
    assert "    - Storage: 10 GiB" in told
    if wiring.unenforced():
        assert told.pop() == f"  not enforced on this machine: {wiring.unenforced()[0]}"
    assert told[-1].startswith("  `archipelago approve web` asks for your word; hash: 1-")


def test_what_an_app_may_do_for_machines(box):  # noqa: F811
    wide(box)
    found = asked(box)
    assert (found["app"], found["approved"], found["denied"]) == ("web", False, [])
    assert found["permissions"][0] == {
        "permission": "network host",
        "risk": "elevated",
        "told": "Network: host (shares the host's network; can reach every service on it)",
        "new": False,
        "missing": True,
    }
    assert found["permissions"][-1]["risk"] == "baseline"


def test_what_could_be_installed_can_be_asked_about(box):  # noqa: F811
    entry(box, "shop", parameters="{name: TITLE, required: true}", more=ADMIN)
    assert asked(box, "shop")["permissions"][0]["permission"] == "network host"
    file = box.root / "apps" / "shop" / "manifest.yml"
    assert asked(box, str(file))["app"] == "shop"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("wbe", "did you mean web?"),
        ("./gone.yml", "cannot read gone.yml: there is no such file"),
    ],
)
def test_what_cannot_be_asked_about_is_said(box, what, told):  # noqa: F811
    wide(box)
    found = box.run("permissions", what)
    assert found.exit_code == 1
    assert told in found.stderr


def test_a_file_without_apps_and_a_broken_one_are_said(box):  # noqa: F811
    box.write("a.yml", "suspend: {app: web}\n")
    assert "no app is in it" in box.run("permissions", str(box.desired / "a.yml")).stderr
    box.write("a.yml", "app: {}\n")
    assert "the key `id` is missing" in box.run("permissions", str(box.desired / "a.yml")).stderr


def test_a_person_is_shown_the_request_and_asked(box, person):  # noqa: F811
    wide(box)
    assert plan_of(box)["reason"] == "ApprovalRequired"
    told = box.run("approve", "web", stdin="y\n")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(
        "web requests:\n"
        "  - Network: host (shares the host's network; can reach every service on it)\n"
        "  - Capability: NET_ADMIN (changes the settings of its network)\n"
        "  - Storage: 10 GiB\n"
        + "".join(f"  not enforced on this machine: {what}\n" for what in wiring.unenforced())
        + "Approve? [y/N]: "
    )
    file = box.desired / "web.approve.yml"
    assert f"Wrote {file}: web may do that; the loop goes on." in told.stdout
    (document,) = load_documents(file.read_bytes(), "x").documents
    assert [p.text for p in document.manifest.permissions] == [
        "capability NET_ADMIN",
        "network host",
    ]
    assert document.manifest.by
    assert plan_of(box)["action"] == "install"
    assert "asks for nothing that is not approved" in box.run("approve", "web").stdout


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_a_person_may_say_no(box, person, answer):  # noqa: F811
    wide(box)
    told = box.run("approve", "web", stdin=answer)
    assert told.exit_code == 1
    assert "It was not approved; nothing was approved" in told.stderr
    assert [f.name for f in box.desired.iterdir()] == ["web.yml"]


def test_a_script_says_what_it_read(box):  # noqa: F811
    wide(box)
    found = asked(box)["hash"]
    told = box.json("approve", "web", "--yes", "--accept-permissions", found)
    assert (told["changed"], told["hash"]) == (True, found)
    assert told["file"] == str(box.desired / "web.approve.yml")
    assert box.json("approve", "web", "--yes", "--accept-permissions", found)["changed"] is False


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            (),
            "cannot ask: nobody is there to answer; read it with `archipelago",
        ),
        (("--yes",), "--yes alone is no word"),
        (("--yes", "--accept-permissions", "1-0"), "the hash is of something else"),
        (("--accept-permissions", "HASH"), "a hash alone is no word"),
    ],
)
def test_a_script_that_says_less_approves_nothing(box, options, told):  # noqa: F811
    wide(box)
    found = asked(box)["hash"]
    words = [found if word == "HASH" else word for word in options]
    for verb in ("approve", "install"):
        if verb == "install":
            entry(box, "shop", more=ADMIN)
        said = box.run(verb, "web" if verb == "approve" else "shop", *words)
        assert said.exit_code == 1
        assert told in said.stderr
        assert f"--accept-permissions {found}" in said.stderr
    assert [f.name for f in box.desired.iterdir()] == ["web.yml"]


def test_what_is_new_is_asked_first_and_what_is_known_in_one_line(box, person):  # noqa: F811
    wide(box)
    box.run("approve", "web", stdin="y\n")
    wide(box, "  security: {capabilities: [NET_ADMIN, SYS_TIME], network_policy: host}\n")
    told = box.run("approve", "web", stdin="y\n").stdout.splitlines()
    assert told[1] == "  - Capability: SYS_TIME (sets this machine's clock)"
    assert told[3].startswith("  as before: Network: host")
    assert plan_of(box)["action"] == "install"


def test_a_word_is_taken_back(box, person):  # noqa: F811
    wide(box)
    box.run("approve", "web", stdin="y\n")
    told = box.run("approve", "web", "--revoke")
    assert "The approval of web is revoked" in told.stdout
    assert plan_of(box)["reason"] == "ApprovalRequired"
    assert "web is not approved." in box.run("approve", "web", "--revoke").stdout
    assert box.json("approve", "web", "--revoke")["changed"] is False
    assert "cannot find the app `wbe`" in box.run("approve", "wbe", "--revoke").stderr


def test_an_approval_that_was_written_by_hand_is_its_writers(box, person):  # noqa: F811
    wide(box)
    box.run("approve", "web", stdin="y\n")
    (box.desired / "web.approve.yml").rename(box.desired / "mine.yml")
    wide(box, "  security: {privileged: true}\n")
    told = box.run("approve", "web", stdin="y\n")
    assert told.exit_code == 1
    assert f"there is an approval already, {box.desired / 'mine.yml'}:2:1" in told.stderr


def test_what_is_broken_or_unknown_is_not_approved(box, person):  # noqa: F811
    box.write("web.yml", manifest("web") + "  colour: red\n")
    assert "web" in box.run("approve", "web").stderr
    assert "cannot find the app `wbe`" in box.run("approve", "wbe").stderr
    box.write("shop.yml", "install: {app: shop}\n")
    assert "cannot approve shop: " in box.run("approve", "shop").stderr


def test_what_the_policy_denies_cannot_be_approved(box, person):  # noqa: F811
    wide(box)
    policy(box, "[[rule]]\nname = 'calm'\nnever_capabilities = ['NET_ADMIN']\n")
    told = box.run("approve", "web", stdin="y\n")
    assert told.exit_code == 1
    denial = "the rule `calm` of the policy allows no capability NET_ADMIN"
    assert f"cannot approve web: {denial}; nothing was approved" in told.stderr
    assert f"  {denial}" in box.run("permissions", "web").stdout
    assert plan_of(box)["reason"] == "PolicyDenied"
    entry(box, "shop", more=ADMIN)
    assert (
        f"cannot approve shop: {denial}; nothing was written" in box.run("install", "shop").stderr
    )


def test_what_is_installed_is_asked_for_first(box, person):  # noqa: F811
    entry(box, "shop", dependencies="db", more=ADMIN)
    entry(box, "db", more="  security: {capabilities: [CHOWN]}\n")
    assert "nothing was written" in box.run("install", "shop", stdin="n\n").stderr
    assert list(box.desired.iterdir()) == []
    told = box.run("install", "shop", stdin="y\n")
    assert told.exit_code == 0, told.stderr
    assert "shop requests:" in told.stdout
    assert "db requests:\n  - Capability: CHOWN" in told.stdout
    assert sorted(f.name for f in box.desired.iterdir()) == [
        "db.approve.yml",
        "shop.approve.yml",
        "shop.yml",
    ]
    assert plan_of(box, "db")["action"] == "install"


def test_a_script_installs_what_it_read(box):  # noqa: F811
    entry(box, "shop", dependencies="db", more=ADMIN)
    entry(box, "db", more="  security: {capabilities: [CHOWN]}\n")
    hashes = [asked(box, app)["hash"] for app in ("shop", "db")]
    words = [word for found in hashes for word in ("--accept-permissions", found)]
    assert box.json("install", "shop", "--yes", *words)["app"] == "shop"


def test_a_manifest_is_installed(box, person):  # noqa: F811
    file = box.root / "mine.yml"
    file.write_text("# mine\n" + manifest("web") + ADMIN)
    told = box.run("install", "--manifest", str(file), stdin="y\n")
    assert told.exit_code == 0, told.stderr
    assert (box.desired / "web.yml").read_text() == file.read_text()
    assert "it is desired already" in box.run("install", "--manifest", str(file)).stderr


@pytest.mark.parametrize(
    ("words", "text", "told"),
    [
        ((), "", "name one app, or say --manifest FILE"),
        (("web", "--manifest", "FILE"), "", "name one app, or say --manifest FILE"),
        (("--manifest", "FILE", "--set", "A=1"), "", "cannot use --set with --manifest"),
        (("--manifest", "/nowhere/a.yml"), "", "cannot read /nowhere/a.yml: no such file"),
        (("--manifest", "FILE"), "install: {app: x}\n", "one `app:` document is wanted"),
        (("--manifest", "FILE"), "app: {}\n", "the key `id` is missing"),
    ],
)
def test_what_is_no_manifest_installs_nothing(box, words, text, told):  # noqa: F811
    file = box.root / "mine.yml"
    file.write_text(text or manifest("web"))
    said = box.run("install", *(str(file) if word == "FILE" else word for word in words))
    assert said.exit_code == 1
    assert told in said.stderr
    assert list(box.desired.iterdir()) == []


def test_who_removes_an_app_takes_its_approval_along(box, person):  # noqa: F811
    wide(box)
    box.run("approve", "web", stdin="y\n")
    assert box.run("remove", "web").exit_code == 0
    assert list(box.desired.iterdir()) == []


def test_an_approval_is_told_as_such(box, person):  # noqa: F811
    wide(box)
    box.run("approve", "web", stdin="y\n")
    found = json.loads(box.run("validate", str(box.desired), "--output", "json").stdout)
    assert sorted(d["kind"] for d in found["documents"]) == ["app", "approve"]
