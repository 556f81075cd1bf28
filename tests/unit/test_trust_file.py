"""The trust file: what it says, what is wrong with it and where, and who may write it."""

import os

import pytest
import signer

from reconciler.model.signature import SignatureFormat
from reconciler.model.trust import Mode, Scope
from reconciler.security.signing_keys import key_id
from reconciler.sources.trust_file import TrustFile

KEY, OTHER = signer.make_key(), signer.make_key("rsa")


def indented(pem):
    return "".join(f"    {line}\n" for line in pem.splitlines())


GOOD = f"""\
mode: enforce
keys:
  alice: |
{indented(signer.pem(KEY))}\
  bob: bob.pub
scopes:
  - scope: ghcr.io/example
    any_of: [alice, bob]
  - scope: mirror.example
    all_of: [bob]
    formats: [classic]
    allow_unbound_identity: true
    remap: origin.example/group
"""


class Box:
    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "trust.yaml"
        self.synced = folder / "synced"
        self.synced.mkdir()
        (folder / "bob.pub").write_text(signer.pem(OTHER))
        self.reader = self.make()

    def make(self, *, required=True):
        return TrustFile(self.file, [self.synced], key_id, required=required)

    def read(self, text=None):
        if text is not None:
            self.file.write_text(text)
        return self.reader.read()

    def problem(self, text=None):
        told = self.read(text)
        assert (told.keys, told.scopes) == ((), ())
        return told.problem


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def test_what_it_says(box):
    told = box.read(GOOD)
    assert (told.mode, told.problem) == (Mode.ENFORCE, "")
    assert [(k.name, k.id) for k in told.keys] == [
        ("alice", signer.key_id(KEY)),
        ("bob", signer.key_id(OTHER)),
    ]
    assert [k.pem.strip() for k in told.keys] == [signer.pem(k).strip() for k in (KEY, OTHER)]
    assert told.scopes == (
        Scope("ghcr.io/example", any_of=("alice", "bob")),
        Scope(
            "mirror.example",
            all_of=("bob",),
            formats=(SignatureFormat.CLASSIC,),
            allow_unbound_identity=True,
            remap="origin.example/group",
        ),
    )


KEYLESS = """\
mode: enforce
trusted_root: trusted_root.json
keyless:
  release: {issuer: "https://i.example", identity: "https://f.example/a"}
  any: {issuer: "https://i.example", identity_regexp: "https://f.example/.+"}
scopes:
  - {scope: ghcr.io, any_of: [release, any]}
"""


def test_who_signs_with_certificates(box):
    root = box.folder / "trusted_root.json"
    root.write_text('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    told = box.read(KEYLESS)
    assert told.problem == ""
    assert told.scopes[0].any_of == ("release", "any")
    release, anybody = told.identities
    assert (release.name, release.holder, release.is_pattern) == (
        "release",
        "https://f.example/a",
        False,
    )
    assert (anybody.name, anybody.holder, anybody.is_pattern) == (
        "any",
        "https://f.example/.+",
        True,
    )
    assert release.id != anybody.id
    assert told.root.text == root.read_text()
    root.write_text(root.read_text() + "\n")
    assert box.read().root.id != told.root.id, "another root is another one at once"


def test_it_may_trust_nobody(box):
    assert box.read("mode: warn\n").mode is Mode.WARN


WHO = "mode: enforce\nkeyless: {me: {issuer: 'https://i.example', "
ROOT = "trusted_root: trusted_root.json\n"
BODY = "mode: enforce\nkeys: {bob: bob.pub}\nscopes:\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "one document with `mode:` in it"),
        ("mode: enforce\n---\nmode: warn\n", "one document"),
        ("- a\n", "this must be a mapping"),
        ("mode: maybe\n", ":1:7: cannot use `mode`: `maybe` is not one of enforce, warn"),
        ("mode: enforced\n", "(did you mean `enforce`?)"),
        ("keys: {}\n", "the key `mode` is missing"),
        ("mode: enforce\nmode: warn\n", ":2:1: cannot read the document: the key `mode`"),
        ("mode: [\n", "cannot read the document"),
        ("mode: enforce\nscope: x\n", ":2:1: cannot use `scope`: there is no key `scope` here"),
        ("mode: enforce\nkeys: {x: nothing.pub}\n", "no such file or directory"),
        ("mode: enforce\nkeys: {x: ../bob.pub}\n", "the key x is neither a PEM nor the name"),
        ("mode: enforce\nkeys: {x: /etc/passwd}\n", "the key x is neither a PEM nor the name"),
        ("mode: enforce\nkeys: {x: ''}\n", "the key x is neither a PEM nor the name"),
        ("mode: enforce\nkeys: {x: trust.yaml}\n", "the key x is not a public key in PEM form"),
        ("mode: enforce\nkeys: {x: '-----BEGIN PUBLIC KEY-----'}\n", "x is not a public key"),
        (BODY + "  - {scope: ghcr.io, any_of: [bbo]}\n", "(did you mean `bob`?)"),
        (
            BODY + "  - {scope: ghcr.io, all_of: [bbo]}\n",
            ":4:31: cannot use `scopes[0].all_of[0]`",
        ),
        (BODY + "  - {scope: ghcr.io}\n", "keys under either `any_of` or `all_of`"),
        (BODY + "  - {scope: a.b, any_of: [bob], all_of: [bob]}\n", "under either `any_of`"),
        (BODY + "  - {scope: ghcr.io, any_of: [bob], formats: []}\n", "no format is left"),
        (BODY + "  - {scope: ghcr.io, any_of: [bob], formats: [gpg]}\n", "`gpg` is not one of"),
        (BODY + "  - {scope: ghcr.io, require_tlog: true}\n", "not available in this version"),
        (WHO + "identity: a, identity_regexp: b}}\n", "by either `identity` or `identity_re"),
        (WHO + "identity: a}}\n", "checked with a trusted root (write `trusted_root: "),
        (WHO + "}}\n", "by either `identity` or `identity_regexp`"),
        (WHO + "identity_regexp: '(a+)+'}}\n", "cannot be used: it repeats a group"),
        (
            WHO.replace("me:", "bob:") + "identity: a}}\nkeys: {bob: bob.pub}\n" + ROOT,
            "a key is called `bob`",
        ),
        (WHO + "identity: a}}\n" + ROOT, "trusted_root.json: no such file or directory"),
        (WHO + "identity: a}}\ntrusted_root: bob.pub\n", "bob.pub is not a trusted root of S"),
        (WHO + "identity: a}}\ntrusted_root: /etc/passwd\n", "the trusted root is neither"),
        (BODY + "  - {any_of: [bob]}\n", "the key `scope` is missing"),
        (BODY + "  - {scope: example, any_of: [bob]}\n", "does not begin with the name of a reg"),
        (BODY + "  - {scope: ghcr.io/A, any_of: [bob]}\n", "upper-case"),
        (BODY + "  - {scope: 'https://ghcr.io', any_of: [bob]}\n", "is an address"),
        (BODY + "  - {scope: ghcr.io/, any_of: [bob]}\n", "a part between slashes is empty"),
        (BODY + "  - {scope: 'ghcr.io/a:1', any_of: [bob]}\n", "cannot use `scopes[0].scope`"),
        (BODY + "  - &a {scope: a.b, any_of: [bob]}\n  - *a\n", "the scope `a.b` is given twice"),
        (BODY + "  - {scope: A B}\n  - {scope: C D}\n", "and that is not all"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(box, text, says):
    told = box.problem(text)
    assert told.startswith(str(box.folder))
    assert says in told


def test_it_has_to_be_there_where_it_is_asked_for(box):
    assert box.problem().endswith("trust.yaml: no such file or directory")
    assert box.make(required=False).read() is None


def test_a_link_that_leads_nowhere_is_not_no_file(box):
    box.file.symlink_to(box.folder / "nowhere")
    assert box.make(required=False).read().problem


def test_what_others_may_write_is_not_believed(box):
    box.read(GOOD)
    box.file.chmod(0o664)
    assert "may be written by others; `chmod go-w" in box.problem()
    box.file.chmod(0o644)
    assert not box.read().problem
    (box.folder / "bob.pub").chmod(0o646)
    assert "bob.pub may be written by others" in box.problem()


def test_a_folder_that_others_may_write_is_not_believed(box):
    box.folder.chmod(0o777)
    assert "`chmod o-w" in box.problem(GOOD)
    box.folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_not_believed(box):
    box.file.write_text(GOOD)
    os.chown(box.file, 12345, 12345)
    assert "belongs to somebody else" in box.problem()


def test_what_lies_in_the_synced_folder_is_not_believed(box):
    (box.synced / "trust.yaml").write_text(GOOD)
    box.file.symlink_to(box.synced / "trust.yaml")
    assert "where others write; put it elsewhere" in box.problem()


def test_a_change_is_seen_and_nothing_else_is_read(box):
    first = box.read(GOOD)
    assert box.read() is first
    (box.folder / "bob.pub").write_text(signer.pem(KEY))
    assert {k.id for k in box.read().keys} == {signer.key_id(KEY)}
    box.file.write_text("mode: warn\n")
    assert box.read().mode is Mode.WARN
    box.file.unlink()
    assert box.read().problem


def test_what_is_broken_is_read_anew_when_it_is_mended(box):
    assert box.problem(GOOD.replace("bob.pub", "rob.pub"))
    (box.folder / "rob.pub").write_text(signer.pem(OTHER))
    assert not box.read().problem
