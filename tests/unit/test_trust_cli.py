"""`archipelago trust`: what it shows, how it explains, and that adding loses nothing."""

import pytest
import signer
from unit.test_cli import Box, manifest

from reconciler import wiring
from reconciler.errors import ConfigurationError
from reconciler.model.signature import Subject
from reconciler.model.trust_document import ScopeDocument
from reconciler.security.proofs import ProofFile
from reconciler.security.signatures import examine
from reconciler.security.signing_keys import key_id, load
from reconciler.sources import trust_edit
from reconciler.sources.trust_edit import added
from reconciler.sources.trust_file import TrustFile

KEY, OTHER = signer.make_key(), signer.make_key()
DIGEST = "sha256:" + "a" * 64
REPOSITORY = "registry.example/team/web"
SUBJECT = Subject(REPOSITORY, DIGEST)
KEYLESS = """\
mode: warn
trusted_root: root.json
keyless:
  me: {issuer: "https://i.example", identity: "me@f.example"}
  any: {issuer: "https://i.example", identity_regexp: ".+@f.example"}
scopes:
  - {scope: c.d, any_of: [me, any]}
"""


@pytest.fixture
def box(tmp_path, monkeypatch):
    from contextlib import contextmanager

    made = Box(tmp_path)
    made.trust = tmp_path / "trust.yaml"
    monkeypatch.delenv("ARCHIPELAGO_TRUST", raising=False)
    (tmp_path / "none.toml").write_text(f'trust = "{made.trust}"\n')
    made.key = tmp_path / "cosign.pub"
    made.key.write_text(signer.pem(KEY))

    @contextmanager
    def driver(_settings):
        yield made.engine, "an engine of memory"

    monkeypatch.setattr(wiring, "driver", driver)
    return made


def add(box, scope="registry.example/team", *more):
    return box.run("trust", "add", scope, "--key", str(box.key), *more)


def read(box):
    return TrustFile(box.trust, [], key_id, required=True).read()


def signed(*keys, repository=REPOSITORY):
    shelf = []
    for key in keys:
        content = signer.simple(repository, DIGEST)
        shelf.append(wiring_material(content, signer.text(signer.sign(key, content))))
    return examine(SUBJECT, shelf, {signer.key_id(KEY): load(signer.pem(KEY))})


def wiring_material(content, signature):
    from reconciler.model.signature import Material, SignatureFormat

    return Material(SignatureFormat.CLASSIC, content, signature)


# A key more


def test_the_first_key_makes_the_file(box):
    done = add(box)
    assert done.exit_code == 0
    assert "trusts images of registry.example/team that cosign has signed" in done.output
    assert "no scope covers are not installed or updated any more" in done.output
    told = read(box)
    assert (told.mode, [k.name for k in told.keys]) == ("enforce", ["cosign"])
    assert [(s.name, s.any_of) for s in told.scopes] == [("registry.example/team", ("cosign",))]
    assert box.trust.stat().st_mode & 0o777 == 0o644


def test_a_file_that_only_warns_is_made_where_that_is_wanted(box):
    assert "any more" not in add(box, "registry.example", "--mode", "warn").output
    assert read(box).mode == "warn"


def test_what_is_there_stays_with_its_comments(box):
    add(box)
    text = "# Whom we trust.\n" + box.trust.read_text().replace("scopes:", "# The first:\nscopes:")
    box.trust.write_text(text)
    box.key.write_text(signer.pem(OTHER))
    assert add(box, "other.example", "--name", "more").exit_code == 0
    assert "# Whom we trust.\n" in box.trust.read_text()
    assert "# The first:\n" in box.trust.read_text()
    told = read(box)
    assert {k.name: k.id for k in told.keys} == {
        "cosign": signer.key_id(KEY),
        "more": signer.key_id(OTHER),
    }
    assert {s.name for s in told.scopes} == {"other.example", "registry.example/team"}


@pytest.mark.parametrize(
    "text",
    [
        "mode: warn\n",
        "mode: warn",
        "mode: warn\nkeys:\n    # four\n    x: bob.pub\nscopes:\n- scope: a.b\n  any_of: [x]\n",
        "mode: warn\nkeys:  # 1\n\n  x: bob.pub\nscopes:  # 2\n  - scope: a.b\n    all_of: [x]\n",
        "scopes:\n  - scope: a.b\n    any_of: [x]\nkeys:\n  x: bob.pub\nmode: warn\n",
    ],
)
def test_any_way_of_writing_it_is_kept(tmp_path, text):
    (tmp_path / "bob.pub").write_text(signer.pem(OTHER))
    (tmp_path / "trust.yaml").write_text(added(text, "new.example", "new", signer.pem(KEY), "x"))
    told = TrustFile(tmp_path / "trust.yaml", [], key_id, required=True).read()
    assert not told.problem
    assert told.mode == "warn"
    assert "new" in {k.name for k in told.keys}
    assert "new.example" in {s.name for s in told.scopes}


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("mode: maybe\n", (), "cannot add to the trust file: "),
        ("mode: enforce\nkeys: {a: cosign.pub}\n", (), "write them by hand"),
        ("mode: enforce\nscopes: []\n", (), "write them by hand"),
        ("mode: enforce\nkeys:\n  cosign: cosign.pub\n", (), "write them by hand"),
        ("mode: enforce\n", ("--name", "a b"), "cannot call a key `a b`"),
    ],
)
def test_what_cannot_be_added_is_not(box, text, arguments, says):
    box.trust.write_text(text)
    done = add(box, "registry.example/team", *arguments)
    assert done.exit_code == 1
    assert says in done.output
    assert box.trust.read_text() == text


@pytest.mark.parametrize("scope", ["example", "ghcr.io/A", "a.b\n  x: 1"])
def test_a_scope_that_is_none_is_not_written(box, scope):
    done = add(box, scope)
    assert done.exit_code == 1
    assert f"cannot trust images of {scope}: " in done.output
    assert not box.trust.exists()


OLD = "mode: warn\nkeys:\n  a: a.pub\nscopes:\n  - {scope: a.b, any_of: [a]}\n"
MORE = "  b: b.pub\nscopes:\n  - {scope: c.d, any_of: [b]}\n"


@pytest.mark.parametrize(
    ("new", "right"),
    [
        (OLD.replace("scopes:\n", MORE), True),
        (OLD, False),
        (OLD.replace("scopes:\n", MORE).replace("warn", "enforce"), False),
        (OLD.replace("scopes:\n", MORE).replace("a.pub", "x.pub"), False),
        (OLD.replace("scopes:\n", MORE).replace("c.d", "d.c"), False),
        (OLD.replace("scopes:\n", MORE).replace("a.b", "b.a"), False),
        ("mode: warn\nkeys:\n" + MORE, False),
    ],
)
def test_what_would_lose_something_is_noticed(new, right):
    wanted = ScopeDocument(scope="c.d", any_of=("b",))
    if right:
        return trust_edit._check("trust.yaml", OLD, new, wanted)
    with pytest.raises(ConfigurationError, match="write them by hand"):
        trust_edit._check("trust.yaml", OLD, new, wanted)
    return None


def test_who_signs_without_a_key_stays_and_is_listed(box):
    box.trust.write_text(KEYLESS)
    root = box.trust.with_name("root.json")
    root.write_text('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    assert "write them by hand" in add(box, "a.b", "--name", "me").output
    assert add(box).exit_code == 0
    assert box.trust.read_text().startswith(KEYLESS.partition("scopes:")[0])
    told = box.json("trust", "list")
    assert told["keyless"] == [
        {"name": "me", "issuer": "https://i.example", "identity": "me@f.example"},
        {"name": "any", "issuer": "https://i.example", "identity_regexp": ".+@f.example"},
    ]
    assert told["trusted_root"] == signer.digest_of(root.read_bytes()).partition(":")[2]
    assert (
        "keyless me  me@f.example, whom https://i.example knows" in box.run("trust", "list").stdout
    )


@pytest.mark.parametrize(
    "lost", ["trusted_root: root.json\n", "  any: ", "identity: ", "mode: warn\n"]
)
def test_what_would_lose_an_identity_is_noticed(lost):
    wanted = ScopeDocument(scope="a.b", any_of=("b",))
    new = KEYLESS.replace(
        "scopes:\n", "keys: {b: b.pub}\nscopes:\n  - {scope: a.b, any_of: [b]}\n"
    )
    trust_edit._check("trust.yaml", KEYLESS, new, wanted)
    worse = new.replace(lost, "identity: x" if lost == "identity: " else "")
    with pytest.raises(ConfigurationError, match="write them by hand"):
        trust_edit._check("trust.yaml", KEYLESS, worse, wanted)


def test_the_same_twice_is_refused(box):
    add(box)
    before = box.trust.read_text()
    assert add(box).exit_code == 1
    assert add(box, "registry.example/team", "--name", "other").exit_code == 1
    assert box.trust.read_text() == before


def test_what_is_no_public_key_is_not_written(box):
    box.key.write_text("secret")
    assert "is not a public key in PEM form" in add(box).output
    box.key.unlink()
    assert "cannot read the key" in add(box).output
    assert not box.trust.exists()


# What it says


def remote(box, image=f"{REPOSITORY}@{DIGEST}"):
    box.write("web.yml", manifest("web").replace("localhost/x:1", image))


def test_it_lists_what_is_thought_of_each_image(box):
    remote(box)
    box.write("db.yml", manifest("db"))
    add(box)
    told = box.json("trust", "list")
    assert told["file"] == str(box.trust)
    assert told["mode"] == "enforce"
    assert told["keys"] == [{"name": "cosign", "sha256": signer.key_id(KEY)}]
    assert [s["scope"] for s in told["scopes"]] == ["registry.example/team"]
    assert [(i["app"], i["standing"]) for i in told["images"]] == [
        ("db", "local"),
        ("web", "pending"),
    ]
    ProofFile(box.own("signatures/proved.json")).keep(SUBJECT, signed(KEY))
    (_, web) = box.json("trust", "list")["images"]
    assert (web["standing"], web["signers"]) == ("trusted", ["cosign"])
    shown = box.run("trust", "list")
    assert shown.exit_code == 0
    assert "registry.example/team  any of cosign" in shown.stdout
    assert "signed by cosign" in shown.stdout


def test_it_lists_without_a_file_and_with_a_broken_one(box):
    remote(box)
    (box.root / "none.toml").write_text("")
    told = box.json("trust", "list")
    assert (told["mode"], [i["standing"] for i in told["images"]]) == (None, ["open"])
    assert "nobody looks at signatures" in box.run("trust", "list").stdout
    (box.root / "none.toml").write_text(f'trust = "{box.trust}"\n')
    done = box.run("trust", "list")
    assert done.exit_code == 1
    assert "cannot use the trust file" in done.stdout


@pytest.fixture
def looked(monkeypatch):
    """What is found beside an image, as the registry would say it."""
    found = {}

    def look(image, trust):
        assert [k.name for k in trust.keys] == ["cosign"]
        return SUBJECT, found[image]

    monkeypatch.setattr(wiring, "look_at_signatures", look)
    return found


@pytest.mark.parametrize(
    ("keys", "code", "standing"),
    [((KEY,), 0, "trusted"), ((OTHER,), 1, "denied"), ((), 1, "denied")],
)
def test_it_explains_an_image_step_by_step(box, looked, keys, code, standing):
    add(box)
    looked[f"{REPOSITORY}:1"] = signed(*keys)
    told = box.json("trust", "test", f"{REPOSITORY}:1")
    assert (told["standing"], told["digest"], told["repository"]) == (standing, DIGEST, REPOSITORY)
    assert told["steps"][0] == f"{REPOSITORY} is covered by the scope registry.example/team"
    shown = box.run("trust", "test", f"{REPOSITORY}:1")
    assert shown.exit_code == code
    assert f"{REPOSITORY}:1 is {DIGEST}" in shown.stdout
    assert all(f"- {step}" in shown.stdout for step in told["steps"])
    assert f"{standing}: " in shown.stdout


def test_it_explains_what_a_manifest_asks_for(box, looked):
    add(box)
    looked["registry.example/team/web"] = signed(KEY)
    ask = ("trust", "test", "registry.example/team/web", "--signature")
    assert box.run(*ask, "cosign://key/cosign").exit_code == 0
    told = box.run(*ask, "cosign://key/other")
    assert told.exit_code == 1
    assert "does not count in the scope" in told.stdout


def test_nothing_is_judged_without_a_file(box):
    assert "no such file" in box.run("trust", "test", "nginx").output
    (box.root / "none.toml").write_text("")
    assert "`archipelago trust add SCOPE --key FILE`" in box.run("trust", "test", "nginx").output


def test_a_name_that_is_none_is_said(box):
    add(box)
    assert "upper-case" in box.run("trust", "test", "Nginx").output
