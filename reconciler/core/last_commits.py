"""The last commit of each app: the newest that changed a file which speaks of it. Pure."""

from collections.abc import Iterable, Mapping

from reconciler.model.commit import Commit
from reconciler.model.manifest.document import Document


def last_commits(
    documents: Iterable[Document], changes: Mapping[str, Commit]
) -> dict[str, Commit]:
    """Return it by app, for those of which it is known; `changes` are by file."""
    found: dict[str, Commit] = {}
    for document in documents:
        commit = changes.get(document.origin.file)
        if commit is None or not document.app:
            continue
        known = found.get(document.app)
        if known is None or _order(known) < _order(commit):
            found[document.app] = commit
    return found


def _order(commit: Commit) -> tuple[float, str]:
    """Of two of the same second, always the same one."""
    return (commit.committed_at.timestamp() if commit.committed_at else 0.0, commit.id)
