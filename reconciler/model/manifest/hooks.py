"""Steps around an installation: kept as they were written, because no version runs them yet."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Final, cast

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from reconciler.model.manifest.complaint import refusal
from reconciler.model.manifest.part import Items, Part

_MOST_VALUES: Final = 1000
_DEEPEST: Final = 16


def _frozen(value: object, depth: int = 0) -> object:
    if depth > _DEEPEST:
        raise refusal(f"the step is nested deeper than {_DEEPEST}")
    match value:
        case Mapping():
            mapping = cast("Mapping[object, object]", value)
            frozen = {str(key): _frozen(inner, depth + 1) for key, inner in mapping.items()}
            return MappingProxyType(frozen)
        case list() | tuple():
            return tuple(_frozen(inner, depth + 1) for inner in cast("Iterable[object]", value))
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise refusal("the step is not plain data")


def _count(value: object) -> int:
    match value:
        case Mapping():
            return 1 + sum(_count(inner) for inner in cast("Mapping[str, object]", value).values())
        case tuple():
            return 1 + sum(_count(inner) for inner in cast("tuple[object, ...]", value))
        case _:
            return 1


def _bounded(steps: tuple[object, ...]) -> tuple[object, ...]:
    if _count(steps) > _MOST_VALUES:
        raise refusal(f"the steps have more than {_MOST_VALUES} values")
    return steps


Step = Annotated[object, PlainValidator(_frozen), WithJsonSchema({})]


class HooksManifest(Part):
    """Steps after an installation."""

    post_install: Annotated[Items[Step], AfterValidator(_bounded)] = ()
