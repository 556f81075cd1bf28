"""
What all parts of a document have in common: strict, frozen, no unknown key, all errors at once.

A part may say which of its keys are known but not available yet, and which short form it has.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema
from typing_extensions import override

from reconciler.model.manifest.complaint import (
    Complaint,
    complaints_of,
    did_you_mean,
    nearest,
    refusal,
    refusals,
    shown,
)
from reconciler.model.manifest.scalars import read_text

K = TypeVar("K")
V = TypeVar("V")
W = TypeVar("W", bound=str)

MANY: Final = 100  # complaints about one part: enough for a person, cheap for a machine
LONGEST: Final = 1000  # entries in a list


def _extend_schema(schema: dict[str, Any]) -> None:
    schema["patternProperties"] = {"^x-": {}}


class Part(BaseModel):
    """A mapping in a document."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        defer_build=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        json_schema_extra=_extend_schema,
    )

    RESERVED: ClassVar[frozenset[str]] = frozenset()
    SHORT_FORM: ClassVar[Mapping[str, object] | None] = None

    @classmethod
    def from_short(cls, written: object) -> object:
        """Return the long form of what is written in a short form."""
        return written

    @classmethod
    def hint_for(cls, unknown: str) -> str:
        """Return what a person who wrote an unknown key probably needs to know."""
        return did_you_mean(unknown, cls.key_names())

    def complaints(self) -> Iterator[Complaint]:
        """Tell what is wrong between keys that are each right."""
        yield from ()

    @classmethod
    def key_names(cls) -> tuple[str, ...]:
        """Return the keys as a user writes them."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, written: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(written, cls):
            return written
        usable, wrong = cls._sort_out(as_mapping(cls.from_short(written)))
        settled = {complaint.path[0] for complaint in wrong}
        settled |= {guess for key in settled if (guess := nearest(str(key), cls.key_names()))}
        try:
            part = handler(usable)
        except ValidationError as error:
            wrong += [c for c in complaints_of(error) if not _is_settled(c, settled)]
            raise refusals(wrong) from None
        wrong = wrong or list(islice(part.complaints(), MANY))
        if wrong:
            raise refusals(wrong)
        return part

    @classmethod
    def _sort_out(cls, written: Mapping[str, object]) -> tuple[dict[str, object], list[Complaint]]:
        usable: dict[str, object] = {}
        wrong: list[Complaint] = []
        known = cls.key_names()
        for key, value in written.items():
            if key.startswith("x-") or len(wrong) >= MANY:
                continue
            complaint = cls._complaint_about(key, value, known)
            if complaint is None:
                usable[str(key)] = value
            else:
                wrong.append(complaint)
        return usable, wrong

    @classmethod
    def _complaint_about(cls, key: str, value: object, known: tuple[str, ...]) -> Complaint | None:
        if key in cls.RESERVED:
            message, hint = f"`{key}` is not available in this version", "remove it"
        elif key not in known:
            message, hint = f"there is no key {shown(key)} here", cls.hint_for(key)
        elif value is None:
            message, hint = "there is no value", "give one, or remove the key"
        else:
            return None
        return Complaint((key,), message, hint, at_key=True)

    @classmethod
    @override
    def __get_pydantic_json_schema__(
        cls,
        core_schema: CoreSchema,
        handler: GetJsonSchemaHandler,
        /,
    ) -> dict[str, Any]:
        schema = handler(core_schema)
        if cls.SHORT_FORM is None:
            return schema
        return {"anyOf": [dict(cls.SHORT_FORM), schema]}


def _is_settled(complaint: Complaint, settled: set[str | int]) -> bool:
    """Tell whether a missing key was already spoken of: it had no value, or was misspelt."""
    return not complaint.path and complaint.missing in settled


def as_mapping(written: object) -> Mapping[str, object]:
    """Return what is a mapping with texts as keys."""
    if not isinstance(written, Mapping):
        raise refusal("this must be a mapping, with lines of the form `key: value`")
    mapping = cast("Mapping[object, object]", written)
    wrong = [key for key in mapping if not isinstance(key, str)]
    if wrong:
        raise refusal(f"the key {shown(wrong[0])} is not text", "put it in quotes")
    return cast("Mapping[str, object]", mapping)


def _tuple(written: object) -> object:
    match written:
        case list() | tuple():
            entries = tuple(cast("Iterable[object]", written))
            if len(entries) > LONGEST:
                raise refusal(f"the list has {len(entries)} entries, {LONGEST} are the most")
            return entries
        case _:
            raise refusal("this must be a list", "write each entry on its own line, after `- `")


def _dictionary(written: object) -> dict[str, object]:
    mapping = as_mapping(written)
    return {str(key): value for key, value in mapping.items() if not key.startswith("x-")}


def empty() -> Mapping[str, Any]:
    """Return a mapping without anything, for a default."""
    return MappingProxyType({})


def _frozen(mapping: Mapping[K, V]) -> Mapping[K, V]:
    return MappingProxyType(dict(mapping))


def choice(known: Iterable[W], hints: Mapping[str, str] | None = None) -> Callable[[object], W]:
    """Return a reader of one of a few words."""
    words = {str(word): word for word in known}

    def read(value: object) -> W:
        text = read_text(value)
        if text in words:
            return words[text]
        hint = (hints or {}).get(text) or did_you_mean(text, words)
        raise refusal(f"{shown(text)} is not one of {', '.join(words)}", hint)

    return read


Items = Annotated[tuple[V, ...], BeforeValidator(_tuple)]
MapOf = Annotated[Mapping[K, V], BeforeValidator(_dictionary), AfterValidator(_frozen)]
