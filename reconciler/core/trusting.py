"""
Whose images may be run: what the trust file says, beside what signatures prove. Pure.

The most specific scope that covers an image decides, and what no scope covers is not trusted. A
manifest may only ask for more. A bundle does not say of which repository an image is, so a key
that signs for several could be made to speak for the wrong one: see `_bound`.
"""

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.evidence import Evidence
from reconciler.model.image_reference import (
    ImageReference,
    ImageReferenceError,
    parse_image_reference,
)
from reconciler.model.pin import Pin, PinKey
from reconciler.model.signature import Denial, Findings, Signature, SignatureFormat, Subject
from reconciler.model.trust import (
    Mode,
    Scope,
    SignatureRecords,
    Standing,
    Trust,
    TrustedKey,
    Verdict,
)

NAMED = "cosign://key/"
_ALIASES = {"index.docker.io": "docker.io"}
# Where several things that were found prove nothing, the one that tells most is told.
_TELLING = (
    Denial.IDENTITY_MISMATCH,
    Denial.DIGEST_MISMATCH,
    Denial.UNKNOWN_SIGNER,
    Denial.NOT_A_SIGNATURE,
)
_WORDS = {
    Denial.UNSIGNED: "it has no signature",
    Denial.UNKNOWN_SIGNER: "none of the keys that count here has signed it",
    Denial.DIGEST_MISMATCH: "its signature is of another image",
    Denial.IDENTITY_MISMATCH: "its signature does not say that it is of this repository",
    Denial.NOT_A_SIGNATURE: "what is beside it is no signature of an image",
}


class _Case(Struct, frozen=True):
    """An image before a scope, with the names of the keys that count."""

    trust: Trust
    scope: Scope
    repository: str
    names: tuple[str, ...]

    @property
    def keys(self) -> dict[str, str]:
        """The names of those keys by their ids."""
        return {k.id: k.name for k in self.trust.keys if k.name in self.names}


def guarded(spec: AppSpec, trust: Trust | None) -> AppSpec:
    """Return the spec, saying whether of its images nothing may be run but what was judged."""
    on = trust is not None and trust.mode is Mode.ENFORCE
    if all(c.guarded is on for c in spec.containers):
        return spec
    return replace(spec, containers=tuple(replace(c, guarded=on) for c in spec.containers))


def is_local(container: ContainerSpec) -> bool:
    """Whether the image is made on this box, so that nobody elsewhere could sign it."""
    return container.build is not None or _parsed(container.image).is_local


@lru_cache(maxsize=4096)
def _parsed(image: str) -> ImageReference:
    return parse_image_reference(image)


@lru_cache(maxsize=4096)
def repository_of(image: str) -> str:
    """Return the full name of an image's repository."""
    named = parse_image_reference(parse_image_reference(image).canonical)
    return f"{_ALIASES.get(named.registry, named.registry)}/{named.repository}"


def is_certain(container: ContainerSpec) -> bool:
    """Whether it is known what the image is, whoever is asked, and whenever."""
    return bool(subject_of(container).digest)


def subject_of(container: ContainerSpec) -> Subject:
    """Return what would have to be signed; without a digest where nobody knows yet what it is."""
    digest = container.pin or _parsed(container.image).digest or ""
    return Subject(repository_of(container.image) if digest else container.image, digest)


def _meant(container: ContainerSpec, evidence: Evidence) -> Subject:
    """Return the same as its registry would have it now, which is only for judging it."""
    pin = evidence.meanings.get((container.app, container.name))
    if pin is not None and pin.image == container.image and not is_certain(container):
        return subject_of(replace(container, pin=pin.digest))
    return subject_of(container)


def verdict(container: ContainerSpec, evidence: Evidence) -> Verdict:
    """Return what is to be thought of a container's image at this moment."""
    trust = evidence.trust
    if trust is None:
        if not container.signature:
            return Verdict(Standing.OPEN, "no trust file: signatures are not looked at")
        why = "a signature is asked for, and there is no trust file; write one: docs/trust.md"
        return _denied(container.image, why, None)
    if trust.problem:
        return _denied(container.image, f"the trust file cannot be used: {trust.problem}", None)
    if is_local(container):
        return Verdict(Standing.LOCAL, "it was made on this box")
    subject = _meant(container, evidence)
    return judge(container.image, container.signature, subject, evidence)


def judge(image: str, wanted: str, subject: Subject, evidence: Evidence) -> Verdict:
    """Return what a usable trust file says of an image; `wanted` is what its manifest asks for."""
    trust, found = evidence.trust or Trust(), evidence.signatures.get(subject)
    repository = repository_of(image)
    scope = scope_of(trust, repository)
    if scope is None:
        why = f"no scope of the trust file covers {repository}"
        return _denied(image, why, Denial.UNTRUSTED)
    names = _names(scope, wanted)
    quantity = "all" if scope.all_of else "one"
    steps = (
        f"{repository} is covered by the scope {scope.name}",
        f"{quantity} must have signed it: {', '.join(names) or 'nobody'}",
    )
    if not names:
        why = f"the key that it asks for, {wanted}, does not count in the scope {scope.name}"
        return _denied(image, why, Denial.UNKNOWN_SIGNER, steps)
    case = _Case(trust, scope, repository, names)
    decided = _by_findings(image, case, found)
    return replace(decided, steps=(*steps, *decided.steps))


def scope_of(trust: Trust, repository: str) -> Scope | None:
    """Return the scope that decides: the longest name that covers the repository."""
    covering = [s for s in trust.scopes if s.covers(repository)]
    return max(covering, key=lambda s: len(s.name), default=None)


def _names(scope: Scope, wanted: str) -> tuple[str, ...]:
    """A manifest may leave one of several, never add one; where all are needed, all are."""
    if not wanted.startswith(NAMED):
        return scope.keys
    name = wanted.removeprefix(NAMED)
    if name not in scope.keys:
        return ()
    return scope.all_of or (name,)


def _by_findings(image: str, case: _Case, found: Findings | None) -> Verdict:
    if found is None:
        return Verdict(Standing.PENDING, f"its signatures are looked for: {image}")
    told = tuple(sorted(_told(case, s) for s in found.signatures))
    signers = sorted({case.keys[s.key] for s in found.signatures if not _denial(case, s)})
    enough = bool(signers) and (not case.scope.all_of or set(signers) == set(case.names))
    if enough:
        why = f"signed by {', '.join(signers)}"
        return Verdict(Standing.TRUSTED, why, None, tuple(signers), (*told, why))
    if not case.keys.keys() <= found.tried:
        if found.error:
            return _denied(image, found.error, Denial.UNREACHABLE, told)
        return Verdict(Standing.PENDING, f"its signatures are looked for: {image}", steps=told)
    denial = _telling(case, found)
    why = _WORDS[denial]
    if signers:
        missing = ", ".join(sorted(set(case.names) - set(signers)))
        why = f"it is not signed by all: {missing} is missing"
    return _denied(image, why, denial, told)


def _telling(case: _Case, found: Findings) -> Denial:
    denials = {d for s in found.signatures if (d := _denial(case, s))} | {*found.refused}
    if any(not _denial(case, s) for s in found.signatures):
        return Denial.UNKNOWN_SIGNER  # some have signed, and not all that are needed
    return next((d for d in _TELLING if d in denials), Denial.UNSIGNED)


def _denial(case: _Case, signature: Signature) -> Denial | None:
    """Say why a signature does not count here, if it does not."""
    if signature.key not in case.keys or signature.format not in case.scope.formats:
        return Denial.UNKNOWN_SIGNER
    if signature.format is SignatureFormat.BUNDLE:
        right = _bound(case, signature.key)
    else:
        right = _repository_named(signature.identity) == _expected(case)
    return None if right else Denial.IDENTITY_MISMATCH


def _bound(case: _Case, key: str) -> bool:
    """Whether nothing but this repository can have been meant by a key's bundle."""
    names = {k.name for k in case.trust.keys if k.id == key}  # it may be there under several
    alone = sum(not names.isdisjoint(s.keys) for s in case.trust.scopes) == 1
    only = alone and case.repository == case.scope.name
    return case.scope.allow_unbound_identity or only


def _expected(case: _Case) -> str:
    scope, repository = case.scope, case.repository
    return scope.remap + repository[len(scope.name) :] if scope.remap else repository


def _repository_named(identity: str) -> str:
    try:
        return repository_of(identity)
    except ImageReferenceError:
        return ""


def _told(case: _Case, signature: Signature) -> str:
    names = {k.id: k.name for k in case.trust.keys}
    name = names.get(signature.key, "a key that is not in the trust file")
    about = f" for {signature.identity}" if signature.identity else ""
    denial = _denial(case, signature)
    counts = f"does not count ({denial})" if denial else "counts"
    return f"a {signature.format} signature by {name}{about} {counts}"


def _denied(image: str, why: str, denial: Denial | None, steps: tuple[str, ...] = ()) -> Verdict:
    message = f"cannot prove who made {image}: {why}"
    return Verdict(Standing.DENIED, message, denial, steps=(*steps, why))


def keys_for(trust: Trust, container: ContainerSpec) -> tuple[TrustedKey, ...]:
    """Return the keys to try: all of the file, so that another scope needs no second look."""
    return trust.keys if scope_of(trust, repository_of(container.image)) is not None else ()


def informed(
    desired: Desired, evidence: Evidence, records: SignatureRecords
) -> tuple[Evidence, dict[PinKey, Pin]]:
    """
    Return the evidence with what was found, and what is to be pinned because of that.

    A name is taken for what it means now only once that is trusted: until then it is asked anew.
    """
    evidence = replace(evidence, signatures=records.found, meanings=records.meanings)
    found: dict[PinKey, Pin] = {}
    for spec in desired.apps.values():
        for container in spec.containers:
            key = (container.app, container.name)
            pin, known = records.meanings.get(key), evidence.pins.get(key)
            if pin is None or pin.image != container.image:
                continue
            if known is not None and known.image == container.image:
                continue
            if verdict(replace(container, pin=pin.digest), evidence).permits:
                found[key] = pin
    return replace(evidence, pins={**evidence.pins, **found}) if found else evidence, found
