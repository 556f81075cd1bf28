"""What a merge key (`<<`) of YAML brings, in documents that may have one."""

from typing import Final, cast

MERGE: Final = "<<"


def merge(mapping: dict[str, object], more: object) -> bool:
    """Add what a mapping, or each of a list, has and this has not; tell whether it could."""
    sources = cast("list[object]", more) if isinstance(more, list) else [more]
    for source in sources:
        if not isinstance(source, dict):
            return False
        for key, value in cast("dict[str, object]", source).items():
            mapping.setdefault(key, value)
    return True
