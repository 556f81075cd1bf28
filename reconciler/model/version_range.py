"""
Ranges of versions, in both ways that the ecosystem writes them.

With commas or `==`, `~=`, `!=` they are Python's (PEP 440, by `packaging`); otherwise npm's, with
`^`, `~`, `1.x`, `>=26.0 <28` and `||` (by `semantic_version`). A pre-release counts as its
release.
"""

import re
from typing import Any, Final

from reconciler.errors import ManifestError

HINT: Final = "write for example >=26.0, >=26.0 <28, ^1.2 or ~1.2"
_LONGEST: Final = 200
_OF_PYTHON: Final = re.compile(r",|==|~=|!=")
_GAP: Final = re.compile(r"([<>=^~]+)\s+")


class VersionError(ManifestError):
    """A text is no range of versions, or no version; `hint` says what would be right."""

    def __init__(self, message: str, hint: str = HINT) -> None:
        super().__init__(message)
        self.hint = hint


def check_range(text: str) -> None:
    """Raise VersionError where the text is no range."""
    admits(text, "0")


def admits(text: str, version: str) -> bool:
    """Say whether the version lies in the range. Raises VersionError for what is no range."""
    if not text.strip() or len(text) > _LONGEST or not text.isprintable():
        raise VersionError("this is not a range of versions")
    return (_python if _OF_PYTHON.search(text) else _npm)(text, version)


def _python(text: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        specifiers = SpecifierSet(text)
    except InvalidSpecifier as error:
        raise VersionError(f"`{text}` is not a range of versions") from error
    try:
        known = Version(version)
    except InvalidVersion:
        known = Version(str(_coerced(version).truncate()))
    return specifiers.contains(known.base_version, prereleases=True)


def _npm(text: str, version: str) -> bool:
    semantic_version = _library()
    try:
        spec = semantic_version.NpmSpec(_GAP.sub(r"\1", text.strip()))
    except ValueError as error:
        raise VersionError(f"`{text}` is not a range of versions") from error
    known = _coerced(version)
    return bool(spec.match(known) or spec.match(known.truncate()))


def _coerced(version: str) -> Any:  # noqa: ANN401 - the library has no types
    """Read what people call a version; what has no number in front is the least of all."""
    known = _library().Version
    try:
        return known.coerce(version.lstrip("vV"))
    except ValueError:
        return known("0.0.0")


def _library() -> Any:  # noqa: ANN401 - the library has no types
    import semantic_version  # type: ignore[import-untyped]  # it has none

    return semantic_version
