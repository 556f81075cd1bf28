"""
What signatures of an image prove: bytes in, facts out.

First the signature over the raw bytes, by a key that is known or by a certificate; only then are
they read: what a stranger wrote is not. An attestation is no signature, whoever made it: it says
what is in an image, not that the image is meant.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from reconciler.model.identity import Root
from reconciler.model.signature import Denial, Findings, Material, Signature, Subject
from reconciler.model.signature import SignatureFormat as Format
from reconciler.security.certificates import LibraryMissing, certified
from reconciler.security.signing_keys import SigningKey

SIGNED_TYPE = "https://sigstore.dev/cosign/sign/v1"
_SIMPLE = "cosign container image signature"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENTS = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
_BUNDLES = frozenset(
    {
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
    }
)


class _RefusedError(Exception):
    """Something is not what it has to be."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial)
        self.denial = denial


def examine(
    subject: Subject,
    materials: Iterable[Material],
    keys: Mapping[str, SigningKey | None],
    root: Root | None = None,
) -> Findings:
    """
    Return what is proved of an image; `keys` are by their id, None for one that is unusable.

    Keyless ones prove nothing without a `root`; RegistryError where that is of no use.
    """
    signatures: list[Signature] = []
    refused: list[Denial] = []
    usable = [key for key in keys.values() if key is not None]
    for material in materials:
        try:
            signatures.append(_signature(subject, material, usable, root))
        except _RefusedError as error:
            refused.append(error.denial)
    return Findings(
        frozenset((*keys, *((root.id,) if root else ()))),
        tuple(sorted(set(signatures))),
        tuple(sorted(set(refused))),
    )


def _signature(
    subject: Subject, material: Material, keys: list[SigningKey], root: Root | None
) -> Signature:
    match material.format:
        case Format.CLASSIC:
            key = _signer(material.content, _base64(material.signature), keys)
            return Signature(key, Format.CLASSIC, _simple(material.content, subject))
        case Format.BUNDLE:
            bundle = _json(material.content)
            content, told = _envelope(bundle)
            if "certificate" in _mapping(bundle.get("verificationMaterial")):
                return _keyless(subject, material.content, root)
            key = _signer(_pre_authenticated(content), told, keys)
            _statement(content, subject)
            return Signature(key, Format.BUNDLE)


def _keyless(subject: Subject, bundle: bytes, root: Root | None) -> Signature:
    """What is read is what was verified, not what another reader makes of the same bundle."""
    if root is None:
        raise _RefusedError(Denial.UNKNOWN_SIGNER)
    try:
        found = certified(root.text, bundle)
    except LibraryMissing as error:
        raise _RefusedError(Denial.UNSUPPORTED) from error
    if found is None:
        raise _RefusedError(Denial.UNKNOWN_SIGNER)
    if found.payload_type != _PAYLOAD:
        raise _RefusedError(Denial.NOT_A_SIGNATURE)
    _statement(found.payload, subject)
    return Signature(root.id, Format.BUNDLE, "", found.issuer, found.holder)


def _signer(content: bytes, told: bytes, keys: list[SigningKey]) -> str:
    for key in keys:
        if key.signed(content, told):
            return key.id
    raise _RefusedError(Denial.UNKNOWN_SIGNER)


def _simple(content: bytes, subject: Subject) -> str:
    """Check what Cosign's own payload says; return the repository that it names."""
    critical = _mapping(_json(content).get("critical"))
    if critical.get("type") != _SIMPLE:
        raise _RefusedError(Denial.NOT_A_SIGNATURE)
    if _mapping(critical.get("image")).get("docker-manifest-digest") != subject.digest:
        raise _RefusedError(Denial.DIGEST_MISMATCH)
    return str(_mapping(critical.get("identity")).get("docker-reference") or "")


def _envelope(bundle: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return what a bundle says is signed, and the one signature of it."""
    envelope = _mapping(bundle.get("dsseEnvelope"))
    signatures = _listed(envelope, "signatures")
    if bundle.get("mediaType") not in _BUNDLES or envelope.get("payloadType") != _PAYLOAD:
        raise _RefusedError(Denial.NOT_A_SIGNATURE)
    if len(signatures) != 1:
        raise _RefusedError(Denial.NOT_A_SIGNATURE)
    return _base64(envelope.get("payload")), _base64(_mapping(signatures[0]).get("sig"))


def _pre_authenticated(content: bytes) -> bytes:
    """Return what DSSE has signed for a payload."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(content), content)


def _statement(content: bytes, subject: Subject) -> None:
    statement = _json(content)
    if statement.get("_type") not in _STATEMENTS or statement.get("predicateType") != SIGNED_TYPE:
        raise _RefusedError(Denial.NOT_A_SIGNATURE)
    algorithm, _, digits = subject.digest.partition(":")
    about = _listed(statement, "subject")
    if not any(_mapping(_mapping(s).get("digest")).get(algorithm) == digits for s in about):
        raise _RefusedError(Denial.DIGEST_MISMATCH)


def _base64(text: object) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise _RefusedError(Denial.NOT_A_SIGNATURE) from None


def _json(content: bytes) -> Mapping[str, Any]:
    """Return an object in which no name is given twice: readers differ in which one they take."""
    try:
        return _mapping(json.loads(content, object_pairs_hook=_unequivocal))
    except (ValueError, RecursionError):
        raise _RefusedError(Denial.NOT_A_SIGNATURE) from None


def _unequivocal(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON of any shape
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _listed(document: Mapping[str, Any], key: str) -> list[Any]:
    told: Any = document.get(key)
    return list(cast("Iterable[Any]", told)) if isinstance(told, list) else []
