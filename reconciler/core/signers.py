"""
Whether a signature counts where an image lies, and who made it by the trust file's names. Pure.

A bundle does not say of which repository an image is, so who signs for several could be made to
speak for the wrong one: see `_bound`.
"""

import re
from functools import lru_cache

from msgspec import Struct

from reconciler.model.identity import LONGEST, Asked, Identity
from reconciler.model.image_reference import ImageReferenceError, parse_image_reference
from reconciler.model.pin import Signer
from reconciler.model.signature import Denial, Signature, SignatureFormat
from reconciler.model.trust import Scope, Trust

_ALIASES = {"index.docker.io": "docker.io"}


class Case(Struct, frozen=True):
    """An image before a scope, with the names that count, and what its manifest asks for."""

    trust: Trust
    scope: Scope
    repository: str
    names: tuple[str, ...]
    asked: Asked | None = None

    def needed(self) -> set[str]:
        """Return the ids of what has to be tried before nobody is known to have signed."""
        found = {k.id for k in self.trust.keys if k.name in self.names}
        root = self.trust.root
        return found | {root.id} if root and self.takes_certificates() else found

    def takes_certificates(self) -> bool:
        """Whether anybody without a key would count."""
        return any(i.name in self.names for i in self.trust.identities)

    def signer(self, signature: Signature) -> str:
        """Return the name that a signature counts for; empty where it is nobody's here."""
        if self.asked is not None and signature.issuer and not _as_asked(self.asked, signature):
            return ""
        return next((n for n in reversed(_named(self.trust, signature)) if n in self.names), "")


def _as_asked(asked: Asked, signature: Signature) -> bool:
    return asked.issuer in {"", signature.issuer} and asked.holder in {"", signature.holder}


def _named(trust: Trust, signature: Signature) -> tuple[str, ...]:
    """Return every name by which the trust file knows who signed."""
    if not signature.issuer:
        return tuple(k.name for k in trust.keys if k.id == signature.key)
    if trust.root is None or signature.key != trust.root.id:
        return ()
    who = (signature.issuer, signature.holder)
    return tuple(i.name for i in trust.identities if _is(i, *who))


@lru_cache(maxsize=4096)
def _is(identity: Identity, issuer: str, holder: str) -> bool:
    """Whether somebody is who is meant; a pattern is for all of it."""
    if issuer != identity.issuer or len(holder) > LONGEST:
        return False
    if not identity.is_pattern:
        return holder == identity.holder
    return re.fullmatch(identity.holder, holder) is not None


@lru_cache(maxsize=4096)
def repository_of(image: str) -> str:
    """Return the full name of an image's repository."""
    named = parse_image_reference(parse_image_reference(image).canonical)
    return f"{_ALIASES.get(named.registry, named.registry)}/{named.repository}"


def known_as(trust: Trust, names: tuple[str, ...]) -> tuple[Signer, ...]:
    """Return who is meant by names of the trust file, by what they are."""
    those = [(key.id, key.name) for key in trust.keys]
    those += [(it.id, it.name) for it in trust.identities]
    return tuple(sorted(Signer(made, name) for made, name in those if name in names))


def denial(case: Case, signature: Signature) -> Denial | None:
    """Say why a signature does not count here, if it does not."""
    if not case.signer(signature) or signature.format not in case.scope.formats:
        return Denial.UNKNOWN_SIGNER
    if signature.format is SignatureFormat.BUNDLE:
        right = _bound(case, signature)
    else:
        right = _repository_named(signature.identity) == _expected(case)
    return None if right else Denial.IDENTITY_MISMATCH


def _bound(case: Case, signature: Signature) -> bool:
    """Whether nothing but this repository can have been meant by who signed a bundle."""
    names = {*_named(case.trust, signature)}  # it may be there under several
    alone = sum(not names.isdisjoint(s.keys) for s in case.trust.scopes) == 1
    only = alone and case.repository == case.scope.name
    return case.scope.allow_unbound_identity or only


def _expected(case: Case) -> str:
    scope, repository = case.scope, case.repository
    return scope.remap + repository[len(scope.name) :] if scope.remap else repository


def _repository_named(identity: str) -> str:
    try:
        return repository_of(identity)
    except ImageReferenceError:
        return ""


def told(case: Case, signature: Signature) -> str:
    """Say in a sentence who made a signature, and whether it counts here."""
    name = case.signer(signature) or next(reversed(_named(case.trust, signature)), "")
    if signature.issuer:
        who = f"{signature.holder}, whom {signature.issuer} knows"
        name = f"{name} ({who})" if name else who
    about = f" for {signature.identity}" if signature.identity else ""
    why = denial(case, signature)
    counts = f"does not count ({why})" if why else "counts"
    by = name or "a key that is not in the trust file"
    return f"a {signature.format} signature by {by}{about} {counts}"
