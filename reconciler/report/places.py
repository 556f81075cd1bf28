"""Where the files of one instance are, below the state directory."""

from pathlib import Path


def lock_path(state_dir: Path, instance: str) -> Path:
    """Return the file that a running loop has locked."""
    return state_dir / f"{instance}.lock"


def status_path(state_dir: Path) -> Path:
    """Return the file in which a running loop keeps its status."""
    return state_dir / "status.json"


def journal_path(state_dir: Path) -> Path:
    """Return the file of events."""
    return state_dir / "events.jsonl"


def ledger_path(state_dir: Path) -> Path:
    """Return the image ledger, in a folder of its own that is watched."""
    return state_dir / "images" / "images.json"


def past_path(state_dir: Path) -> Path:
    """Return what images were before, and who signed them: beside the ledger, watched as it is."""
    return state_dir / "images" / "past.json"


def inventory_path(state_dir: Path) -> Path:
    """Return the file of what was adopted, in a folder of its own that is watched."""
    return state_dir / "adopted" / "inventory.json"


def audit_path(state_dir: Path) -> Path:
    """Return the folder of the audit log, its key, and its checkpoint."""
    return state_dir / "audit"


def git_path(state_dir: Path) -> Path:
    """Return the folder of a git source: the mirror, its checkouts, and `current`."""
    return state_dir / "git"


def allowed_commit_path(state_dir: Path) -> Path:
    """Return the file with the operator's word on another history."""
    return state_dir / "confirmed" / "commit.json"


def attempts_path(state_dir: Path) -> Path:
    """Return the file of what was tried lately."""
    return state_dir / "attempts.json"


def proofs_path(state_dir: Path) -> Path:
    """Return the file of what signatures of images proved."""
    return state_dir / "signatures" / "proved.json"


def revisions_path(state_dir: Path) -> Path:
    """Return the folder of the last good revision of each app."""
    return state_dir / "revisions"


def failures_path(state_dir: Path) -> Path:
    """Return the file of revisions that failed, in a folder of its own that is watched."""
    return state_dir / "failed" / "failed.json"


def confirmation_path(state_dir: Path) -> Path:
    """Return the file that holds the operator's word on removals."""
    return state_dir / "confirmed" / "removals.json"
