"""What is done about images of which it has to be proved who made them. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from reconciler.core import signers, trusting
from reconciler.core.comparison import Comparison
from reconciler.model.change import Reason
from reconciler.model.container import ContainerSpec
from reconciler.model.evidence import Evidence
from reconciler.model.pin import Past, PinKey, Signer
from reconciler.model.signature import Denial
from reconciler.model.trust import Check, Mode, Standing, Trust, Verdict

_REASONS = {
    Denial.SIGNER_CHANGED: Reason.SIGNER_CHANGED,
    Denial.MOVED_BACK: Reason.TAG_MOVED_BACK,
}
_ORDER = (
    Reason.NOT_VERIFIED,
    Reason.SIGNER_CHANGED,
    Reason.TAG_MOVED_BACK,
    Reason.SIGNATURE_PENDING,
)
_NOTHING = Past()
_BLIND = "what runs goes on, and nothing is installed or updated until it is mended"
_UNGUARDED = (
    "there is no trust file, so nobody looks at who signed the images that are run;"
    " docs/trust.md says how to write one"
)


def unproven(containers: Iterable[ContainerSpec], evidence: Evidence) -> tuple[Reason, str] | None:
    """A gate: deny making containers of images of which it is not proved who made them."""
    trust = evidence.trust
    if trust is not None and _warns(trust):
        return None
    told: dict[Reason, list[str]] = {}
    for container in containers:
        verdict = trusting.verdict(container, evidence)
        if not verdict.permits:
            told.setdefault(_reason(verdict), []).append(verdict.message)
    first = next((reason for reason in _ORDER if reason in told), None)
    return (first, "; ".join(dict.fromkeys(told[first]))) if first else None


def _reason(verdict: Verdict) -> Reason:
    if verdict.standing is Standing.PENDING:
        return Reason.SIGNATURE_PENDING
    return _REASONS.get(verdict.denial or Denial.UNSIGNED, Reason.NOT_VERIFIED)


def first_signers(
    comparisons: Mapping[str, Comparison], evidence: Evidence
) -> dict[PinKey, tuple[Signer, ...]]:
    """Return who signed what is there now, where nobody is remembered yet: they may again."""
    trust, found = evidence.trust, dict[PinKey, tuple[Signer, ...]]()
    if trust is None or trust.problem:
        return found
    for comparison in comparisons.values():
        new = {c.name for c in comparison.to_create()}
        for container in comparison.spec.containers:
            key = (container.app, container.name)
            if container.name in new or evidence.past.get(key, _NOTHING).signers:
                continue
            signed = trusting.verdict(container, evidence).signers
            if signed:
                found[key] = signers.known_as(trust, signed)
    return found


def to_check(comparisons: Mapping[str, Comparison], evidence: Evidence) -> tuple[Check, ...]:
    """Return the images whose signatures are to be looked at: all that are not trusted yet."""
    trust = evidence.trust
    if trust is None or trust.problem:
        return ()
    return tuple(
        check
        for comparison in comparisons.values()
        if not comparison.spec.suspended
        and not comparison.spec.left_alone
        and not comparison.spec.unsupported
        for check in _checks(comparison, trust, evidence)
    )


def _checks(comparison: Comparison, trust: Trust, evidence: Evidence) -> Iterator[Check]:
    """What a running container's image is by now is asked by nobody but `archipelago update`."""
    create = comparison.to_create()
    for container in comparison.spec.containers:
        counts = trusting.is_covered(trust, container)
        wanted = trusting.is_certain(container) or (container.guarded and container in create)
        if counts and wanted and not trusting.verdict(container, evidence).permits:
            subject = trusting.subject_of(container)
            key = (container.app, container.name)
            yield Check(*key, container.image, subject, trust.keys, trust.root)


def notices(evidence: Evidence, comparisons: Mapping[str, Comparison]) -> tuple[str, ...]:
    """Say what is not looked at, what cannot be, and what runs although nobody signed it."""
    trust = evidence.trust
    containers = [c for comparison in comparisons.values() for c in comparison.spec.containers]
    if trust is None:
        return () if all(trusting.is_local(c) for c in containers) else (_UNGUARDED,)
    if trust.problem:
        return (f"cannot use the trust file: {trust.problem}; {_BLIND}",)
    if not _warns(trust):
        return ()
    verdicts = [(c, trusting.verdict(c, evidence)) for c in containers]
    return tuple(
        f"{c.app} runs an image although the trust file only warns: {v.message}"
        for c, v in verdicts
        if v.standing is Standing.DENIED
    )


def _warns(trust: Trust) -> bool:
    return trust.mode is Mode.WARN and not trust.problem
