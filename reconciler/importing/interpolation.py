"""
Variables in a text, as Compose writes them: `$A`, `${A:-b}`, `${A:?why}`, `${A:+b}` and `$$`.

A variable that has no value stays open: it becomes a mark that `fill` replaces later, or that
makes the text unusable where nothing is filled in.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from msgspec import Struct, field

from reconciler.model.manifest.complaint import Path
from reconciler.model.manifest.scalars import PlainScalar

_MARK: Final = re.compile("\0([^\0]+)\0")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR: Final = re.compile(r":?[-?+]")
_DEEPEST: Final = 16


class InterpolationError(ValueError):
    """A text has a variable that cannot be read."""


class Variables(Struct):
    """The values that are known, and what was learnt of the others."""

    known: Mapping[str, str] = field(default_factory=dict[str, str])
    questions: dict[str, str] = field(default_factory=dict[str, str])

    def expand(self, text: str) -> str:
        """Return the text with every variable replaced by its value, its default or a mark."""
        if "\0" in text:
            raise InterpolationError("it has a NUL character")
        return self._expand(text, 0)

    def _expand(self, text: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise InterpolationError(f"variables are nested deeper than {_DEEPEST}")
        parts: list[str] = []
        index = 0
        while (dollar := text.find("$", index)) >= 0:
            parts.append(text[index:dollar])
            part, index = self._variable(text, dollar + 1, depth)
            parts.append(part)
        return "".join((*parts, text[index:]))

    def _variable(self, text: str, start: int, depth: int) -> tuple[str, int]:
        """Return what a `$` before `start` stands for, and where the text goes on."""
        if text.startswith("$", start):
            return "$", start + 1
        if text.startswith("{", start):
            end = _closing(text, start)
            return self._braced(text[start + 1 : end], depth), end + 1
        name = _NAME.match(text, start)
        if name is None:
            return "$", start
        return self._value(name[0]), name.end()

    def _braced(self, inside: str, depth: int) -> str:
        name = _NAME.match(inside)
        if name is None:
            raise InterpolationError("`${` begins a variable, and no name follows")
        rest = inside[name.end() :]
        operator = _OPERATOR.match(rest)
        if operator is None:
            if rest:
                raise InterpolationError(f"`${{{inside}}}` is not a variable")
            return self._value(name[0])
        return self._choose(name[0], operator[0], rest[operator.end() :], depth)

    def _choose(self, name: str, operator: str, word: str, depth: int) -> str:
        value = self.known.get(name)
        is_there = bool(value) if operator.startswith(":") else value is not None
        match operator[-1]:
            case "+":
                return self._expand(word, depth + 1) if is_there else ""
            case _ if is_there:
                return value or ""
            case "-":
                return self._expand(word, depth + 1)
            case _:
                if word:
                    self.questions.setdefault(name, word)
                return f"\0{name}\0"

    def _value(self, name: str) -> str:
        value = self.known.get(name)
        return f"\0{name}\0" if value is None else value


def _closing(text: str, start: int) -> int:
    """Return where the brace at `start` is closed; braces of variables within are skipped."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "{" and text[index - 1] == "$":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if not depth:
                return index
    raise InterpolationError("`${` is not closed by `}`")


def open_variables(text: str) -> list[str]:
    """Return the variables that stand open in a text, in its order."""
    return list(dict.fromkeys(_MARK.findall(text)))


def fill(text: str, value: Callable[[str], str]) -> str:
    """Return the text with a value for each open variable."""
    return _MARK.sub(lambda mark: value(mark[1]), text)


Complain = Callable[[Path, str], None]


def expand_all(data: object, path: Path, variables: Variables, complain: Complain) -> object:
    """Return data with the variables of all its texts expanded; keys stay as they are."""
    match data:
        case dict():
            return {
                key: expand_all(value, (*path, key), variables, complain)
                for key, value in cast("dict[str, object]", data).items()
            }
        case list():
            return [
                expand_all(value, (*path, index), variables, complain)
                for index, value in enumerate(cast("list[object]", data))
            ]
        case str():
            try:
                text = variables.expand(data)
            except InterpolationError as error:
                complain(path, f"its variables cannot be read: {error}")
                return None
            return PlainScalar(text) if isinstance(data, PlainScalar) else text
        case _:
            return data
