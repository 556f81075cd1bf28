"""Bytes of a file as text that a YAML parser may see: bounded, UTF-8, no control characters."""

import re
from typing import Final

from reconciler.model.origin import Origin, Problem

MAX_BYTES: Final = 1024 * 1024

_UNPRINTABLE: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]",
)


_LFS: Final = b"version https://git-lfs.github.com/spec/"


def decode(text: bytes, file: str) -> str | Problem:
    """Return the text, or why there is none."""
    if text.startswith(_LFS):
        message = "cannot read the file: it is a pointer of Git LFS, its content is elsewhere"
        return Problem(Origin(file), message, "keep manifests out of LFS: .gitattributes")
    if len(text) > MAX_BYTES:
        message = f"cannot read the file: it has {len(text)} bytes, {MAX_BYTES} are the most"
        return Problem(Origin(file), message, "divide it into several files")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start]
        place = Origin(file, before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        return Problem(place, "cannot read the file: it is not UTF-8 text", "save it as UTF-8")
    odd = _UNPRINTABLE.search(decoded)
    if odd is None:
        return decoded
    sound = decoded[: odd.start()]
    place = Origin(file, sound.count("\n") + 1, len(sound) - sound.rfind("\n"))
    message = f"cannot read the file: it contains the control character {odd[0]!a}"
    return Problem(place, message, "remove it")
