"""Gates: each looks at evidence and returns why not, or nothing. Missing evidence denies."""

from reconciler.core.comparison import Comparison
from reconciler.model.desired import AppSpec
from reconciler.model.evidence import Evidence

_GIB = 2**30


def lost_secrets(comparison: Comparison, evidence: Evidence) -> str:
    """Deny making a container with a new secret where its data was made with another."""
    app = comparison.spec.id
    seen = (*comparison.current.values(), *comparison.outdated)
    used = {name for container in seen for name in container.secrets}
    wanted = {secret.name for secret in comparison.spec.secrets}
    lost = sorted(n for n in used & wanted if (app, n) not in evidence.secrets)
    if not lost:
        return ""
    return (
        f"its secret {', '.join(lost)} is gone, and its data was made with it: bring back"
        f" secrets/{app} in the state folder from a backup, or remove the app to begin anew"
    )


def storage(app: AppSpec, evidence: Evidence) -> str:
    """Deny an install on a disk without the room that the app asks for."""
    if app.storage is None:
        return ""
    if evidence.free_bytes is None:
        return "asks for storage, and the free space could not be measured"
    if evidence.free_bytes >= app.storage:
        return ""
    return f"asks for {app.storage / _GIB:.1f} GiB of storage, and less is free"
