"""What an app asks the operator for, beside what was approved and what runs. Pure."""

from msgspec import Struct

from reconciler.core import policy
from reconciler.core.approvals import approved
from reconciler.core.permissions import Permissions, permissions_of, risk, uncovered
from reconciler.model.desired import AppSpec, Desired
from reconciler.model.permission import Kind, Permission, Risk, permission_hash
from reconciler.model.policy import Policy
from reconciler.model.revision import Revision

_KINDS = list(Kind)
_RISKS = [Risk.HOST, Risk.ELEVATED, Risk.BASELINE]


class Request(Struct, frozen=True):
    """
    One app's.

    `permissions` are all that it has, the riskiest first; `asked` those that need a word, and
    `missing` those of them without one; `new` and `gone` are beside the revision that served last,
    where there is one. `hash` stands for `asked`.
    """

    app: str
    name: str
    permissions: tuple[tuple[Permission, Risk], ...]
    asked: Permissions
    missing: Permissions
    new: Permissions
    gone: Permissions
    denials: tuple[str, ...]
    hash: str


def request_of(
    spec: AppSpec,
    desired: Desired,
    written: Policy,
    good: Revision | None = None,
) -> Request:
    """Return what an app asks for."""
    every = permissions_of(spec)
    needed = frozenset(r.app for r in spec.requires)
    asked = policy.asked(spec, written)
    before = permissions_of(good.spec) if good else every
    return Request(
        app=spec.id,
        name=spec.name,
        permissions=tuple(
            sorted(((p, risk(p, needed)) for p in every), key=lambda told: _order(*told)),
        ),
        asked=asked,
        missing=uncovered(asked, approved(desired, spec.id)),
        new=uncovered(every, before),
        gone=uncovered(before, every),
        denials=policy.denials(spec, written),
        hash=permission_hash(asked),
    )


def _order(permission: Permission, harm: Risk) -> tuple[int, int, str]:
    """The riskiest first, then by what it is about."""
    return _RISKS.index(harm), _KINDS.index(permission.kind), permission.text
