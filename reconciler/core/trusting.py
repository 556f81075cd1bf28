"""
Whose images may be run: what the trust file says, beside what signatures prove. Pure.

The most specific scope that covers an image decides, and what no scope covers is not trusted. A
manifest may only ask for more. Where an image was trusted before, another signer, or a tag that
goes back, is not enough.
"""

from collections.abc import Iterable
from functools import lru_cache

from msgspec.structs import replace

from reconciler.core import signers
from reconciler.core.signers import Case, repository_of
from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.evidence import Evidence
from reconciler.model.identity import asked
from reconciler.model.image_reference import ImageReference, parse_image_reference
from reconciler.model.pin import Past, Pin, PinKey, Signer
from reconciler.model.signature import Denial, Findings, Subject
from reconciler.model.trust import (
    Mode,
    Scope,
    SignatureRecords,
    Standing,
    Trust,
    Verdict,
)

NAMED = "cosign://key/"
_SHOWN = slice(7, 15)  # of `sha256:` and its digits
# Where several things that were found prove nothing, the one that tells most is told.
_TELLING = (
    Denial.IDENTITY_MISMATCH,
    Denial.DIGEST_MISMATCH,
    Denial.UNKNOWN_SIGNER,
    Denial.NOT_A_SIGNATURE,
)
_WORDS = {
    Denial.UNSIGNED: "it has no signature",
    Denial.UNKNOWN_SIGNER: "nobody who counts here has signed it",
    Denial.DIGEST_MISMATCH: "its signature is of another image",
    Denial.IDENTITY_MISMATCH: "its signature does not say that it is of this repository",
    Denial.NOT_A_SIGNATURE: "what is beside it is no signature of an image",
    Denial.UNSUPPORTED: (
        "its signature is keyless, which cannot be verified here: install"
        " archipelago-reconciler[keyless] and start the loop anew"
    ),
}


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
    said = judge(container.image, container.signature, subject, evidence)
    key = (container.app, container.name)
    if not is_certain(container):
        said = _not_back(container, subject.digest, evidence.past.get(key), said)
    return as_before(key, container.image, evidence, said)


def another_signer(key: PinKey, evidence: Evidence, said: Verdict) -> tuple[Signer, ...]:
    """Return who is trusted with an image, where none of them signed for the container so far."""
    past = evidence.past.get(key)
    if said.standing is not Standing.TRUSTED or past is None or not past.signers:
        return ()
    now = signers.known_as(evidence.trust or Trust(), said.signers)
    return () if {s.id for s in now} & {s.id for s in past.signers} else now


def as_before(key: PinKey, image: str, evidence: Evidence, said: Verdict) -> Verdict:
    """Return a verdict, unless whom it trusts is another than signed for the container so far."""
    now = another_signer(key, evidence, said)
    if not now:
        return said
    new, old = _names_of(now), _names_of(evidence.past[key].signers)
    another = "another one by the name of " if new == old else ""
    why = (
        f"{image} is signed by {another}{new}, and was by {old} until now;"
        f" if that is meant: `archipelago confirm signer {key[0]}`"
    )
    return Verdict(Standing.DENIED, why, Denial.SIGNER_CHANGED, (), (*said.steps, why))


def _names_of(those: Iterable[Signer]) -> str:
    return ", ".join(sorted({s.name for s in those}))


def _not_back(container: ContainerSpec, digest: str, past: Past | None, said: Verdict) -> Verdict:
    """Return a verdict, unless a tag means again what it was replaced by something else as."""
    if said.standing is not Standing.TRUSTED or past is None:
        return said
    if Pin(container.image, digest) not in past.replaced:
        return said
    why = (
        f"{container.image} has moved back to {digest[_SHOWN]}, which was replaced before;"
        f" if that is meant: `archipelago update {container.app} --back`"
    )
    return Verdict(Standing.DENIED, why, Denial.MOVED_BACK, (), (*said.steps, why))


def judge(image: str, wanted: str, subject: Subject, evidence: Evidence) -> Verdict:
    """Return what a usable trust file says of an image; `wanted` is what its manifest asks for."""
    trust, found = evidence.trust or Trust(), evidence.signatures.get(subject)
    repository = repository_of(image)
    scope = scope_of(trust, repository)
    if scope is None:
        why = f"no scope of the trust file covers {repository}"
        return _denied(image, why, Denial.UNTRUSTED)
    names = _names(trust, scope, wanted)
    quantity = "all" if scope.all_of else "one"
    steps = (
        f"{repository} is covered by the scope {scope.name}",
        f"{quantity} must have signed it: {', '.join(names) or 'nobody'}",
    )
    if not names:
        why = f"who it asks for, {wanted}, does not count in the scope {scope.name}"
        return _denied(image, why, Denial.UNKNOWN_SIGNER, steps)
    case = Case(trust, scope, repository, names, asked(wanted))
    decided = _by_findings(image, case, found)
    return replace(decided, steps=(*steps, *decided.steps))


def scope_of(trust: Trust, repository: str) -> Scope | None:
    """Return the scope that decides: the longest name that covers the repository."""
    covering = [s for s in trust.scopes if s.covers(repository)]
    return max(covering, key=lambda s: len(s.name), default=None)


def _names(trust: Trust, scope: Scope, wanted: str) -> tuple[str, ...]:
    """A manifest may leave one of several, never add one; where all are needed, all are."""
    if asked(wanted) is not None:
        keyless = tuple(i.name for i in trust.identities if i.name in scope.keys)
        return (scope.all_of or keyless) if keyless else ()
    if not wanted.startswith(NAMED):
        return scope.keys
    name = wanted.removeprefix(NAMED)
    if name not in scope.keys:
        return ()
    return scope.all_of or (name,)


def _by_findings(image: str, case: Case, found: Findings | None) -> Verdict:
    if found is None:
        return Verdict(Standing.PENDING, f"its signatures are looked for: {image}")
    told = tuple(sorted(signers.told(case, s) for s in found.signatures))
    by = sorted({case.signer(s) for s in found.signatures if not signers.denial(case, s)})
    enough = bool(by) and (not case.scope.all_of or set(by) == set(case.names))
    if enough:
        why = f"signed by {', '.join(by)}"
        return Verdict(Standing.TRUSTED, why, None, tuple(by), (*told, why))
    if not case.needed() <= found.tried:
        if found.error:
            return _denied(image, found.error, Denial.UNREACHABLE, told)
        return Verdict(Standing.PENDING, f"its signatures are looked for: {image}", steps=told)
    denial = _telling(case, found)
    why = _WORDS[denial]
    if by and denial is Denial.UNKNOWN_SIGNER:
        missing = ", ".join(sorted(set(case.names) - set(by)))
        why = f"it is not signed by all: {missing} is missing"
    return _denied(image, why, denial, told)


def _telling(case: Case, found: Findings) -> Denial:
    denials = {d for s in found.signatures if (d := signers.denial(case, s))} | {*found.refused}
    if Denial.UNSUPPORTED in denials and case.takes_certificates():
        return Denial.UNSUPPORTED  # that can be mended here
    if any(not signers.denial(case, s) for s in found.signatures):
        return Denial.UNKNOWN_SIGNER  # some have signed, and not all that are needed
    unknown = Denial.UNKNOWN_SIGNER if denials else Denial.UNSIGNED
    return next((d for d in _TELLING if d in denials), unknown)


def _denied(image: str, why: str, denial: Denial | None, steps: tuple[str, ...] = ()) -> Verdict:
    message = f"cannot prove who made {image}: {why}"
    return Verdict(Standing.DENIED, message, denial, steps=(*steps, why))


def is_covered(trust: Trust, container: ContainerSpec) -> bool:
    """Whether anybody's signature would count for the image."""
    return scope_of(trust, repository_of(container.image)) is not None


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
            if verdict(container, evidence).permits:
                found[key] = pin
    return replace(evidence, pins={**evidence.pins, **found}) if found else evidence, found
