"""What the operator approved, as it is written. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from reconciler.core.permissions import Permissions
from reconciler.model.desired import Approval, Desired
from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.document import Document
from reconciler.model.origin import Problem

Approvals = Mapping[str, tuple[Approval, ...]]


def written(documents: Iterable[Document]) -> dict[str, tuple[Approval, ...]]:
    """Return all approvals in these documents, by app."""
    found: dict[str, tuple[Approval, ...]] = {}
    for document in documents:
        said = document.manifest
        if isinstance(said, ApproveManifest):
            approval = Approval(said.permissions, document.origin)
            found[said.app] = (*found.get(said.app, ()), approval)
    return found


def approved(desired: Desired, app: str) -> Permissions:
    """Return what an app may do besides the baseline; of two words on it neither counts."""
    said = desired.approvals.get(app, ())
    return said[0].permissions if len(said) == 1 else ()


def problems(approvals: Approvals, known: Iterable[str]) -> Iterator[Problem]:
    """Yield what is wrong between approvals, and with those that are about no app."""
    wanted = frozenset(known)
    for app, said in approvals.items():
        places = sorted(approval.origin for approval in said)
        if len(said) > 1:
            told = " and ".join(str(place) for place in places)
            message = f"cannot use the approvals of `{app}`: there are two, in {told}"
            yield Problem(places[-1], message, "remove one of them", app)
        if app not in wanted:
            message = f"approves `{app}`, which is not desired"
            yield Problem(places[0], message, "remove this document", app)
