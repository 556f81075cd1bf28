"""Upon what an act is done, for the record: what the app may do, who let it, who signed. Pure."""

from collections.abc import Iterator

from reconciler.core import trusting
from reconciler.core.approvals import approved
from reconciler.core.permissions import (
    Permissions,
    beyond_baseline,
    permissions_of,
    uncovered,
)
from reconciler.core.situation import Situation
from reconciler.model.change import Basis
from reconciler.model.desired import AppSpec
from reconciler.model.permission import permission_hash


def basis(spec: AppSpec, situation: Situation) -> Basis:
    """Return pairs of a word and what it is, sorted."""
    return tuple(sorted(_found(spec, situation)))


def _found(spec: AppSpec, situation: Situation) -> Iterator[tuple[str, str]]:
    yield "permissions", permission_hash(permissions_of(spec))
    elevated = beyond_baseline(spec)
    yield "elevated", _texts(elevated)
    yield "unapproved", _texts(uncovered(elevated, approved(situation.desired, spec.id)))
    said = situation.desired.approvals.get(spec.id, ())
    if elevated and len(said) == 1:
        yield "approval", str(said[0].origin)
    if spec.id in situation.commits:
        yield "changed_by", situation.commits[spec.id].id
    signers = {c.name: trusting.verdict(c, situation.evidence).signers for c in spec.containers}
    told = [f"{name}: {', '.join(sorted(who))}" for name, who in sorted(signers.items()) if who]
    if told:
        yield "signers", "; ".join(told)


def _texts(permissions: Permissions) -> str:
    return "; ".join(permission.text for permission in permissions)
