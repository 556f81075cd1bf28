"""
Whether a signature counts where an image lies, and who made it by the trust file's names. Pure.

A bundle does not say of which repository an image is, so who signs for several could be made to
speak for the wrong one: see `_bound`.
"""

from functools import lru_cache

from msgspec import Struct

from reconciler.model.image_reference import ImageReferenceError, parse_image_reference
from reconciler.model.pin import Signer
from reconciler.model.signature import Denial, Signature, SignatureFormat
from reconciler.model.trust import Scope, Trust

_ALIASES = {"index.docker.io": "docker.io"}


class Case(Struct, frozen=True):
    """An image before a scope, with the names of the keys that count."""

    trust: Trust
    scope: Scope
    repository: str
    names: tuple[str, ...]

    @property
    def keys(self) -> dict[str, str]:
        """The names of those keys by their ids."""
        return {k.id: k.name for k in self.trust.keys if k.name in self.names}


@lru_cache(maxsize=4096)
def repository_of(image: str) -> str:
    """Return the full name of an image's repository."""
    named = parse_image_reference(parse_image_reference(image).canonical)
    return f"{_ALIASES.get(named.registry, named.registry)}/{named.repository}"


def known_as(trust: Trust, names: tuple[str, ...]) -> tuple[Signer, ...]:
    """Return who is meant by names of the trust file, by what they are."""
    return tuple(sorted(Signer(k.id, k.name) for k in trust.keys if k.name in names))


def denial(case: Case, signature: Signature) -> Denial | None:
    """Say why a signature does not count here, if it does not."""
    if signature.key not in case.keys or signature.format not in case.scope.formats:
        return Denial.UNKNOWN_SIGNER
    if signature.format is SignatureFormat.BUNDLE:
        right = _bound(case, signature.key)
    else:
        right = _repository_named(signature.identity) == _expected(case)
    return None if right else Denial.IDENTITY_MISMATCH


def _bound(case: Case, key: str) -> bool:
    """Whether nothing but this repository can have been meant by a key's bundle."""
    names = {k.name for k in case.trust.keys if k.id == key}  # it may be there under several
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
    names = {k.id: k.name for k in case.trust.keys}
    name = names.get(signature.key, "a key that is not in the trust file")
    about = f" for {signature.identity}" if signature.identity else ""
    why = denial(case, signature)
    counts = f"does not count ({why})" if why else "counts"
    return f"a {signature.format} signature by {name}{about} {counts}"
