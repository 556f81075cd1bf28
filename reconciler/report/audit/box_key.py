"""The box's key: Ed25519, made once, for the owner alone. The only user of `cryptography` here."""

import os
from pathlib import Path

from reconciler import durable
from reconciler.errors import AuditError
from reconciler.report.audit.note import Verifier, parse_verifier

PRIVATE = "key"
PUBLIC = "key.pub"


class BoxKey:
    """
    The private key of a log's folder, and the name that it signs under.

    Made where there is none; whoever does that holds the lock of the folder. Raises AuditError.
    """

    def __init__(self, folder: Path, name: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        file = folder / PRIVATE
        try:
            if not file.exists():
                made = Ed25519PrivateKey.generate().private_bytes_raw()
                durable.replace(file, made.hex() + "\n")
            self._private = Ed25519PrivateKey.from_private_bytes(_read(file))
            self.verifier = Verifier(name, self._private.public_key().public_bytes_raw())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no key"
            raise AuditError(
                f"cannot use {file}, which signs the audit log: {why.lower()}; bring it back from"
                " a backup, or move it away: a new one is made, and on record as new"
            ) from error

    def sign(self, text: bytes) -> bytes:
        """Return the 64 bytes of a signature."""
        return self._private.sign(text)


def verifier_of(folder: Path) -> Verifier | None:
    """Return the public key of a log's folder; None where there is none."""
    try:
        return parse_verifier((folder / PUBLIC).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def check(key: bytes, signature: bytes, text: bytes) -> bool:
    """Say whether the key signed the text."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _read(file: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, encoding="ascii") as stream:
        return bytes.fromhex(stream.read(256).strip())
