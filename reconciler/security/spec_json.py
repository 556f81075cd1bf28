"""
Specs as JSON, and back: structs, enumerations, tuples and plain values. Pure.

What is at its default is left out, so that a later version may add fields. A field that is not
known, or a value of another kind, is a ValueError: what is understood in part is not understood.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from reconciler.model.desired import AppSpec

_Read = Callable[[Any], Any]
_Some = TypeVar("_Some")


def app_document(spec: AppSpec) -> dict[str, Any]:
    """Return an app as JSON."""
    return cast("dict[str, Any]", _plain(spec))


def parse_app(document: object) -> AppSpec:
    """Return the app of a document. Raises ValueError."""
    return parsed(AppSpec, document)


def parsed(kind: type[_Some], document: object) -> _Some:
    """Return the value of a document. Raises ValueError."""
    try:
        return cast("_Some", _reader(cast("Any", kind))(document))
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not {kind.__name__}: {error}") from error


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value that a spec is made of
    if isinstance(value, Struct):
        told = ((f, getattr(value, f.name)) for f in _fields(type(value)))
        return {f.name: _plain(v) for f, v in told if f.default is NODEFAULT or v != f.default}
    if isinstance(value, tuple):
        return [_plain(v) for v in cast("tuple[object, ...]", value)]
    return value.isoformat() if isinstance(value, datetime) else value


@lru_cache(maxsize=256)
def _reader(kind: Any) -> _Read:  # noqa: ANN401 - whatever a field is annotated with
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _one_of(tuple(_reader(a) for a in arguments))
    if origin is tuple:
        return _many(arguments)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _object(kind)
    if kind is float:
        return _number
    if kind is datetime:
        return datetime.fromisoformat
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    return _exactly(cast("type[Any]", kind))


def _object(kind: type[Struct]) -> _Read:
    readers: dict[str, _Read] = {}

    def read(document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an object of that kind
        if not readers:  # only now, since a kind may hold others of its own
            hints = get_type_hints(kind)
            readers.update({f.name: _reader(hints[f.name]) for f in _fields(kind)})
        unknown = document.keys() - readers.keys()
        if unknown:
            raise ValueError(f"unknown in {kind.__name__}: {', '.join(sorted(unknown))}")
        return kind(**{name: readers[name](value) for name, value in document.items()})

    return read


def _many(arguments: tuple[Any, ...]) -> _Read:
    if arguments[-1] is Ellipsis:
        each = _reader(arguments[0])
        return lambda items: tuple(each(item) for item in _listed(items))
    readers = tuple(_reader(a) for a in arguments)
    return lambda items: tuple(
        read(item) for read, item in zip(readers, _listed(items), strict=True)
    )


def _listed(items: object) -> list[object]:
    if not isinstance(items, list):
        raise ValueError("not a list")  # noqa: TRY004 - of a document, every mistake is one
    return cast("list[object]", items)


def _one_of(readers: tuple[_Read, ...]) -> _Read:
    def read(value: Any) -> Any:  # noqa: ANN401 - of the first kind that takes it
        for reader in readers:
            try:
                return reader(value)
            except (ValueError, TypeError, AttributeError):
                continue
        raise ValueError("of no kind that fits")

    return read


def _number(value: Any) -> float:  # noqa: ANN401 - JSON
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")  # noqa: TRY004 - of a document, every mistake is one
    return float(value)


def _exactly(kind: type[Any]) -> _Read:
    def read(value: Any) -> Any:  # noqa: ANN401 - a plain value
        if type(value) is not kind:
            raise ValueError(f"not {kind.__name__}")
        return value

    return read


@cache
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    return fields(kind)
