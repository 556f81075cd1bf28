"""Gates: each looks at evidence and returns why not, or nothing. Missing evidence denies."""

from reconciler.model.desired import AppSpec
from reconciler.model.evidence import Evidence

_GIB = 2**30


def storage(app: AppSpec, evidence: Evidence) -> str:
    """Deny an install on a disk without the room that the app asks for."""
    if app.storage is None:
        return ""
    if evidence.free_bytes is None:
        return "asks for storage, and the free space could not be measured"
    if evidence.free_bytes >= app.storage:
        return ""
    return f"asks for {app.storage / _GIB:.1f} GiB of storage, and less is free"
