"""Signatures of images: found in a registry, however hostile, and examined byte by byte."""

import base64
import json
import threading
import time
import tracemalloc

import pytest
import signer
from cryptography.hazmat.primitives import hashes
from keyless import HOLDER, ISSUER, Sigstore
from signer import SBOM, PaperRegistry, bundle, compact, make_key, simple, statement

from reconciler import parts
from reconciler.errors import RegistryError
from reconciler.model.identity import Root
from reconciler.model.signature import Denial, Findings, Material, Signature, Subject
from reconciler.model.signature import SignatureFormat as Format
from reconciler.model.trust import Check
from reconciler.registry.client import RegistryClient
from reconciler.registry.signatures import OBJECTS, collect
from reconciler.security import signing_keys
from reconciler.security.signatures import examine

REPOSITORY = "registry.example/team/web"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SUBJECT = Subject(REPOSITORY, DIGEST)
KEY, STRANGER = make_key(), make_key()


def known(*keys):
    return {signer.key_id(k): signing_keys.load(signer.pem(k)) for k in keys}


def classic(content, key=KEY, hashed=None):
    return Material(Format.CLASSIC, content, signer.text(signer.sign(key, content, hashed)))


def in_bundle(content, key=KEY, **more):
    return Material(Format.BUNDLE, bundle(key, content, **more))


def examined(*materials, keys=(KEY,)):
    return examine(SUBJECT, materials, known(*keys))


def proved(kind, identity=""):
    return (Signature(signer.key_id(KEY), kind, identity),)


# What a signature is


def test_a_classic_signature_proves_key_and_repository():
    found = examined(classic(simple(REPOSITORY, DIGEST)))
    assert found.signatures == proved(Format.CLASSIC, REPOSITORY)
    assert found.refused == ()
    assert found.tried == {signer.key_id(KEY)}


def test_a_bundle_proves_the_key_alone():
    assert examined(in_bundle(statement(DIGEST))).signatures == proved(Format.BUNDLE)


def test_nothing_proves_nothing():
    assert examined() == Findings(frozenset({signer.key_id(KEY)}))


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa", "ed25519"])
def test_each_kind_of_key_signs_in_both_formats(kind):
    key = make_key(kind)
    found = examine(
        SUBJECT,
        [classic(simple(REPOSITORY, DIGEST), key), in_bundle(statement(DIGEST), key)],
        known(key),
    )
    assert {s.format for s in found.signatures} == {Format.CLASSIC, Format.BUNDLE}
    assert {s.key for s in found.signatures} == {signer.key_id(key)}


@pytest.mark.parametrize("kind", ["p384", "p521"])
def test_an_older_cosign_hashed_the_same_for_every_curve(kind):
    key = make_key(kind)
    old = [
        classic(simple(REPOSITORY, DIGEST), key, hashes.SHA256),
        in_bundle(statement(DIGEST), key, hashed=hashes.SHA256),
    ]
    assert len(examine(SUBJECT, old, known(key)).signatures) == 2


@pytest.mark.parametrize("kind", ["rsa1024", "k256"])
def test_a_weak_or_strange_key_signs_nothing(kind):
    key = make_key(kind)
    assert signing_keys.load(signer.pem(key)) is None
    found = examine(SUBJECT, [classic(simple(REPOSITORY, DIGEST), key)], known(key))
    assert found == Findings(frozenset({signer.key_id(key)}), (), (Denial.UNKNOWN_SIGNER,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        signer.pem(KEY) + signer.pem(STRANGER),
        signer.pem(KEY).replace("M", "A", 1),
        "x" * 20_000,
    ],
)
def test_a_key_that_cannot_be_read_signs_nothing(text):
    assert signing_keys.load(text) is None


def test_a_key_has_the_name_that_cosign_hints_at():
    assert signing_keys.key_id(signer.pem(KEY)) == signer.key_id(KEY)
    assert signing_keys.load(signer.pem(KEY)).id == signer.key_id(KEY)


# What is none


def twisted(content, **changes):
    return compact(json.loads(content) | changes)


def envelope_of(made, **changes):
    told = json.loads(made)
    return compact(told | {"dsseEnvelope": told["dsseEnvelope"] | changes})


GOOD = bundle(KEY, statement(DIGEST))
TWO = [{"sig": "AAAA"}, json.loads(GOOD)["dsseEnvelope"]["signatures"][0]]


@pytest.mark.parametrize(
    ("material", "denial"),
    [
        (classic(simple(REPOSITORY, DIGEST), STRANGER), Denial.UNKNOWN_SIGNER),
        (in_bundle(statement(DIGEST), STRANGER), Denial.UNKNOWN_SIGNER),
        (
            Material(
                Format.CLASSIC,
                simple(REPOSITORY, DIGEST),
                classic(simple(REPOSITORY, OTHER)).signature,
            ),
            Denial.UNKNOWN_SIGNER,
        ),
        (
            Material(Format.BUNDLE, envelope_of(GOOD, payload=signer.text(statement(OTHER)))),
            Denial.UNKNOWN_SIGNER,
        ),
        (classic(simple(REPOSITORY, OTHER)), Denial.DIGEST_MISMATCH),
        (in_bundle(statement(OTHER)), Denial.DIGEST_MISMATCH),
        (in_bundle(twisted(statement(DIGEST), subject=[])), Denial.DIGEST_MISMATCH),
        (in_bundle(twisted(statement(DIGEST), subject={"a": 1})), Denial.DIGEST_MISMATCH),
        (in_bundle(twisted(statement(DIGEST), subject=[7])), Denial.DIGEST_MISMATCH),
        (in_bundle(statement(DIGEST, SBOM)), Denial.NOT_A_SIGNATURE),
        (in_bundle(statement(DIGEST, kind="https://x.example/S/v9")), Denial.NOT_A_SIGNATURE),
        (
            in_bundle(statement(DIGEST), payload_type="application/json"),
            Denial.NOT_A_SIGNATURE,
        ),
        (in_bundle(statement(DIGEST), media_type="application/json"), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, envelope_of(GOOD, signatures=[])), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, envelope_of(GOOD, signatures=TWO)), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, envelope_of(GOOD, signatures="x")), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, envelope_of(GOOD, payload="$")), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, envelope_of(GOOD, payload=7)), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, b"["), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, b"[" * 100_000), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, b"\xff\xfe"), Denial.NOT_A_SIGNATURE),
        (Material(Format.BUNDLE, b'{"mediaType": "a", "mediaType": "b"}'), Denial.NOT_A_SIGNATURE),
        (
            classic(simple(REPOSITORY, DIGEST, "atomic container signature")),
            Denial.NOT_A_SIGNATURE,
        ),
        (classic(b"{}"), Denial.NOT_A_SIGNATURE),
        (classic(b"[]"), Denial.NOT_A_SIGNATURE),
        (classic(b"no JSON"), Denial.NOT_A_SIGNATURE),
        (
            classic(
                b'{"critical": {"type": "x"}, ' + simple(REPOSITORY, DIGEST).removeprefix(b"{")
            ),
            Denial.NOT_A_SIGNATURE,
        ),
        (Material(Format.CLASSIC, simple(REPOSITORY, DIGEST), "$"), Denial.NOT_A_SIGNATURE),
        (Material(Format.CLASSIC, simple(REPOSITORY, DIGEST), "ä"), Denial.NOT_A_SIGNATURE),
        (Material(Format.CLASSIC, simple(REPOSITORY, DIGEST), "AAAA"), Denial.UNKNOWN_SIGNER),
    ],
)
def test_what_proves_nothing_says_why(material, denial):
    assert examined(material) == Findings(frozenset({signer.key_id(KEY)}), (), (denial,))


def test_what_is_bad_does_not_hide_what_is_good():
    found = examined(
        classic(simple(REPOSITORY, DIGEST), STRANGER),
        Material(Format.BUNDLE, b"["),
        classic(simple(REPOSITORY, DIGEST)),
    )
    assert found.signatures == proved(Format.CLASSIC, REPOSITORY)
    assert set(found.refused) == {Denial.NOT_A_SIGNATURE, Denial.UNKNOWN_SIGNER}


def test_a_payload_without_a_repository_names_none():
    content = twisted(simple(REPOSITORY, DIGEST))
    told = json.loads(content)
    del told["critical"]["identity"]
    assert examined(classic(compact(told))).signatures == proved(Format.CLASSIC)


def test_a_stranger_is_not_read():
    """Bytes that nobody known has signed are not parsed at all."""
    told = classic(b"{" * 100_000, STRANGER)
    assert examined(told).refused == (Denial.UNKNOWN_SIGNER,)


# Where they are found


@pytest.fixture
def registry():
    made = PaperRegistry()
    yield made
    made.close()


@pytest.fixture
def client(registry, tmp_path):
    file = tmp_path / "registries.conf"
    file.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    return RegistryClient({"HOME": str(tmp_path), "CONTAINERS_REGISTRIES_CONF": str(file)})


@pytest.fixture
def found(registry, client):
    """`found(digest)` collects and examines what the registry has of an image."""

    def of(digest, seconds=10.0):
        subject = Subject(f"{registry.host}/team/web", digest)
        return examine(subject, collect(client, subject, seconds), known(KEY))

    return of


def repository(registry):
    return f"{registry.host}/team/web"


def sign_classic(registry, digest, key=KEY):
    content = simple(repository(registry), digest)
    registry.shelf().sign_classic(digest, (content, signer.sign(key, content)))


@pytest.mark.parametrize("with_api", [False, True])
def test_both_formats_are_found(registry, found, with_api):
    registry.referrers = with_api
    digest = registry.shelf().image("1")
    sign_classic(registry, digest)
    registry.shelf().refer(digest, bundle(KEY, statement(digest)))
    signatures = found(digest).signatures
    assert signatures == (
        *proved(Format.BUNDLE),
        *proved(Format.CLASSIC, repository(registry)),
    )


def test_a_keyless_one_is_found_beside_it(registry, client):
    """From the registry to the fact, as the worker goes."""
    sigstore = Sigstore()
    digest = registry.shelf().image("1")
    registry.shelf().refer(digest, sigstore.bundle(statement(digest)))
    subject = Subject(repository(registry), digest)
    root = Root("root-id", sigstore.trusted_root())
    check = Check("web", "main", f"{repository(registry)}:1", subject, (), root)
    by = Signature("root-id", Format.BUNDLE, "", ISSUER, HOLDER)
    told = parts.look_at_signatures(client, check)
    assert told == (subject, Findings(frozenset({"root-id"}), (by,)))


def test_an_index_is_signed_as_a_whole(registry, found):
    shelf = registry.shelf()
    digest = shelf.index(shelf.image("1"), shelf.image("2"))
    shelf.refer(digest, bundle(KEY, statement(digest)))
    assert found(digest).signatures == proved(Format.BUNDLE)


def test_an_unsigned_image_has_nothing(registry, found):
    assert found(registry.shelf().image("1")) == Findings(frozenset({signer.key_id(KEY)}))


def test_a_signature_that_was_moved_to_another_image(registry, found):
    shelf = registry.shelf()
    signed, other = shelf.image("1"), shelf.image("2", "2")
    content = simple(repository(registry), signed)
    shelf.sign_classic(other, (content, signer.sign(KEY, content)))
    shelf.refer(other, bundle(KEY, statement(signed)))
    assert found(other).signatures == ()
    assert found(other).refused == (Denial.DIGEST_MISMATCH,)


def test_what_refers_to_another_image_is_not_looked_at(registry, found):
    digest = registry.shelf().image("1")
    registry.shelf().refer(digest, bundle(KEY, statement(digest)), subject=OTHER)
    assert found(digest) == Findings(frozenset({signer.key_id(KEY)}))


def test_an_attestation_alone_is_no_signature(registry, found):
    digest = registry.shelf().image("1")
    registry.shelf().refer(digest, bundle(KEY, statement(digest, SBOM)))
    assert found(digest).signatures == ()
    assert found(digest).refused == (Denial.NOT_A_SIGNATURE,)


@pytest.mark.parametrize("listed_as", [None, signer.EMPTY, signer.BUNDLE, "text/plain"])
def test_the_list_may_call_it_what_it_likes(registry, found, listed_as):
    digest = registry.shelf().image("1")
    registry.shelf().refer(digest, bundle(KEY, statement(digest)), listed_as=listed_as)
    assert found(digest).signatures == proved(Format.BUNDLE)


# A registry that means no good


def test_a_blob_with_other_bytes_is_no_answer(registry, found):
    digest = registry.shelf().image("1")
    sign_classic(registry, digest)
    registry.twist = lambda path, body: body + b" " if "/blobs/" in path else body
    with pytest.raises(RegistryError, match="with something else than it was asked for"):
        found(digest)


def test_a_manifest_with_other_bytes_is_no_answer(registry, found):
    digest = registry.shelf().image("1")
    registry.shelf().refer(digest, bundle(KEY, statement(digest)))
    registry.twist = lambda path, body: body + b" " if "/manifests/sha256:" in path else body
    with pytest.raises(RegistryError, match="with something else than it was asked for"):
        found(digest)


def test_thousands_that_refer_are_read_no_further_than_a_few(registry, found):
    digest = registry.shelf().image("1")
    for number in range(3):
        registry.shelf().refer(digest, bundle(STRANGER, statement(digest), number=number))
    tag = digest.replace(":", "-")
    index = json.loads(registry.shelf().manifests[tag][1])
    index["manifests"] = (index["manifests"] * 2000)[:5000]
    registry.shelf().manifest(index, tag)
    assert found(digest).refused == (Denial.UNKNOWN_SIGNER,)
    assert sum("/blobs/" in p or "/manifests/sha256:" in p for p in registry.asked) == OBJECTS


def test_junk_before_it_does_not_hide_a_bundle(registry, found):
    digest = registry.shelf().image("1")
    for number in range(OBJECTS + 5):
        junk = f"junk {number}".encode()
        registry.shelf().refer(digest, junk, media_type="text/plain", listed_as="text/plain")
    registry.shelf().refer(digest, bundle(KEY, statement(digest)))
    assert found(digest).signatures == proved(Format.BUNDLE)


@pytest.mark.parametrize("part", ["/blobs/", ".sig", "/referrers/"])
def test_a_body_without_end_takes_no_memory(registry, found, part):
    registry.referrers = True
    digest = registry.shelf().image("1")
    sign_classic(registry, digest)

    def endless(path, body):
        return (b"x" * 65536 for _ in iter(int, 1)) if part in path else body

    registry.twist = endless
    tracemalloc.start()
    with pytest.raises(RegistryError, match="its answer does not end"):
        found(digest)
    assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    tracemalloc.stop()


def test_a_drip_has_one_deadline_for_all_of_it(registry, found):
    digest = registry.shelf().image("1")
    sign_classic(registry, digest)
    stop = threading.Event()

    def slow(path, body):
        def drops():
            for byte in body:
                if stop.wait(0.2):
                    return
                yield bytes([byte])

        return drops() if "/blobs/" in path else body

    registry.twist = slow
    began = time.monotonic()
    with pytest.raises(RegistryError, match="did not answer in time"):
        found(digest, 1.0)
    assert time.monotonic() - began < 8  # it would drip for longer
    stop.set()


def test_what_says_itself_that_it_is_large_is_not_fetched(registry, found):
    digest = registry.shelf().image("1")
    registry.shelf().refer(digest, b"x" * (2**20 + 1))
    assert found(digest) == Findings(frozenset({signer.key_id(KEY)}))
    assert not any("/blobs/" in p for p in registry.asked)


@pytest.mark.parametrize(
    "listed",
    [
        {"digest": "sha256:../../../v2/other/manifests/1", "size": 1},
        {"digest": 7, "size": 1},
        {"digest": DIGEST, "size": "1"},
        {"digest": DIGEST},
        {},
        7,
    ],
)
def test_a_list_of_nonsense_leads_nowhere(registry, found, listed):
    digest = registry.shelf().image("1")
    index = {"schemaVersion": 2, "mediaType": signer.INDEX, "manifests": [listed]}
    registry.shelf().manifest(index, digest.replace(":", "-"))
    assert found(digest) == Findings(frozenset({signer.key_id(KEY)}))
    assert all("other" not in p for p in registry.asked)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"manifests": 7}', b"[" * 100_000])
def test_a_list_that_makes_no_sense_lists_nothing(registry, found, text):
    digest = registry.shelf().image("1")
    registry.shelf().manifests[digest.replace(":", "-")] = (signer.INDEX, text)
    assert found(digest) == Findings(frozenset({signer.key_id(KEY)}))


def test_a_key_file_is_hashed_as_it_is_inside():
    inside = base64.b64decode("".join(signer.pem(KEY).splitlines()[1:-1]))
    assert signing_keys.key_id(signer.pem(KEY).replace("\n", "\r\n")) == signer.key_id(KEY)
    assert len(inside) == 91
