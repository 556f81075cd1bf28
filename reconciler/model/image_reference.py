"""
The name of an image: `registry/repository:tag@digest`, by the grammar of the distribution project.

Checked in full before anything is pulled, because the text travels to other programs.
"""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from typing_extensions import override

from reconciler.errors import ManifestError

HINT: Final = "write for example ghcr.io/owner/app:1.2.3"
DEFAULT_REGISTRY: Final = "docker.io"
LOCAL: Final = "localhost"  # with a port it is a registry
_LONGEST_NAME: Final = 255

_LEGAL: Final = re.compile(r"[A-Za-z0-9._:/@+\-\[\]]")
_DOMAIN_PART: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN: Final = re.compile(
    rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::(?P<port>[0-9]{{1,5}}))?",
)
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
)
_HEX_LENGTH: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_SHOWN: Final = 80


class ImageReferenceError(ManifestError):
    """A text names no image; `hint` says what would be right."""

    def __init__(self, message: str, hint: str = HINT) -> None:
        super().__init__(message)
        self.hint = hint


class ImageReference(Struct, frozen=True):
    """
    An image as it was written: an empty registry and a missing tag stay so.

    `canonical` fills both in: the one name for the one image.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @override
    def __str__(self) -> str:
        registry = f"{self.registry}/" if self.registry else ""
        return f"{registry}{self.repository}{self._suffix(self.tag)}"

    @property
    def canonical(self) -> str:
        """The same with the default registry and tag written out."""
        registry = self.registry or DEFAULT_REGISTRY
        lone = registry == DEFAULT_REGISTRY and "/" not in self.repository
        repository = f"library/{self.repository}" if lone else self.repository
        tag = self.tag or (None if self.digest else "latest")
        return f"{registry}/{repository}{self._suffix(tag)}"

    @property
    def is_local(self) -> bool:
        """Whether it was made on this box, so that no registry knows it."""
        return self.registry == LOCAL

    def at(self, digest: str) -> str:
        """Return the name of exactly that image of the repository, whatever the tag means."""
        return replace(self, tag=None, digest=digest).canonical

    def _suffix(self, tag: str | None) -> str:
        return (f":{tag}" if tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_image_reference(text: str) -> ImageReference:
    """Return the parts of an image's name."""
    _check_characters(text)
    name, at, digest = text.partition("@")
    if at:
        _check_digest(text, digest)
    colon = name.rfind(":")
    tag = None
    if colon > name.rfind("/"):
        name, tag = name[:colon], name[colon + 1 :]
        _check_tag(text, tag, colon)
    if len(name) > _LONGEST_NAME:
        raise ImageReferenceError(
            f"the name of the image has {len(name)} characters, {_LONGEST_NAME} are the most",
        )
    registry, repository = _split_registry(name)
    if registry:
        _check_registry(text, registry)
    _check_repository(text, repository, len(name) - len(repository))
    return ImageReference(registry, repository, tag, digest if at else None)


def _check_characters(text: str) -> None:
    if not text:
        raise ImageReferenceError("an empty text names no image")
    for position, character in enumerate(text, start=1):
        if _LEGAL.fullmatch(character) is None:
            raise _forbidden(text, character, position, "the name of an image")
    if "://" in text:
        raise ImageReferenceError(
            f"{_quoted(text)} is an address, not the name of an image",
            f"leave out `{text.partition('://')[0]}://`",
        )


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost"
    if slash and looks_like_host:
        return first, rest
    return "", name


def _check_registry(text: str, registry: str) -> None:
    match = _DOMAIN.fullmatch(registry)
    if match is None:
        raise ImageReferenceError(f"`{registry}` in {_quoted(text)} is not the name of a registry")
    port = match["port"]
    if port is not None and not 0 < int(port) <= 65535:  # noqa: PLR2004 - the last port
        raise ImageReferenceError(f"{port} in {_quoted(text)} is not a port: they go up to 65535")


def _check_repository(text: str, repository: str, offset: int) -> None:
    for index, character in enumerate(repository):
        if character.isupper():
            raise ImageReferenceError(
                f"{_quoted(text)} has the upper-case letter `{character}` "
                f"at position {offset + index + 1}, where only lower case is allowed",
                f"write {repository.lower()}",
            )
        if character in ":+[]":
            raise _forbidden(text, character, offset + index + 1, "a repository")
    for component in repository.split("/"):
        if not component:
            raise ImageReferenceError(f"a part between slashes is empty in {_quoted(text)}")
        if _COMPONENT.fullmatch(component) is None:
            raise ImageReferenceError(
                f"`{component}` in {_quoted(text)} must begin and end with a letter or digit, "
                "with single separators between",
            )


def _check_tag(text: str, tag: str, colon: int) -> None:
    if not tag:
        raise ImageReferenceError(f"the tag after `:` is missing in {_quoted(text)}")
    if _TAG.fullmatch(tag) is not None:
        return
    for index, character in enumerate(tag):
        if not (character.isalnum() or character in "_.-"):
            raise _forbidden(text, character, colon + index + 2, "a tag")
    raise ImageReferenceError(
        f"the tag of {_quoted(text)} must begin with a letter, digit or _ "
        "and have at most 128 characters",
    )


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    wanted = _HEX_LENGTH.get(algorithm)
    if _DIGEST.fullmatch(digest) is None or (wanted is not None and len(value) != wanted):
        raise ImageReferenceError(
            f"the digest of {_quoted(text)} is not whole",
            "a digest is `sha256:` and 64 hexadecimal digits",
        )


def _forbidden(text: str, character: str, position: int, where: str) -> ImageReferenceError:
    names = {" ": "a space", "\t": "a tab", "\n": "a line break"}
    named = names.get(character, f"`{character}`" if character.isprintable() else ascii(character))
    return ImageReferenceError(
        f"{_quoted(text)} has {named} at position {position}, which {where} may not contain",
    )


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"`{shown}`" if shown.isprintable() else ascii(shown)
