"""
The Merkle tree over all entries, as RFC 6962 defines it. Pure.

Only the peaks of the tree are kept while it grows: as many hashes as its size has bits set.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct

EMPTY = hashlib.sha256(b"").digest()


def leaf(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree(Struct, frozen=True):
    """A tree of `size` entries; `peaks` are the roots of its perfect parts, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def with_leaf(self, hashed: bytes) -> "Tree":
        """Return the tree with one more entry, given as `leaf` returns it."""
        peaks, size = list(self.peaks), self.size
        while size & 1:  # as many perfect parts as end here grow into one
            hashed = _node(peaks.pop(), hashed)
            size >>= 1
        return Tree(self.size + 1, (*peaks, hashed))

    def root(self) -> bytes:
        """Return the 32 bytes that stand for all entries."""
        if not self.peaks:
            return EMPTY
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = _node(peak, root)
        return root

    @property
    def sound(self) -> bool:
        """Whether there are as many peaks as a tree of this size has."""
        return self.size >= 0 and len(self.peaks) == self.size.bit_count()


def proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """
    Return the hashes that lead from one leaf to the root, nearest first.

    `leaves` are the hashes of all entries; `index` counts from 0.
    """
    level, path = list(leaves), list[bytes]()
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        pairs = [_node(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
        index >>= 1
    return tuple(path)


def leads_to(root: bytes, size: int, index: int, hashed: bytes, path: Sequence[bytes]) -> bool:
    """Say whether a proof shows that this leaf is in the tree with that root."""
    if not 0 <= index < size:
        return False
    last, steps = size - 1, list(path)
    while last:
        if index & 1 or index < last:
            if not steps:
                return False
            beside = steps.pop(0)
            hashed = _node(beside, hashed) if index & 1 else _node(hashed, beside)
        index, last = index >> 1, last >> 1
    return not steps and hashed == root
