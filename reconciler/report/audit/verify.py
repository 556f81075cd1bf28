"""
Looks for every way in which a log can have been changed. Reads, and changes nothing.

An edit, a gap and an exchange break the chain of hashes. A log that ends early is shorter than
what was signed. One that was written anew, hash by hash, has another root than the signed one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from reconciler.report.audit import files, merkle
from reconciler.report.audit.box_key import check
from reconciler.report.audit.files import Head
from reconciler.report.audit.note import Checkpoint, Verifier, opened

MANY = 20


class Found(Struct):
    """
    What a log is.

    `problems` are what must not be, in words; `signed` is the checkpoint that was compared;
    `first` is the number of its first entry, `size` that behind its last. `unended` are acts that
    began and whose end is not on record: a crash, or one that lasts. `entries` are all there are.
    """

    problems: list[str] = field(default_factory=list[str])
    first: int = 0
    size: int = 0
    files: int = 0
    signed: Checkpoint | None = None
    unended: list[int] = field(default_factory=list[int])
    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    leaves: list[bytes] = field(default_factory=list[bytes])


def verify(folder: Path, verifier: Verifier | None, note: str) -> Found:
    """
    Compare all entries with each other, and with a checkpoint. Raises OSError.

    `note` is the checkpoint as it was signed, from the folder or from where it was exported to.
    """
    found = Found()
    checkpoint = _checkpoint(found, verifier, note)
    head = Head()
    every = files.in_order(folder)
    found.files = len(every)
    for file in every:
        head = _follow(found, file, head, checkpoint, last=file == every[-1])
        if len(found.problems) >= MANY:
            break
    found.size = head.tree.size
    if checkpoint is not None:
        _compare(found, head, checkpoint)
    found.unended = _unended(found.entries)
    return found


def _checkpoint(found: Found, verifier: Verifier | None, note: str) -> Checkpoint | None:
    if not note:
        found.problems.append("there is no checkpoint: nothing says how long the log has to be")
        return None
    if verifier is None:
        found.problems.append("the public key cannot be read: no signature can be checked")
        return None
    found.signed = opened(note, verifier, check)
    if found.signed is None:
        found.problems.append("the checkpoint is not signed by this key")
    return found.signed


def _follow(
    found: Found, file: Path, head: Head, checkpoint: Checkpoint | None, *, last: bool
) -> Head:
    """Read one file behind all before it; return where the log goes on."""
    for number, line in enumerate(_lines(found, file, last=last), 1):
        told = files.parsed(line)
        place = f"{file.name}, line {number}"
        if told is None:
            found.problems.append(f"{place} is no entry")
            return head
        if not found.entries and not head.tree.size:
            head = files.began_at(line)
            found.first = head.tree.size
            if not head.tree.sound:
                found.problems.append(f"{place} does not say how the log was before it")
        if told["seq"] != head.tree.size:
            found.problems.append(f"{place} is entry {told['seq']}, expected {head.tree.size}")
        elif told["prev"] != head.last:
            found.problems.append(f"{place}: the entry before it is not the one that it follows")
        if len(found.problems) >= MANY:
            return head
        head = head.after(line)
        found.entries.append(told)
        found.leaves.append(merkle.leaf(line))
        if checkpoint is not None and head.tree.size == checkpoint.size:
            _same_root(found, head, checkpoint)
    return head


def _lines(found: Found, file: Path, *, last: bool) -> Iterator[bytes]:
    text = file.read_bytes()
    whole, _, half = text.rpartition(b"\n")
    if half and not last:
        found.problems.append(f"{file.name} does not end with a whole line")
    yield from whole.split(b"\n") if whole else ()


def _same_root(found: Found, head: Head, checkpoint: Checkpoint) -> None:
    if head.tree.root() != checkpoint.root:
        found.problems.append(
            f"the first {checkpoint.size} entries are not those that were signed: the log was"
            " written anew"
        )


def _compare(found: Found, head: Head, checkpoint: Checkpoint) -> None:
    if head.tree.size < checkpoint.size:
        found.problems.append(
            f"there are {head.tree.size} entries, and {checkpoint.size} were signed: the end of"
            " the log is missing"
        )
    elif found.first >= checkpoint.size and found.files:
        found.problems.append(
            f"entry {found.first} is the first one here, and no later one was signed"
        )


def _unended(entries: list[dict[str, Any]]) -> list[int]:
    begun: dict[int, None] = {}
    for told in entries:
        if told.get("kind") == "begin":
            begun[told["seq"]] = None
        elif told.get("kind") == "end" and isinstance(told.get("of"), int):
            begun.pop(told["of"], None)
    return list(begun)
