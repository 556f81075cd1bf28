"""
The manifest while it is made: plain mappings and lists, whose leaves know where they come from.

A leaf is the smallest part that can be left out again when the manifest's model refuses it.
"""

from collections.abc import Iterator, Mapping
from typing import cast

from msgspec import Struct

from reconciler.model.manifest.complaint import Path

Section = dict[str, object]


class Leaf(Struct, eq=False):
    """A finished value, and the place of the input that it was made from."""

    value: object
    source: Path


def part(section: Section, key: str) -> Section:
    """Return the mapping under a key, new where there is none."""
    return cast("Section", section.setdefault(key, {}))


def listed(section: Section, key: str) -> list[object]:
    """Return the list under a key, new where there is none."""
    return cast("list[object]", section.setdefault(key, []))


def finished(tree: object) -> object:
    """Return the tree as plain data, without what is empty."""
    match tree:
        case Leaf():
            return tree.value
        case dict():
            made = {key: finished(value) for key, value in cast("Section", tree).items()}
            return {
                key: value
                for key, value in made.items()
                if value not in ({}, []) or isinstance(cast("Section", tree)[key], Leaf)
            }
        case list():
            return [finished(value) for value in cast("list[object]", tree)]
        case _:
            return tree


def find(tree: object, path: Path) -> tuple[Path, object]:
    """Return the leaf that a path leads to or through, or the last thing on the path."""
    for length, step in enumerate(path):
        if isinstance(tree, Leaf):
            return path[:length], tree
        inner = _step(tree, step)
        if inner is None:
            return path[:length], tree
        tree = inner
    return path, tree


def _step(tree: object, step: str | int) -> object:
    if isinstance(tree, dict):
        return cast("Mapping[object, object]", tree).get(step)
    if isinstance(tree, list) and isinstance(step, int):
        entries = cast("list[object]", tree)
        return entries[step] if step < len(entries) else None
    return None


def leaves(tree: object) -> Iterator[Leaf]:
    """Return every leaf of a tree."""
    if isinstance(tree, Leaf):
        yield tree
    elif isinstance(tree, dict):
        for value in cast("Section", tree).values():
            yield from leaves(value)
    elif isinstance(tree, list):
        for value in cast("list[object]", tree):
            yield from leaves(value)


def without(tree: object, gone: set[int]) -> object:
    """Return the tree without some leaves, each named by its identity."""
    match tree:
        case dict():
            kept = {k: without(v, gone) for k, v in cast("Section", tree).items()}
            return {key: value for key, value in kept.items() if value is not None}
        case list():
            entries = [without(v, gone) for v in cast("list[object]", tree)]
            return [value for value in entries if value is not None]
        case Leaf():
            return None if id(tree) in gone else tree
        case _:
            return tree
