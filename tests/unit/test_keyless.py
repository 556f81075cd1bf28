"""
Signatures by certificates of some minutes: the real verifier against a Sigstore of our own.

Each part that is left out or made wrong in turn proves nothing; and what is proved counts only for
whom the trust file names.
"""

import json
import socket
import subprocess
import sys
from importlib.resources import files
from urllib.parse import quote

import keyless
import pytest
import signer
from cryptography import x509
from keyless import HOLDER, ISSUER, ISSUER_NEW, Sigstore
from msgspec.structs import replace

from reconciler.core import trusting
from reconciler.errors import RegistryError
from reconciler.model.evidence import Evidence
from reconciler.model.identity import LONGEST, Asked, Identity, Root, asked, useless
from reconciler.model.pin import Past
from reconciler.model.signature import Denial, Findings, Material, Signature, Subject
from reconciler.model.signature import SignatureFormat as Format
from reconciler.model.trust import Scope, Standing, Trust, TrustedKey
from reconciler.security import certificates
from reconciler.security.proofs import ProofFile
from reconciler.security.signatures import examine

REPOSITORY = "registry.example/team/web"
DIGEST, OTHER = ("sha256:" + letter * 64 for letter in "ab")
SUBJECT = Subject(REPOSITORY, DIGEST)
STATEMENT = signer.statement(DIGEST)
OURS, THEIRS = Sigstore(), Sigstore()
ROOT = Root("root-id", OURS.trusted_root())
BY = Signature("root-id", Format.BUNDLE, "", ISSUER, HOLDER)


def examined(bundle, root=ROOT):
    return examine(SUBJECT, [Material(Format.BUNDLE, bundle)], {}, root)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# What is proved


def test_a_bundle_proves_who_it_was_and_who_says_so():
    found = examined(OURS.bundle(STATEMENT))
    assert found == Findings(frozenset({"root-id"}), (BY,))


@pytest.mark.parametrize(
    ("names", "holder"),
    [
        ([x509.RFC822Name("me@forge.example")], "me@forge.example"),
        ([x509.UniformResourceIdentifier("https://f.example/a")], "https://f.example/a"),
    ],
)
def test_a_mail_address_is_somebody_as_well(names, holder):
    assert examined(OURS.bundle(STATEMENT, names=names)).signatures == (
        replace(BY, holder=holder),
    )


@pytest.mark.parametrize(
    ("issuer", "old"),
    [(ISSUER, None), (None, ISSUER), (ISSUER, ISSUER), ("https://" + "i" * 200, None)],
)
def test_who_says_so_is_in_the_newer_or_the_older_field(issuer, old):
    found = examined(OURS.bundle(STATEMENT, issuer=issuer, old=old)).signatures
    assert [s.issuer for s in found] == [issuer or old]


def without(*path):
    def change(document):
        place = document
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def put(value, *path):
    def change(document):
        place = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


ENTRY = ("verificationMaterial", "tlogEntries", 0)
CERTIFICATE = ("verificationMaterial", "certificate", "rawBytes")
KEY = signer.make_key()
TWO = [x509.UniformResourceIdentifier(HOLDER), x509.UniformResourceIdentifier(HOLDER + "2")]
MIXED = [x509.UniformResourceIdentifier(HOLDER), x509.DNSName("forge.example")]
LONG = [x509.UniformResourceIdentifier("https://f.example/" + "a" * LONGEST)]
ODD = [x509.UniformResourceIdentifier("https://f.example/\x1b[31m")]
OLD_LOG = OURS.bundle(STATEMENT)
REPLAYED = json.loads(OURS.bundle(signer.statement(OTHER)))["verificationMaterial"]["tlogEntries"]


@pytest.mark.parametrize(
    ("why", "bundle", "denial"),
    [
        ("another Sigstore", THEIRS.bundle(STATEMENT), Denial.UNKNOWN_SIGNER),
        ("too late", OURS.bundle(STATEMENT, at=11), Denial.UNKNOWN_SIGNER),
        ("too early", OURS.bundle(STATEMENT, at=-1), Denial.UNKNOWN_SIGNER),
        ("in no log of certificates", OURS.bundle(STATEMENT, sct=False), Denial.UNKNOWN_SIGNER),
        ("nobody says so", OURS.bundle(STATEMENT, issuer=None), Denial.UNKNOWN_SIGNER),
        ("two say so", OURS.bundle(STATEMENT, old="https://x.example"), Denial.UNKNOWN_SIGNER),
        ("it is of two", OURS.bundle(STATEMENT, names=TWO), Denial.UNKNOWN_SIGNER),
        ("it is of a machine, too", OURS.bundle(STATEMENT, names=MIXED), Denial.UNKNOWN_SIGNER),
        ("too long to be shown", OURS.bundle(STATEMENT, names=LONG), Denial.UNKNOWN_SIGNER),
        ("not to be shown", OURS.bundle(STATEMENT, names=ODD), Denial.UNKNOWN_SIGNER),
        ("another key", OURS.bundle(STATEMENT, certificate=OURS.certificate(KEY)), None),
        ("no log entry", OURS.bundle(STATEMENT, change=without(*ENTRY)), None),
        ("no proof", OURS.bundle(STATEMENT, change=without(*ENTRY, "inclusionProof")), None),
        ("no promise", OURS.bundle(STATEMENT, change=without(*ENTRY, "inclusionPromise")), None),
        ("no time", OURS.bundle(STATEMENT, change=without(*ENTRY, "integratedTime")), None),
        (
            "another time",
            OURS.bundle(STATEMENT, at=11, change=put("1767225660", *ENTRY, "integratedTime")),
            None,
        ),
        (
            "another place in the log",
            OURS.bundle(STATEMENT, change=put("0", *ENTRY, "inclusionProof", "logIndex")),
            None,
        ),
        (
            "another root of the log",
            OURS.bundle(
                STATEMENT,
                change=put(signer.text(b"x" * 32), *ENTRY, "inclusionProof", "rootHash"),
            ),
            None,
        ),
        (
            "no checkpoint",
            OURS.bundle(STATEMENT, change=without(*ENTRY, "inclusionProof", "checkpoint")),
            None,
        ),
        (
            "a checkpoint of another log",
            OURS.bundle(
                STATEMENT,
                change=put(
                    THEIRS.checkpoint(b"x" * 32),
                    *ENTRY,
                    "inclusionProof",
                    "checkpoint",
                    "envelope",
                ),
            ),
            None,
        ),
        (
            "the entry of another signature",
            OURS.bundle(STATEMENT, change=put(REPLAYED, "verificationMaterial", "tlogEntries")),
            None,
        ),
        (
            "another content",
            OURS.bundle(
                signer.statement(OTHER),
                change=put(signer.text(STATEMENT), "dsseEnvelope", "payload"),
            ),
            None,
        ),
        ("no certificate", OURS.bundle(STATEMENT, change=put("AAAA", *CERTIFICATE)), None),
        ("no text", OURS.bundle(STATEMENT, change=put(7, *CERTIFICATE)), None),
        ("another image", OURS.bundle(signer.statement(OTHER)), Denial.DIGEST_MISMATCH),
        (
            "an attestation",
            OURS.bundle(signer.statement(DIGEST, signer.SBOM)),
            Denial.NOT_A_SIGNATURE,
        ),
        (
            "an older kind of bundle",
            OURS.bundle(
                STATEMENT,
                change=put("application/vnd.dev.sigstore.bundle+json;version=0.1", "mediaType"),
            ),
            Denial.NOT_A_SIGNATURE,
        ),
        (
            "a signature of a file",
            OURS.bundle(STATEMENT, change=without("dsseEnvelope")),
            Denial.NOT_A_SIGNATURE,
        ),
    ],
)
def test_what_is_wrong_proves_nothing(why, bundle, denial):
    found = examined(bundle)
    assert found.signatures == (), why
    assert found.refused == (denial or Denial.UNKNOWN_SIGNER,), why
    assert found.tried == {"root-id"}


@pytest.mark.parametrize(
    "value", [b"", b"\x0c", b"\x0c\x05ab", b"\x13\x02ab", b"\x0c\x81", b"\x0c\x82\x00\x02ab"]
)
def test_an_issuer_that_is_not_written_as_it_has_to_be_is_nobody(value, monkeypatch):
    monkeypatch.setattr(keyless, "wrapped", lambda tag, told: value if tag == 0x0C else told)
    key = signer.make_key()
    broken = OURS.certificate(key, sct=False)
    assert keyless.own(ISSUER_NEW, value) in [e.value for e in broken.extensions]
    with pytest.raises((ValueError, IndexError)):
        certificates._Who().verify(broken)


def test_without_a_root_it_is_a_strangers():
    found = examined(OURS.bundle(STATEMENT), root=None)
    assert found == Findings(frozenset(), (), (Denial.UNKNOWN_SIGNER,))


@pytest.mark.parametrize("text", ["", "{}", ROOT.text.replace("rawBytes", "raw"), "[]"])
def test_a_root_of_no_use_is_said(text):
    with pytest.raises(RegistryError, match="the trusted root of the trust file makes no sense"):
        examined(OURS.bundle(STATEMENT), Root("x", text))


def test_the_root_of_the_public_one_is_taken():
    store = files("sigstore") / "_store" / quote("https://tuf-repo-cdn.sigstore.dev", safe="")
    public = (store / "trusted_root.json").read_text()
    assert examined(OURS.bundle(STATEMENT), Root("public", public)).signatures == ()


def test_without_the_extra_it_is_said_what_to_install(monkeypatch):
    certificates._verifier.cache_clear()
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    found = examined(OURS.bundle(STATEMENT))
    assert found == Findings(frozenset({"root-id"}), (), (Denial.UNSUPPORTED,))
    told = trusting.judge(REPOSITORY, "", SUBJECT, evidence(found))
    assert told.standing is Standing.DENIED
    assert "install archipelago-reconciler[keyless]" in told.message
    monkeypatch.undo()
    assert examined(OURS.bundle(STATEMENT)).signatures == (BY,)


def test_who_does_not_need_it_does_not_load_it():
    code = (
        "import sys, signer\n"
        "from reconciler.security.signatures import examine\n"
        "from reconciler.model.signature import Material, SignatureFormat, Subject\n"
        "from reconciler import wiring, parts, looking\n"
        "made = signer.bundle(signer.make_key(), signer.statement('sha256:aa'))\n"
        "examine(Subject('a', 'sha256:aa'), [Material(SignatureFormat.BUNDLE, made)], {})\n"
        "assert 'sigstore' not in sys.modules\n"
    )
    path = f"{signer.__file__.rpartition('/')[0]}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_proved_is_remembered(tmp_path):
    file = tmp_path / "proved.json"
    found = Findings(
        frozenset({"root-id"}), (BY, Signature("alice-id", Format.CLASSIC, REPOSITORY))
    )
    ProofFile(file).keep(SUBJECT, found)
    assert ProofFile(file).found() == {SUBJECT: found}


# Who counts


RELEASE = Identity("release", "keyless:1", ISSUER, HOLDER)
ALICE = TrustedKey("alice", "alice-id", "pem")
ONE = Scope(REPOSITORY, any_of=("release",))


def trust(*scopes, identities=(RELEASE,), root=ROOT):
    return Trust(keys=(ALICE,), scopes=scopes or (ONE,), identities=identities, root=root)


def evidence(found, given=None):
    return Evidence(trust=given or trust(), signatures={SUBJECT: found} if found else {})


def judged(found, given=None, wanted=""):
    return trusting.judge(REPOSITORY, wanted, SUBJECT, evidence(found, given))


PROVED = Findings(frozenset({"root-id", "alice-id"}), (BY,))
KEYED = Findings(
    frozenset({"root-id", "alice-id"}), (Signature("alice-id", Format.CLASSIC, REPOSITORY),)
)


def pattern(text):
    return Identity("release", "keyless:2", ISSUER, text, is_pattern=True)


@pytest.mark.parametrize(
    ("why", "identity", "counts"),
    [
        ("it is who is meant", RELEASE, True),
        ("somebody else", replace(RELEASE, holder=HOLDER + "2"), False),
        ("the beginning alone", replace(RELEASE, holder=HOLDER[:-1]), False),
        ("somebody else says so", replace(RELEASE, issuer=ISSUER + "/"), False),
        ("a pattern", pattern(r"https://forge\.example/team/.+@refs/heads/main"), True),
        ("a pattern with its ends", pattern(r"^https://forge\.example/team/.+$"), True),
        ("a pattern of the beginning", pattern(r"https://forge\.example/team"), False),
        ("a pattern of the end", pattern(r"main"), False),
        ("a pattern of others", pattern(r"https://forge\.example/other/.+"), False),
        ("a pattern, exactly taken", replace(RELEASE, holder=r"https://.+"), False),
    ],
)
def test_it_counts_for_whom_the_file_names(why, identity, counts):
    told = judged(PROVED, trust(identities=(identity,)))
    assert told.permits is counts, why
    assert told.signers == (("release",) if counts else ())
    if not counts:
        assert told.denial is Denial.UNKNOWN_SIGNER
        assert f"a bundle signature by {HOLDER}, whom {ISSUER} knows does not count" in str(told)


def test_nobody_with_a_name_that_is_too_long_is_matched():
    found = Findings(frozenset({"root-id"}), (replace(BY, holder="a" * (LONGEST + 1)),))
    assert not judged(found, trust(identities=(pattern("a+"),))).permits


def test_it_is_told_by_its_name():
    assert f"by release ({HOLDER}, whom {ISSUER} knows) counts" in str(judged(PROVED).steps)


TEAM = Scope("registry.example/team", any_of=("release",))
MORE = Scope("registry.example/more", any_of=("release",))


@pytest.mark.parametrize(
    ("why", "given", "denial"),
    [
        ("for this repository alone", trust(), None),
        ("for more than this repository", trust(TEAM), Denial.IDENTITY_MISMATCH),
        ("for another as well", trust(ONE, MORE), Denial.IDENTITY_MISMATCH),
        (
            "for another by another name",
            trust(
                ONE,
                replace(MORE, any_of=("any",)),
                identities=(replace(pattern(".+"), name="any"), RELEASE),
            ),
            Denial.IDENTITY_MISMATCH,
        ),
        ("it does not matter", trust(replace(TEAM, allow_unbound_identity=True)), None),
        (
            "bundles do not count",
            trust(replace(ONE, formats=(Format.CLASSIC,))),
            Denial.UNKNOWN_SIGNER,
        ),
        ("the root is another", trust(root=Root("new", "")), "pending"),
        ("there is no root", trust(root=None), Denial.UNKNOWN_SIGNER),
        (
            "all have to",
            trust(Scope(REPOSITORY, all_of=("release", "alice"))),
            Denial.UNKNOWN_SIGNER,
        ),
    ],
)
def test_it_counts_where(why, given, denial):
    told = judged(PROVED, given)
    if denial == "pending":
        assert told.standing is Standing.PENDING, why
    else:
        assert told.denial is denial, why
        assert told.permits is (denial is None)


def test_a_key_and_a_certificate_together():
    both = trust(Scope(REPOSITORY, all_of=("release", "alice")))
    found = replace(PROVED, signatures=(*PROVED.signatures, *KEYED.signatures))
    assert judged(found, both).signers == ("alice", "release")


@pytest.mark.parametrize(
    ("names", "denial"), [(("alice",), Denial.UNKNOWN_SIGNER), (("release",), Denial.UNSUPPORTED)]
)
def test_what_to_install_is_said_only_where_it_would_help(names, denial):
    given = trust(Scope(REPOSITORY, any_of=names))
    refused = (Denial.UNKNOWN_SIGNER, Denial.UNSUPPORTED)
    assert judged(replace(PROVED, signatures=(), refused=refused), given).denial is denial
    alone = replace(PROVED, signatures=(), refused=(Denial.UNSUPPORTED,))
    assert judged(alone, given).denial is denial
    moved = replace(alone, refused=(Denial.DIGEST_MISMATCH, Denial.UNSUPPORTED))
    worse = Denial.DIGEST_MISMATCH if denial is Denial.UNKNOWN_SIGNER else denial
    assert judged(moved, given).denial is worse


def test_what_to_install_is_said_where_a_key_alone_is_not_enough():
    given = trust(Scope(REPOSITORY, all_of=("alice", "release")))
    told = judged(replace(KEYED, refused=(Denial.UNSUPPORTED,)), given)
    assert told.denial is Denial.UNSUPPORTED
    assert "install archipelago-reconciler[keyless]" in told.message


def test_where_only_keys_count_the_root_need_not_have_been_tried():
    keys = trust(Scope(REPOSITORY, any_of=("alice",)))
    nothing = Findings(frozenset({"alice-id"}))
    assert judged(nothing, keys).denial is Denial.UNSIGNED
    assert judged(nothing).standing is Standing.PENDING


EITHER = trust(Scope(REPOSITORY, any_of=("alice", "release")))


@pytest.mark.parametrize(
    ("wanted", "found", "given", "permits"),
    [
        ("cosign://keyless", PROVED, EITHER, True),
        ("cosign://keyless", KEYED, EITHER, False),
        (f"cosign://keyless?issuer={ISSUER}", PROVED, EITHER, True),
        (f"cosign://keyless?issuer={ISSUER}&identity={HOLDER}", PROVED, EITHER, True),
        (f"cosign://keyless?identity={HOLDER}2", PROVED, EITHER, False),
        ("cosign://keyless?issuer=https://x.example", PROVED, EITHER, False),
        ("cosign://keyless", KEYED, trust(Scope(REPOSITORY, any_of=("alice",))), False),
        ("cosign://keyless", PROVED, trust(Scope(REPOSITORY, all_of=("alice", "release"))), False),
        ("cosign://key/release", PROVED, EITHER, True),
        ("cosign://key/alice", PROVED, EITHER, False),
        ("cosign://", KEYED, EITHER, True),
    ],
)
def test_a_manifest_may_ask_for_less(wanted, found, given, permits):
    assert judged(found, given, wanted).permits is permits


def test_who_signed_is_remembered_by_the_rule_not_by_the_release():
    from reconciler.core.signers import known_as

    (now,) = known_as(trust(), ("release",))
    assert (now.id, now.name) == ("keyless:1", "release")
    past = {("web", "main"): Past(signers=(replace(now, name="before"),))}
    given = Evidence(trust=trust(), signatures={SUBJECT: PROVED}, past=past)
    said = judged(PROVED)
    assert trusting.as_before(("web", "main"), REPOSITORY, given, said) is said
    other = {("web", "main"): Past(signers=(replace(now, id="keyless:9"),))}
    told = trusting.as_before(("web", "main"), REPOSITORY, replace(given, past=other), said)
    assert told.denial is Denial.SIGNER_CHANGED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.+", ""),
        (r"https://f\.example/[^/]+/(?:a|b)@refs/tags/v.+", ""),
        ("^a$", ""),
        (r"a[*+?]b\*", ""),
        ("(a|b)?c", ""),
        ("(", "it is no regular expression"),
        ("(a+)+", "it repeats a group"),
        ("(a|a)*", "it repeats a group"),
        ("(a){9}", "it repeats a group"),
        (r"(a)\1", "it refers back"),
        ("(?=a)a", "it looks around"),
        ("(?i)a", "it looks around"),
        ("(?P<a>b)", "it looks around"),
        ("a.*b.*c.*d.*", "more than 3 repeats"),
        ("a" * 257, "longer than 256"),
        ("|".join("abcdefghij"), "or 8 choices"),
    ],
)
def test_a_pattern_is_short_and_takes_no_time(text, says):
    assert says in useless(text)
    assert bool(says) is bool(useless(text))


def test_what_is_asked_for():
    assert asked("cosign://key/alice") is None
    assert asked("cosign://keyless") == Asked()
    assert asked("cosign://keyless?identity=a%20b&issuer=c") == Asked("c", "a b")
