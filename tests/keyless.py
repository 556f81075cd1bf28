"""
A Sigstore of our own: an authority, a log of certificates and a log of signatures, all in memory.

What it hands out is what the public one does, so that the real verifier can be held against it;
each part can be left out or made wrong.
"""

import base64
import datetime as dt
import hashlib
import json
import struct

import signer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://issuer.example"
HOLDER = "https://forge.example/team/web/.ci/release.yml@refs/heads/main"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MINUTES = dt.timedelta(minutes=1)
ISSUER_OLD, ISSUER_NEW = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
SCTS = "1.3.6.1.4.1.11129.2.4.2"


def der(public):
    return public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def log_id(key):
    return hashlib.sha256(der(key.public_key())).digest()


def wrapped(tag, content):
    """Return content behind an ASN.1 tag and its length."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    told = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(told)]) + told + content


class Sigstore:
    """One instance, whose keys are nobody else's."""

    def __init__(self):
        self.authority_key, self.ct_key, self.log_key = (signer.make_key() for _ in range(3))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        public = self.authority_key.public_key()
        self.authority = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(1)
            .not_valid_before(START - 365 * 24 * 60 * MINUTES)
            .not_valid_after(START + 3650 * 24 * 60 * MINUTES)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.authority_key, hashes.SHA256())
        )

    def trusted_root(self):
        """Return the text of its trusted_root.json."""

        def log(key):
            return {
                "baseUrl": "https://log.invalid",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": signer.text(der(key.public_key())),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2020-01-01T00:00:00Z"},
                },
                "logId": {"keyId": signer.text(log_id(key))},
            }

        raw = self.authority.public_bytes(serialization.Encoding.DER)
        authority = {
            "subject": {"organization": "example", "commonName": "authority"},
            "uri": "https://authority.invalid",
            "certChain": {"certificates": [{"rawBytes": signer.text(raw)}]},
            "validFor": {"start": "2020-01-01T00:00:00Z"},
        }
        told = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log_key)],
            "certificateAuthorities": [authority],
            "ctlogs": [log(self.ct_key)],
            "timestampAuthorities": [],
        }
        return json.dumps(told)

    def certificate(self, key, *, holder=HOLDER, issuer=ISSUER, sct=True, names=None, old=None):
        """Return a certificate of ten minutes that says who somebody is, and who says so."""
        names = names or [x509.UniformResourceIdentifier(holder)]
        authority = self.authority_key.public_key()
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.authority.subject)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(START)
            .not_valid_after(START + 10 * MINUTES)
            .add_extension(usage(), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
        )
        if issuer:
            made = made.add_extension(
                own(ISSUER_NEW, wrapped(0x0C, issuer.encode())), critical=False
            )
        if old:
            made = made.add_extension(own(ISSUER_OLD, old.encode()), critical=False)
        if sct:
            before = made.sign(self.authority_key, hashes.SHA256())
            made = made.add_extension(own(SCTS, self.scts(before)), critical=False)
        return made.sign(self.authority_key, hashes.SHA256())

    def scts(self, before):
        """Return what the log of certificates signed of one, as it is put into it."""
        moment = int(START.timestamp() * 1000)
        body = before.tbs_certificate_bytes
        issuer = hashlib.sha256(der(self.authority_key.public_key())).digest()
        signed = struct.pack("!BBQH32s", 0, 0, moment, 1, issuer)
        signed += len(body).to_bytes(3, "big") + body + b"\x00\x00"
        told = signer.sign(self.ct_key, signed)
        one = struct.pack("!B32sQH", 0, log_id(self.ct_key), moment, 0)
        one += struct.pack("!BBH", 4, 3, len(told)) + told
        listed = struct.pack("!H", len(one)) + one
        return wrapped(0x04, struct.pack("!H", len(listed)) + listed)

    def bundle(self, content, *, at=2, key=None, certificate=None, change=None, **more):
        """
        Return a bundle over an in-toto statement, signed `at` minutes after the beginning.

        `change` may change the document before it is written.
        """
        key = key or signer.make_key()
        certificate = certificate or self.certificate(key, **more)
        told = signer.text(signer.sign(key, signer.pre_authenticated(content)))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        document = {
            "mediaType": signer.BUNDLE,
            "verificationMaterial": {
                "certificate": {
                    "rawBytes": signer.text(certificate.public_bytes(serialization.Encoding.DER))
                },
                "tlogEntries": [self.entry(content, told, pem, START + at * MINUTES)],
            },
            "dsseEnvelope": {
                "payload": signer.text(content),
                "payloadType": signer.PAYLOAD,
                "signatures": [{"sig": told}],
            },
        }
        if change:
            change(document)
        return signer.compact(document)

    def entry(self, content, signature, pem, moment):
        """Return what the log of signatures has: second of two, with its proof and its promise."""
        body = signer.compact(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                    "payloadHash": {
                        "algorithm": "sha256",
                        "value": hashlib.sha256(content).hexdigest(),
                    },
                    "signatures": [{"signature": signature, "verifier": signer.text(pem)}],
                },
            }
        )
        first = hashlib.sha256(b"\x00first").digest()
        root = hashlib.sha256(b"\x01" + first + hashlib.sha256(b"\x00" + body).digest()).digest()
        time = int(moment.timestamp())
        promise = {
            "body": signer.text(body),
            "integratedTime": time,
            "logID": log_id(self.log_key).hex(),
            "logIndex": 1,
        }
        return {
            "logIndex": "1",
            "logId": {"keyId": signer.text(log_id(self.log_key))},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(time),
            "inclusionPromise": {
                "signedEntryTimestamp": signer.text(
                    signer.sign(self.log_key, signer.compact(promise))
                )
            },
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": signer.text(root),
                "treeSize": "2",
                "hashes": [signer.text(first)],
                "checkpoint": {"envelope": self.checkpoint(root)},
            },
            "canonicalizedBody": signer.text(body),
        }

    def checkpoint(self, root):
        note = f"log.invalid - 1\n2\n{signer.text(root)}\n"  # as the first version of it writes
        told = log_id(self.log_key)[:4] + signer.sign(self.log_key, note.encode())
        return f"{note}\n— log.invalid {base64.b64encode(told).decode()}\n"


def usage(*, signs_certificates=False):
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def own(oid, value):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
