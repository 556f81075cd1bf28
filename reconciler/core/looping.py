"""What keeps ending: whose log to look into, and when it may be tried sooner. Pure."""

from collections.abc import Mapping
from datetime import datetime

from reconciler.core import backoff
from reconciler.core.comparison import Comparison
from reconciler.core.situation import Situation
from reconciler.model.container import ContainerSpec
from reconciler.model.history import Attempts
from reconciler.model.last_words import LogEnd
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.secret import SecretKind, SecretRef, SecretText

_WATCHED_FROM = 2  # starts: the first end may have been anybody's
_HIDDEN = ("PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL")
_SHORTEST = 4  # a value that hides less than that would blank out every other word


def log_ends(situation: Situation, comparisons: Mapping[str, Comparison]) -> dict[str, LogEnd]:
    """Return the containers, by ref, the end of whose log is to be known."""
    return {
        seen.ref: LogEnd(
            seen.exit_code if seen.state is ContainerState.EXITED else None,
            _secrets(comparison, wanted),
            _hidden(wanted),
        )
        for app, comparison in comparisons.items()
        for seen in _watched(comparison, situation.attempts.get(app, Attempts()))
        for wanted in [comparison.spec.container(seen.container)]
        if wanted is not None
    }


def last_words(situation: Situation, comparison: Comparison) -> str:
    """Return what those that ended printed last, to be put behind a message."""
    ended = (c for c in comparison.current.values() if c.state is ContainerState.EXITED)
    words = [(c.container, situation.last_words.get(c.ref, "")) for c in ended]
    several = len(comparison.spec.containers) > 1
    return "".join(
        f"; {name}{text.removeprefix(';')}" if several else text
        for name, text in sorted(words)
        if text
    )


def loops(attempts: Attempts, attempt: str) -> bool:
    """Whether an app was started so often without lasting that a person should hear of it."""
    return attempts.digest == attempt and attempts.starts >= backoff.LOOPS_AFTER


def calmed_at(situation: Situation, comparison: Comparison) -> datetime | None:
    """Return when an app that keeps ending will have served for its window, if it does so now."""
    attempts = situation.attempts.get(comparison.spec.id, Attempts())
    tried = comparison.spec.digest + comparison.pins()
    if attempts.since is None or not comparison.ready() or not loops(attempts, tried):
        return None
    return attempts.since + situation.window


def calmed(
    situation: Situation,
    comparisons: Mapping[str, Comparison],
) -> dict[str, Attempts]:
    """Return the attempts, without those of apps that have served for their window since."""
    return {
        app: backoff.calmed(known, situation.now, situation.window)
        if app in comparisons and comparisons[app].ready()
        else known
        for app, known in situation.attempts.items()
    }


def revived(
    situation: Situation,
    comparison: Comparison,
    ready: Mapping[str, bool],
) -> bool:
    """Whether something that the app needs is there again since it was tried last."""
    attempts = situation.attempts.get(comparison.spec.id, Attempts())
    since = attempts.since
    return since is not None and any(
        ready.get(r.app, False) and situation.ready_since.get(r.app, situation.now) > since
        for r in comparison.spec.requires
    )


def _watched(comparison: Comparison, attempts: Attempts) -> tuple[ObservedContainer, ...]:
    same = attempts.digest == comparison.spec.digest + comparison.pins()
    if same and attempts.starts >= _WATCHED_FROM:
        return tuple(comparison.current.values())
    return comparison.failed_jobs()


def _secrets(comparison: Comparison, container: ContainerSpec) -> tuple[SecretRef, ...]:
    """All of the app's own, hashed or not, and what the container was given of others."""
    spec = comparison.spec
    own = [SecretRef(s.app, s.name) for s in spec.secrets]
    own += [SecretRef(s.app, s.name, True) for s in spec.secrets if s.kind is SecretKind.BCRYPT]
    texts: list[SecretText] = [text for _, text in container.secret_environment]
    texts += [file.content for file in container.files]
    given = [piece for text in texts for piece in text if isinstance(piece, SecretRef)]
    return tuple(dict.fromkeys((*own, *given)))


def _hidden(container: ContainerSpec) -> tuple[str, ...]:
    """An answer of the operator's is plain text in a variable: its name says what it is."""
    return tuple(
        value
        for name, value in container.environment
        if len(value) >= _SHORTEST and any(word in name.upper() for word in _HIDDEN)
    )
