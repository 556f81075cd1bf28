"""
The files of a log: `audit.jsonl`, and those that were full, named by their first entry.

Each file but the first begins with the tree as it was, so that it can be gone on from alone.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from reconciler.report.audit.entry import FIRST
from reconciler.report.audit.merkle import Tree, leaf

CURRENT = "audit.jsonl"
CHECKPOINT = "checkpoint"


class Head(Struct, frozen=True):
    """Where a log goes on: behind so many entries, the last of which has this hash."""

    tree: Tree = field(default_factory=Tree)
    last: str = FIRST

    def after(self, entry: bytes) -> "Head":
        """Return where it goes on behind this one."""
        return Head(self.tree.with_leaf(leaf(entry)), hashlib.sha256(entry).hexdigest())


def in_order(folder: Path) -> list[Path]:
    """Return all files, oldest first. Raises OSError."""
    old = sorted(folder.glob("audit-*.jsonl"))
    current = folder / CURRENT
    return [*old, current] if current.exists() else old


def set_aside(folder: Path, first: int) -> Path:
    """Return where a full file goes."""
    return folder / f"audit-{first:012}.jsonl"


def lines(file: Path) -> Iterator[bytes]:
    """Yield the whole lines, without their ends; what has no end is not yielded."""
    with file.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield line[:-1]


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return an entry; None where the line is none."""
    try:
        told = json.loads(line)
        known = isinstance(told["seq"], int) and isinstance(told["prev"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return told if known else None


def began_at(line: bytes) -> Head:
    """Return where the file went on whose first entry this is, as that entry says."""
    told = parsed(line) or {}
    if told.get("kind") != "continued":
        return Head()
    try:
        peaks = tuple(bytes.fromhex(peak) for peak in told["peaks"])
        return Head(Tree(int(told["seq"]), peaks), str(told["prev"]))
    except (ValueError, KeyError, TypeError):
        return Head()


def head_of(file: Path) -> Head:
    """Return where the log goes on behind this file's whole lines. Raises OSError."""
    head: Head | None = None
    for line in lines(file):
        head = (head or began_at(line)).after(line)
    return head or Head()


def is_begun(folder: Path) -> bool:
    """Whether a loop has written here before. Raises OSError."""
    every = in_order(folder)
    kinds = ((parsed(line) or {}).get("kind") for line in lines(every[0])) if every else ()
    return any(kind in {"start", "continued"} for kind in kinds)
