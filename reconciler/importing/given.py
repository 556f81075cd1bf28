"""
A value of the input, which remembers where it stands and tells the ledger when it is read.

To read a text says that it is carried; who cannot carry it says so afterwards.
"""

from typing import Final, cast

from msgspec import Struct

from reconciler.importing.interpolation import open_variables
from reconciler.importing.ledger import Ledger, mapping_of
from reconciler.model.manifest.complaint import Path
from reconciler.model.manifest.scalars import PlainScalar

_TRUE: Final = frozenset({"true", "yes", "on", "y", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "n", "0"})
_MOST_DIGITS: Final = 18


class Given(Struct, frozen=True):
    """A value of the input at its place."""

    value: object
    path: Path
    ledger: Ledger

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether it has entries."""
        return isinstance(self.value, list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing, or an empty text, list or mapping."""
        return self.value is None or self.value in ("", [], {})

    def get(self, key: str) -> "Given | None":
        """Return what a mapping has under a key; nothing where there is nothing."""
        mapping = mapping_of(self.value)
        if mapping is None or key not in mapping:
            return None
        found = Given(mapping[key], (*self.path, key), self.ledger)
        if found.value is None:
            found.neutral()
            return None
        return found

    def pairs(self) -> list[tuple[str, "Given"]]:
        """Return the keys and values of a mapping."""
        mapping = mapping_of(self.value)
        if mapping is None:
            self.not_carried("this must be a mapping")
            return []
        self._if_empty()
        return [
            (str(key), Given(value, (*self.path, key), self.ledger))
            for key, value in mapping.items()
        ]

    def entries(self) -> list["Given"]:
        """Return the entries of a list."""
        values = self.value
        if not isinstance(values, list):
            self.not_carried("this must be a list")
            return []
        self._if_empty()
        return [
            Given(value, (*self.path, index), self.ledger)
            for index, value in enumerate(cast("list[object]", values))
        ]

    def text(self) -> str | None:
        """Return one text, with what variables stand open in it."""
        if not isinstance(self.value, str):
            self.not_carried("this must be one text")
            return None
        self.ledger.carried(self.path)
        return str(self.value)

    def closed_text(self) -> str | None:
        """Return one text where nothing may stand open."""
        text = self.text()
        if text is not None and (names := open_variables(text)):
            what = ", ".join(f"`{name}`" for name in names)
            self.not_carried(
                f"it hangs on {what}, and nothing is filled in here", "write the value itself"
            )
            return None
        return text

    def boolean(self) -> bool | None:
        """Return true or false, in any spelling of YAML."""
        text = self.closed_text()
        if text is None:
            return None
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        self.not_carried("this is neither true nor false")
        return None

    def integer(self) -> int | None:
        """Return a whole number, in quotes or not."""
        text = self.closed_text()
        if text is None:
            return None
        digits = text.removeprefix("-")
        if digits.isdecimal() and digits.isascii() and len(digits) <= _MOST_DIGITS:
            return int(text)
        self.not_carried("this is not a whole number")
        return None

    def whole(self) -> object:
        """Return everything below as plain data: all of it is carried."""
        self.ledger.carried(self.path)
        return plain(self.value)

    def neutral(self) -> None:
        """Say that all of it means nothing here."""
        self.ledger.neutral(self.path)

    def not_carried(self, message: str, hint: str = "") -> None:
        """Say that it is not in the manifest, and why."""
        self.ledger.not_carried(self.path, message, hint)

    def permission(self, message: str, hint: str = "") -> None:
        """Say that it asks for more than an app has by itself."""
        self.ledger.permission(self.path, message, hint)

    def changed(self, message: str, hint: str = "") -> None:
        """Say that it is there in another way."""
        self.ledger.changed(self.path, message, hint)

    def _if_empty(self) -> None:
        if self.is_empty:
            self.neutral()


def plain(value: object) -> object:
    """Return data in which an unquoted text is what YAML takes it for."""
    match value:
        case dict():
            mapping = cast("dict[str, object]", value)
            return {str(key): plain(entry) for key, entry in mapping.items()}
        case list():
            return [plain(entry) for entry in cast("list[object]", value)]
        case PlainScalar():
            return _scalar(str(value))
        case _:
            return value


def _scalar(text: str) -> object:
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    digits = text.removeprefix("-")
    if not digits.isascii() or len(text) > _MOST_DIGITS or digits[:1] == "0" != digits:
        return float(text) if digits.startswith("0.") and digits[2:].isdecimal() else text
    if digits.isdecimal():
        return int(text)
    whole, _, fraction = digits.partition(".")
    return float(text) if whole.isdecimal() and fraction.isdecimal() else text
