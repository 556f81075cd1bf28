"""Which commit is in force, as JSON, and back. Pure."""

from datetime import datetime
from typing import Any

from reconciler.model.commit import Commit, SourceStatus
from reconciler.report.moments import from_text, to_text

Json = dict[str, Any]


def source_document(source: SourceStatus) -> Json:
    """Return what is followed, and how far."""
    commit = source.commit or Commit("")
    return {
        "place": source.place,
        "ref": source.ref,
        "commit": commit.id or None,
        "author": commit.author,
        "subject": commit.subject,
        "committed_at": _text(commit.committed_at),
        "signer": commit.signer,
        "fetched_at": _text(source.fetched_at),
        "message": source.told,
    }


def commit_document(commit: Commit) -> Json:
    """Return who changed something, when, and about what."""
    return {
        "commit": commit.id,
        "author": commit.author,
        "subject": commit.subject,
        "committed_at": _text(commit.committed_at),
    }


def parse_commit(told: Any) -> Commit | None:  # noqa: ANN401 - JSON of any shape
    """Return it; raises what a document of another shape leads to."""
    if not told:
        return None
    name, author, subject = (str(told[key]) for key in ("commit", "author", "subject"))
    return Commit(name, author, subject, _moment(told["committed_at"]))


def parse_source(told: Any) -> SourceStatus | None:  # noqa: ANN401 - JSON of any shape
    """Return it; raises what a document of another shape leads to."""
    if not told:
        return None
    commit = None
    if told["commit"]:
        name, author, subject = (str(told[key]) for key in ("commit", "author", "subject"))
        committed_at = _moment(told["committed_at"])
        commit = Commit(name, author, subject, committed_at, str(told["signer"]))
    at = _moment(told["fetched_at"])
    return SourceStatus(str(told["place"]), str(told["ref"]), commit, at, str(told["message"]))


def _text(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None


def _moment(text: Any) -> datetime | None:  # noqa: ANN401 - JSON of any shape
    return from_text(text) if text else None
