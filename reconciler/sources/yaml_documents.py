"""
YAML in, plain data with places out. Bounded and safe: no object is ever constructed.

It reads events, not values: unquoted scalars stay raw text (`PlainScalar`), because what `no`,
`1.10` or `0777` means is for the field to say. This is the only importer of PyYAML.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

import yaml
from msgspec import Struct, field

from reconciler.model.manifest.complaint import Path, shown
from reconciler.model.manifest.names import APP_ID
from reconciler.model.manifest.scalars import PlainScalar
from reconciler.model.origin import Origin, Problem
from reconciler.sources.yaml_merging import MERGE, merge
from reconciler.sources.yaml_sentences import sentence
from reconciler.sources.yaml_text import decode

MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 64
MAX_DOCUMENTS: Final = 256
MAX_SYNTAX_ERRORS: Final = 16
MAX_PROBLEMS: Final = 100

Position = tuple[int, int]

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_TEXT: Final = re.compile(
    r"[-+]?\.?[0-9][0-9_]*(?:[.:][0-9_]*)*(?:[eE][-+]?[0-9]+)?|0[xo][0-9a-fA-F]+"
    r"|true|True|TRUE|false|False|FALSE",
)
_TEXT_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:str"})
_SEPARATOR: Final = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)
_LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_OPENERS: Final = ("quoted scalar", "flow", "simple key")  # the error is where they begin
_NAMES: Final = frozenset({("app", "id"), ("install", "app"), ("suspend", "app")})


class Node(Struct, frozen=True):
    """
    One document as plain data: dicts, lists, None, text, and PlainScalar for unquoted text.

    A place is looked up by the path of keys and indexes that leads to it. `sound` is False where
    the document has problems as YAML, so that its data may be checked but not used.
    """

    data: object
    positions: Mapping[Path, Position]
    key_positions: Mapping[Path, Position]
    start_line: int
    end_line: int
    sound: bool


class _TooMuchError(Exception):
    """A bound was reached: nothing more of the file is read."""


def parse(text: bytes, file: str, *, foreign: bool = False) -> tuple[list[Node], list[Problem]]:
    """
    Return every document that YAML can make out, and everything that it cannot.

    `foreign`: it is no manifest, so that merge keys and keys that look like numbers are meant.
    """
    decoded = decode(text, file)
    if isinstance(decoded, Problem):
        return [], [decoded]
    reader = _Reader(decoded, file, foreign=foreign)
    reader.read()
    return reader.nodes(), reader.problems


class _Reading(Struct):
    """A document while it is read."""

    start_line: int
    positions: dict[Path, Position] = field(default_factory=dict[Path, Position])
    key_positions: dict[Path, Position] = field(default_factory=dict[Path, Position])
    anchors: dict[str, tuple[object, int]] = field(default_factory=dict[str, tuple[object, int]])
    data: object = None
    app: str | None = None
    done: bool = False
    sound: bool = True


class _Reader:
    """Reads a file's events; after a syntax error it goes on at the next `---`."""

    def __init__(self, text: str, file: str, *, foreign: bool) -> None:
        self.problems: list[Problem] = []
        self._foreign = foreign
        self._text = text
        self._file = file
        self._readings: list[_Reading] = []
        self._lines = 0  # before the present stretch of text
        self._nodes = 0

    def nodes(self) -> list[Node]:
        """Return the documents that were read to their end and say anything."""
        last_line = len(_LINE_BREAK.findall(self._text.rstrip())) + 1
        ends = [*(r.start_line - 1 for r in self._readings[1:]), last_line]
        return [
            Node(
                r.data, r.positions, r.key_positions, r.start_line, max(end, r.start_line), r.sound
            )
            for r, end in zip(self._readings, ends, strict=True)
            if r.done and (isinstance(r.data, dict) if not r.sound else r.data is not None)
        ]

    def read(self) -> None:
        """Read all that can be read."""
        start = 0
        for _ in range(MAX_SYNTAX_ERRORS):
            try:
                self._read_stretch(self._text[start:])
            except _TooMuchError:
                return
            except yaml.YAMLError as error:
                index = start + self._report(error, self._text[start:])
            else:
                return
            following = _SEPARATOR.search(self._text, max(index, start + 1))
            if following is None:
                return
            start = following.start()
            self._lines = len(_LINE_BREAK.findall(self._text[:start]))

    def _read_stretch(self, text: str) -> None:
        events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self._readings.append(_Reading(self._lines + 1))
        is_first = True
        for event in events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if not is_first:
                self._readings.append(_Reading(self._place(event)[0]))
            is_first = False
            reading = self._readings[-1]
            if len(self._readings) > MAX_DOCUMENTS:
                self._stop(event, f"the file has more than {MAX_DOCUMENTS} documents")
            reading.data = self._build(events, next(events), ())
            reading.done = True

    def _build(self, events: Iterator[yaml.Event], event: yaml.Event, path: Path) -> object:
        reading = self._readings[-1]
        reading.positions[path] = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._expand(event)
        before = self._nodes
        self._count(event, 1)
        if len(path) > MAX_DEPTH:
            self._stop(event, f"the document is nested deeper than {MAX_DEPTH}")
        data: object
        match event:
            case yaml.ScalarEvent():
                data = self._scalar(event, path)
            case yaml.SequenceStartEvent():
                data = self._list(events, event, path)
            case _:
                data = self._mapping(events, event, path)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            reading.anchors[anchor] = (data, self._nodes - before)
        return data

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str | None:
        if event.tag not in _TEXT_TAGS:
            self._refuse_tag(event)
        if event.style or event.tag is not None:
            value = str(event.value)
        elif event.value in _NULLS:
            return None
        else:
            value = PlainScalar(event.value)
        if path in _NAMES:
            self._readings[-1].app = str(value)
        return value

    def _list(
        self,
        events: Iterator[yaml.Event],
        start: yaml.CollectionStartEvent,
        path: Path,
    ) -> list[object]:
        if start.tag is not None:
            self._refuse_tag(start)
        values: list[object] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(self._build(events, event, (*path, len(values))))
        return values

    def _mapping(
        self,
        events: Iterator[yaml.Event],
        start: yaml.Event,
        path: Path,
    ) -> dict[str, object]:
        if getattr(start, "tag", None) is not None:
            self._refuse_tag(start)
        reading = self._readings[-1]
        mapping: dict[str, object] = {}
        merged: list[object] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(events, event, path)
            value = next(events)
            if self._foreign and key == MERGE and isinstance(key, PlainScalar):
                merged.append(self._build(events, value, (*path, "?")))
            elif key is None:
                self._build(events, value, (*path, "?"))
            elif key in mapping:
                first = reading.key_positions[*path, key][0]
                message = f"the key {shown(key)} is given twice: first in line {first}"
                self._tell(event, message, "remove one of both")
                self._build(events, value, (*path, key, "?"))
            else:
                reading.key_positions[*path, key] = self._place(event)
                mapping[key] = None  # its place is taken, whatever its value holds
                mapping[key] = self._build(events, value, (*path, key))
        if not all(merge(mapping, more) for more in merged):
            self._tell(start, "`<<` takes a mapping or a list of mappings", "write `<<: *name`")
        return mapping

    def _key(self, events: Iterator[yaml.Event], event: yaml.Event, path: Path) -> str | None:
        key = self._build(events, event, (*path, "?"))
        if not isinstance(key, str):
            what = "nothing" if key is None else "a list or a mapping"
            self._tell(event, f"a key is {what}, and keys are texts", "write `key: value`")
            return None
        if self._foreign:
            return key if key == MERGE else str(key)
        if isinstance(key, PlainScalar) and key == MERGE:
            hint = "write out the keys that it would bring"
            self._tell(event, "merge keys (`<<`) are not available", hint)
            return None
        if isinstance(key, PlainScalar) and _NOT_TEXT.fullmatch(key):
            self._tell(event, f"the key {shown(key)} is not a text", f'put it in quotes: "{key}"')
            return None
        return str(key)

    def _expand(self, event: yaml.AliasEvent) -> object:
        name = str(event.anchor)
        anchors = self._readings[-1].anchors
        if name not in anchors:
            message = f"`*{name}` stands for nothing: no `&{name}` is complete before it"
            self._tell(event, message, "put the text in quotes if it was meant as text")
            return None
        data, size = anchors[name]
        self._count(event, size)
        return data

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(
                event, f"with its aliases expanded the file has more than {MAX_NODES} values"
            )

    def _refuse_tag(self, event: yaml.Event) -> None:
        hint = "remove it; put the value in quotes where it is text"
        self._tell(
            event, f"the tag {shown(getattr(event, 'tag', ''))} is not used in manifests", hint
        )

    def _place(self, event: yaml.Event) -> Position:
        mark = event.start_mark
        if mark is None:  # the parser always gives one
            return self._lines + 1, 1
        return mark.line + self._lines + 1, mark.column + 1

    def _tell(self, event: yaml.Event, message: str, hint: str = "") -> None:
        self._add(self._place(event), message, hint)
        if len(self.problems) >= MAX_PROBLEMS:
            raise _TooMuchError

    def _stop(self, event: yaml.Event, message: str) -> NoReturn:
        self._tell(event, message, "divide it, or write less")
        raise _TooMuchError

    def _add(self, place: Position, message: str, hint: str) -> None:
        reading = self._readings[-1]
        reading.sound = False
        origin = Origin(self._file, *place)
        app = reading.app if reading.app and APP_ID.fullmatch(reading.app) else None
        self.problems.append(Problem(origin, f"cannot read the document: {message}", hint, app))

    def _report(self, error: yaml.YAMLError, stretch: str) -> int:
        """Put a syntax error into words; return where it is in the stretch of text."""
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        if mark is None or not isinstance(error, yaml.MarkedYAMLError):
            self._add((self._lines + 1, 1), "it is not valid YAML", "")
            return 0
        problem, context = str(error.problem), str(error.context)
        message, hint = sentence(problem, context, stretch, mark.index)
        begin = error.context_mark if any(word in context for word in _OPENERS) else None
        place = begin or mark
        self._add((place.line + self._lines + 1, place.column + 1), message, hint)
        return int(mark.index)
