"""Where something was written, and what is wrong there."""

from msgspec import Struct
from typing_extensions import override


class Origin(Struct, frozen=True, order=True):
    """A place in a file; line and column count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    @override
    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(Struct, frozen=True, order=True):
    """
    Something that a person has to mend.

    `message` says what cannot be done and why; `hint` what would be right (may be empty);
    `app` is the app concerned, where it is known.
    """

    origin: Origin
    message: str
    hint: str = ""
    app: str | None = None

    @override
    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.origin}: {self.message}{hint}"
