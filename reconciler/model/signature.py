"""What is known of who made an image: what registries keep beside it, and what that proves."""

from enum import StrEnum

from msgspec import Struct


class SignatureFormat(StrEnum):
    """How Cosign writes a signature down: as a tag of its own, or as a bundle that refers."""

    CLASSIC = "classic"
    BUNDLE = "bundle"


class Denial(StrEnum):
    """Why nobody is known to have made an image, in one word for machines."""

    UNSIGNED = "unsigned"
    UNKNOWN_SIGNER = "unknown_signer"
    DIGEST_MISMATCH = "digest_mismatch"
    IDENTITY_MISMATCH = "identity_mismatch"
    NOT_A_SIGNATURE = "not_a_signature"
    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    SIGNER_CHANGED = "signer_changed"
    MOVED_BACK = "moved_back"
    UNSUPPORTED = "unsupported"


class Subject(Struct, frozen=True, order=True):
    """What is signed: exactly one image of a repository, by its full name."""

    repository: str  # with its registry
    digest: str


class Material(Struct, frozen=True):
    """
    What may be a signature, as a registry has it. Its hash was right; nothing was read of it.

    `content` is what is signed, or the bundle that holds it; `signature` is base64, and empty for
    a bundle.
    """

    format: SignatureFormat
    content: bytes
    signature: str = ""


class Signature(Struct, frozen=True, order=True):
    """
    A fact: this key signed this image. Whether that is enough is decided elsewhere.

    `key` is the SHA-256 of the public key (hex). `identity` is the repository that was signed with
    the image, and empty where the format has none. Of a keyless one, `key` is that of the trusted
    root, by which the certificate is one of `holder`, whom `issuer` knows.
    """

    key: str
    format: SignatureFormat
    identity: str = ""
    issuer: str = ""
    holder: str = ""


class Findings(Struct, frozen=True):
    """
    What was found beside an image, once each of the keys (and roots) in `tried` was tried.

    `refused` says why other things that were found prove nothing. `error` is why nobody could be
    asked the last time; what was found before stays true.
    """

    tried: frozenset[str] = frozenset()
    signatures: tuple[Signature, ...] = ()
    refused: tuple[Denial, ...] = ()
    error: str = ""
