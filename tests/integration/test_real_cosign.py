"""
What a real Cosign signs is verified, and what our tests sign is what a real Cosign verifies.

Debian 13's writes the classic format, unstable's the bundle; both run on Debian 12.
"""

import json
import os
import subprocess

import keyless
import pytest
import real_cosign
import signer
from local_registry import Kept, LocalRegistry

from reconciler.model.signature import Denial, Signature, SignatureFormat, Subject
from reconciler.registry.client import RegistryClient
from reconciler.registry.signatures import collect
from reconciler.security.signatures import examine
from reconciler.security.signing_keys import key_id, load

pytestmark = [pytest.mark.podman, pytest.mark.timeout(400)]
OFFLINE = {
    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    "rekorTlogConfig": {},
    "tsaConfig": {},
}


class Cosign:
    def __init__(self, suite, folder):
        self.program, why = real_cosign.find(suite)
        if self.program is None:
            pytest.skip(why)
        self.suite, self.folder = suite, folder
        self.env = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(folder)}
        (folder / "offline.json").write_text(json.dumps(OFFLINE))
        self.run("generate-key-pair")
        self.pem = (folder / "cosign.pub").read_text()

    def run(self, *words, check=True):
        done = subprocess.run(
            [self.program, *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def sign(self, image):
        new = ("--signing-config", "offline.json", "--allow-http-registry", "--yes")
        old = ("--tlog-upload=false", "--allow-http-registry", "--yes")
        self.run("sign", "--key", "cosign.key", *(old if self.suite == "trixie" else new), image)

    def verifies(self, image, key):
        (self.folder / "other.pub").write_text(signer.pem(key))
        words = ("--key", "other.pub", "--insecure-ignore-tlog", "--allow-http-registry", image)
        return self.run("verify", *words, check=False).returncode == 0


@pytest.fixture
def registry(tmp_path):
    made = LocalRegistry(tmp_path / "registry", lambda *_, **__: None, tls=False, password="")
    yield made
    made.close()


@pytest.fixture
def image(registry):
    kept = Kept(registry)
    shelf = signer.Shelf()
    digest = shelf.image("1")
    kept.keep(shelf)
    return kept, digest


@pytest.fixture(params=["trixie", "sid"])
def cosign(request, tmp_path):
    folder = tmp_path / "cosign"
    folder.mkdir()
    return Cosign(request.param, folder)


def found(registry, tmp_path, subject, *pems):
    file = tmp_path / "registries.conf"
    file.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    client = RegistryClient({"HOME": str(tmp_path), "CONTAINERS_REGISTRIES_CONF": str(file)})
    return examine(subject, collect(client, subject), {key_id(p): load(p) for p in pems})


def test_what_a_real_cosign_signs_is_verified(cosign, registry, image, tmp_path):
    kept, digest = image
    subject = Subject(kept.repository, digest)
    cosign.sign(f"{kept.repository}@{digest}")
    key = key_id(cosign.pem)
    classic = Signature(key, SignatureFormat.CLASSIC, kept.repository)
    bundle = Signature(key, SignatureFormat.BUNDLE)
    wanted = classic if cosign.suite == "trixie" else bundle
    assert found(registry, tmp_path, subject, cosign.pem).signatures == (wanted,)
    stranger = found(registry, tmp_path, subject, signer.pem(signer.make_key()))
    assert (stranger.signatures, stranger.refused) == ((), (Denial.UNKNOWN_SIGNER,))


def test_what_our_tests_sign_is_what_a_real_cosign_verifies(cosign, image):
    kept, digest = image
    key = signer.make_key()
    name = f"{kept.repository}@{digest}"
    assert not cosign.verifies(name, key)
    if cosign.suite == "trixie":
        kept.sign(digest, key)
    else:
        kept.sign_bundle(digest, key)
    assert cosign.verifies(name, key)
    assert not cosign.verifies(name, signer.make_key())


def test_a_real_cosign_verifies_who_signed_without_a_key_as_we_do(registry, image, tmp_path):
    """So the Sigstore of our tests hands out what a real one does."""
    folder = tmp_path / "cosign"
    folder.mkdir()
    cosign = Cosign("sid", folder)
    kept, digest = image
    sigstore = keyless.Sigstore()
    (folder / "root.json").write_text(sigstore.trusted_root())

    def verifies(identity=keyless.HOLDER, issuer=keyless.ISSUER):
        who = ("--certificate-identity", identity, "--certificate-oidc-issuer", issuer)
        words = ("--trusted-root", "root.json", "--allow-http-registry", "--offline")
        name = f"{kept.repository}@{digest}"
        return cosign.run("verify", *who, *words, name, check=False)

    assert verifies().returncode != 0
    kept.sign_keyless(digest, sigstore)
    told = verifies()
    assert told.returncode == 0, told.stderr
    assert verifies(identity="https://forge.example/other").returncode != 0
    assert verifies(issuer="https://other.example").returncode != 0
