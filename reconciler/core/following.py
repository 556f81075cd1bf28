"""Which commit of a git source is to be in force. Pure; the last good one stays in doubt."""

from msgspec import Struct

from reconciler.model.commit import Commit, CommitEvidence


class Next(Struct, frozen=True):
    """The commit to take, if another one is; or why the newest is not taken."""

    take: Commit | None = None
    told: str = ""


def following(evidence: CommitEvidence) -> Next:
    """
    Return what to do about the newest commit.

    1  What is not known changes nothing.
    2  What has to be signed and is not, is not taken: not by the operator's word either.
    3  What does not contain the one in force goes back, or is another history: that needs a word.
    4  What cannot be checked out as it is, is not checked out in part.
    """
    head, applied = evidence.head, evidence.applied
    if head is None or (applied is not None and head.id == applied.id):
        return Next()
    for commit in reversed(evidence.since):  # the first one that somebody has to mend
        if commit.unsigned:
            told = f"is not taken, {_named(commit, head)} {commit.unsigned}"
            return Next(told=f"the newest commit {head.short} {told}")
    if applied is not None and not evidence.descends and evidence.allowed != head.id:
        return Next(
            told=f"the newest commit {head.short} does not contain {applied.short}, which is in"
            " force: history was rewritten, or goes back; if that is meant,"
            " `archipelago confirm revision`"
        )
    if evidence.obstacles:
        return Next(
            told=f"the newest commit {head.short} cannot be checked out: {evidence.obstacles[0]}"
        )
    return Next(take=head)


def _named(commit: Commit, head: Commit) -> str:
    return "it" if commit.id == head.id else f"{commit.short} before it"
