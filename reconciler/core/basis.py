"""Upon what an act is done, for the record: what the app may do, who let it, who signed. Pure."""

from collections.abc import Iterator

from reconciler.core import trusting
from reconciler.core.permissions import beyond_baseline, permissions_of
from reconciler.core.situation import Situation
from reconciler.model.change import Basis
from reconciler.model.desired import AppSpec
from reconciler.model.permission import permission_hash


def basis(spec: AppSpec, situation: Situation) -> Basis:
    """Return pairs of a word and what it is, sorted."""
    return tuple(sorted(_found(spec, situation)))


def _found(spec: AppSpec, situation: Situation) -> Iterator[tuple[str, str]]:
    yield "permissions", permission_hash(permissions_of(spec))
    said = situation.desired.approvals.get(spec.id, ())
    if beyond_baseline(spec) and len(said) == 1:
        yield "approval", str(said[0].origin)
    verdicts = [trusting.verdict(c, situation.evidence) for c in spec.containers]
    signers = sorted({name for verdict in verdicts for name in verdict.signers})
    if spec.id in situation.commits:
        yield "changed_by", situation.commits[spec.id].id
    if signers:
        yield "signers", ", ".join(signers)
