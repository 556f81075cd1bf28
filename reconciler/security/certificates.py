"""
Who signed with a certificate of some minutes, checked offline by `sigstore`, which is optional.

Everything comes from the trusted root that the operator gave: nobody is asked, and nothing of the
library's own is taken. What is told is only who it was, and what was signed: whether that is
somebody who counts is decided elsewhere.
"""

import logging
from functools import lru_cache
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.errors import RegistryError
from reconciler.model.identity import LONGEST

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.verify.verifier import Verifier

_ISSUER = "1.3.6.1.4.1.57264.1.8"
_ISSUER_BEFORE = "1.3.6.1.4.1.57264.1.1"  # the same, not wrapped
_TEXT = 0x0C  # UTF8String
_LONG = 0x80


class LibraryMissing(Exception):
    """The extra is not installed."""


class Certified(Struct, frozen=True):
    """What was signed, by whom, and who says so."""

    payload_type: str
    payload: bytes
    issuer: str
    holder: str


def certified(root: str, bundle: bytes) -> Certified | None:
    """
    Return what a bundle proves by a trusted root; None where that is nothing.

    Raises LibraryMissing, or RegistryError where the root is of no use.
    """
    verifier = _verifier(root)
    from sigstore.models import Bundle

    who = _Who()
    try:
        kind, payload = verifier.verify_dsse(Bundle.from_json(bundle), who)
    except Exception:  # noqa: BLE001 - a stranger's bytes in a library: they prove nothing
        return None
    return Certified(kind, payload, who.issuer, who.holder)


class _Who:
    """A policy of `sigstore` that takes down who it was, and refuses what is not clear."""

    def __init__(self) -> None:
        self.issuer = ""
        self.holder = ""

    def verify(self, cert: "Certificate") -> None:
        """Raise ValueError where a certificate does not name exactly one, and one who says so."""
        from cryptography import x509

        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        kinds = (x509.UniformResourceIdentifier, x509.RFC822Name)
        names = [str(n.value) for n in found if isinstance(n, kinds)]
        issuers = {
            issuer
            for oid, wrapped in ((_ISSUER, True), (_ISSUER_BEFORE, False))
            for issuer in _texts(cert, oid, wrapped=wrapped)
        }
        if len(names) != 1 or len([*found]) != 1 or len(issuers) != 1:
            raise ValueError("it is not clear who signed")
        self.holder, self.issuer = names[0], issuers.pop()
        for text in (self.holder, self.issuer):
            if not text.isascii() or not text.isprintable() or not 0 < len(text) <= LONGEST:
                raise ValueError("no name that could be shown")


def _texts(cert: "Certificate", oid: str, *, wrapped: bool) -> list[str]:
    from cryptography import x509

    found = [e.value for e in cert.extensions if e.oid.dotted_string == oid]
    raw = [e.value for e in found if isinstance(e, x509.UnrecognizedExtension)]
    return [(_unwrapped(value) if wrapped else value).decode() for value in raw]


def _unwrapped(value: bytes) -> bytes:
    """Return what is in a UTF8String, whose length has one byte, or one byte that says so."""
    tag, size, *_ = value
    begin = 3 if size == _LONG + 1 else 2
    size = value[2] if begin == 3 else size  # noqa: PLR2004 - behind the tag and both of its size
    if tag != _TEXT or len(value) != begin + size:
        raise ValueError("no text")
    return value[begin:]


@lru_cache(maxsize=2)
def _verifier(root: str) -> "Verifier":
    """Return what checks with a root. Errors are not remembered: the extra may come."""
    try:
        from sigstore.models import TrustedRoot
        from sigstore.verify.verifier import Verifier
    except ImportError as error:
        raise LibraryMissing from error
    # It logs what strangers wrote.
    logging.getLogger("sigstore").setLevel(logging.CRITICAL + 1)
    try:
        with NamedTemporaryFile("w", suffix=".json") as file:  # it reads files alone
            file.write(root)
            file.flush()
            made = Verifier(trusted_root=TrustedRoot.from_file(file.name))
    except Exception as error:  # a file that is not ours in a library
        raise RegistryError(
            "cannot verify keyless signatures: the trusted root of the trust file makes no sense;"
            " get it anew: docs/trust.md"
        ) from error
    return made
