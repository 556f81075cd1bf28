"""What is wrong with documents, also with each other and beside the catalogue."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from reconciler.core import graph
from reconciler.core.resolve import Platform, resolve
from reconciler.model.desired import AppSpec
from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.origin import Problem
from reconciler.model.snapshot import Snapshot
from reconciler.report.status_json import problem_document


class Verdict(Struct):
    """What was read, what is wrong, and what looks odd."""

    documents: list[Document] = field(default_factory=list[Document])
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[Problem] = field(default_factory=list[Problem])


def judge(
    snapshot: Snapshot,
    known: Snapshot | None,
    platform: Platform,
    verdict: Verdict,
    *,
    whole: bool,
) -> None:
    """
    Add what is wrong with these documents, also with each other and beside the catalogue.

    `whole`: they are a folder, so that an app which is neither there nor in a known catalogue is
    nowhere.
    """
    catalogue = known or Snapshot()
    found = resolve(snapshot, catalogue, platform)
    installs = {d.app for d in snapshot.documents if isinstance(d.manifest, InstallManifest)}
    for problem in found.problems:
        unchecked = known is None and problem.app in installs and problem not in snapshot.problems
        alone = "which is not desired" in problem.message
        (verdict.warnings if unchecked or alone else verdict.problems).append(problem)
    requires = {a: [r.app for r in s.requires if not r.optional] for a, s in found.apps.items()}
    for app, ring in graph.rings(requires).items():
        message = f"cannot be ordered, apps require each other: {' → '.join(ring)}"
        verdict.problems.append(Problem(found.apps[app].origin, message, "", app))
    for spec in found.apps.values():
        verdict.warnings += _unsupported(spec)
        (verdict.problems if whole and known else verdict.warnings).extend(_alone(spec))


def _unsupported(spec: AppSpec) -> Iterator[Problem]:
    for key in spec.unsupported:
        message = f"this version cannot carry out `{key}`: the app would be held, not started"
        yield Problem(spec.origin, message, "", spec.id)


def _alone(spec: AppSpec) -> Iterator[Problem]:
    for need in spec.requires:
        if need.unmet and not need.optional:
            yield Problem(spec.origin, f"`{spec.id}` {need.unmet}", "", spec.id)


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return what `validate --output json` prints."""
    return {
        "valid": not verdict.problems,
        "documents": [
            {
                "file": document.origin.file,
                "line": document.origin.line,
                "kind": _kind(document),
                "app": document.app or None,
            }
            for document in verdict.documents
        ],
        "problems": [problem_document(p) for p in verdict.problems],
        "warnings": [problem_document(p) for p in verdict.warnings],
    }


def _kind(document: Document) -> str:
    match document.manifest:
        case InstallManifest():
            return "install"
        case SuspendManifest():
            return "suspend"
        case ApproveManifest():
            return "approve"
        case _:
            return "app"
