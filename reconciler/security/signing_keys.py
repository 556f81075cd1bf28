"""
Public keys, and whether one of them signed some bytes.

A key that cannot be used signs nothing: nothing here raises for what somebody wrote into a file.
Guaranteed are ECDSA with P-256 and RSA of 2048 bits or more. Cosign hashes for P-384 and P-521 in
two ways, by its version, so both are taken; Ed25519 only without a hash before it (its newest
writes another kind, which `cryptography` does not have).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

SMALLEST_RSA = 2048
LARGEST_PEM = 16_384
_PEM = re.compile(
    r"\s*-----BEGIN PUBLIC KEY-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----\s*"
)

Signed = Callable[[bytes, bytes], bool]  # content, signature


class SigningKey(Struct, frozen=True):
    """A public key by the SHA-256 of what it is, and how to ask whether it signed something."""

    id: str
    signed: Signed


def key_id(pem: str) -> str:
    """Return the SHA-256 of a public key (hex); empty where the text is none."""
    found = _PEM.fullmatch(pem) if len(pem) <= LARGEST_PEM else None
    if found is None:
        return ""
    try:
        told = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        return ""
    return hashlib.sha256(told).hexdigest()


def load(pem: str) -> SigningKey | None:
    """Return the key of a PEM; None where it is not one that is taken."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    named = key_id(pem)
    if not named:
        return None
    try:
        key: object = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    signed = _way(key)
    return SigningKey(named, signed) if signed is not None else None


def _way(key: object) -> Signed | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    match key:
        case ec.EllipticCurvePublicKey():
            ways = [ec.ECDSA(hashed) for hashed in _hashes(key.curve.name)]
            if not ways:
                return None
            return lambda content, told: any(
                _holds(partial(key.verify, told, content, way)) for way in ways
            )
        case rsa.RSAPublicKey() if key.key_size >= SMALLEST_RSA:
            way = padding.PKCS1v15()
            return lambda content, told: _holds(partial(key.verify, told, content, way, SHA256()))
        case ed25519.Ed25519PublicKey():
            return lambda content, told: _holds(partial(key.verify, told, content))
        case _:
            return None


def _hashes(curve: str) -> "tuple[HashAlgorithm, ...]":
    """Return how what is signed may be hashed: Cosign's newest first."""
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    match curve:
        case "secp256r1":
            return (SHA256(),)
        case "secp384r1":
            return SHA384(), SHA256()
        case "secp521r1":
            return SHA512(), SHA256()
        case _:
            return ()


def _holds(check: Callable[[], None]) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        check()
    except (InvalidSignature, ValueError):
        return False
    return True
