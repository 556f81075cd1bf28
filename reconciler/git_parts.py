"""
A git source, put together from the settings; and what is known of one without following it.

What follows one is imported where there is one: verbs that look stay fast without.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import durable
from reconciler.clock import SystemClock
from reconciler.config import GitSource, Settings
from reconciler.errors import ConfigurationError
from reconciler.model.commit import Commit, SourceStatus
from reconciler.report import places
from reconciler.sources.work_tree import around, commit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.following import GitFollower
    from reconciler.sources.git_checkout import GitRepository
    from reconciler.sources.git_signatures import SignatureVerifier
    from reconciler.webhook import Webhook


def at_rest(settings: Settings) -> SourceStatus | None:
    """Return which commit is in force, for who only looks; None where there is none."""
    if settings.git is None:
        commit = commit_of(settings.desired_state)
        return SourceStatus(str(settings.desired_state), "", commit) if commit else None
    from reconciler.sources.git_checkout import Checkouts
    from reconciler.sources.git_history import ChangesFile

    folder = places.git_path(settings.state_dir)
    below = settings.git.path or ""
    applied = Checkouts(folder, below).applied()
    changes = ChangesFile(folder, below).known(applied.id) if applied else {}
    return SourceStatus(settings.git.url, settings.git.ref, applied, changes=changes)


def look_back(settings: Settings, commit: Commit) -> "Mapping[str, Commit]":
    """Return which commit changed each file of a work tree last, by file."""
    from reconciler.sources.git_history import of_tree

    tree = around(settings.desired_state)
    own = places.git_path(settings.state_dir) / "borrowed.git"
    return of_tree(tree, own, settings.desired_state, commit.id) if tree else {}


def follower(
    settings: Settings,
    clock: SystemClock,
    wake: Callable[[], None],
    bug: Callable[[BaseException], None],
) -> "GitFollower | None":
    """Return who follows the git source, not started yet; None where there is none."""
    from reconciler.following import Following, GitFollower

    git = settings.git
    if git is None:
        return None
    what = Following(git.url, git.ref, git.interval, lambda: allowed(settings))
    return GitFollower(repository(settings, git), verifier(git), what, clock, wake, bug)


def webhook(settings: Settings, look: Callable[[], None]) -> "Webhook | None":
    """Return what listens for pushes; None where that is not wanted."""
    git = settings.git
    if git is None or git.webhook is None:
        return None
    secret = _secret(git.webhook_secret_file, "git.webhook_secret_file")
    if not secret:
        raise ConfigurationError(f"cannot use {git.webhook_secret_file}: it is empty")
    from reconciler.webhook import Webhook

    return Webhook(git.webhook, secret.encode(), look)


def repository(settings: Settings, git: GitSource) -> "GitRepository":
    """Return the repository of a git source. Raises ConfigurationError."""
    from reconciler.sources.git_call import Remote
    from reconciler.sources.git_checkout import GitRepository

    remote = Remote(
        git.url,
        git.ref,
        git.timeout,
        token=_secret(git.token_file, "git.token_file"),
        ssh_key=_absolute(git.ssh_key),
        known_hosts=_absolute(git.known_hosts),
    )
    return GitRepository(places.git_path(settings.state_dir), remote, git.path or "")


def allowed(settings: Settings) -> str:
    """Return the commit that the operator let through; empty where there is none."""
    try:
        return str(
            json.loads(places.allowed_commit_path(settings.state_dir).read_text())["commit"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def allow(settings: Settings, commit: str) -> None:
    """Write down that this commit is meant, whatever was in force before. Raises OSError."""
    file = places.allowed_commit_path(settings.state_dir)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.replace(file, json.dumps({"commit": commit}))


def pushed(settings: Settings, commit: str) -> None:
    """Have a running loop look now; one that cannot be told looks after its interval."""
    file = places.allowed_commit_path(settings.state_dir).with_name("pushed.json")
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace(file, json.dumps({"commit": commit}))


def verifier(git: GitSource) -> "SignatureVerifier":
    """Return who finds out by whom commits are signed."""
    from reconciler.sources.git_signatures import Demand, SignatureVerifier, Signers

    signers = Signers(_absolute(git.allowed_signers), _absolute(git.keyring))
    return SignatureVerifier(Demand(git.verify), signers, git.ref.removeprefix("refs/tags/"))


def _absolute(file: Path | None) -> Path | None:
    return file.absolute() if file else None


def _secret(file: Path | None, setting: str) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(f"cannot read `{setting}` {file}: {why.lower()}") from error
