"""
Checkpoints: the size and the root of the log, signed. Pure but for the signing itself.

The format is C2SP's tlog-checkpoint in a signed-note with an Ed25519 key, which other tools read.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable

from msgspec import Struct

Sign = Callable[[bytes], bytes]
Check = Callable[[bytes, bytes, bytes], bool]  # public key, signature, text

_ED25519 = b"\x01"
_MARK = "\u2014 "  # an em dash, as the format has it
_ID = 4  # bytes of a key's hash
_KEY = 32
_LONGEST = 64 * 2**10


class Checkpoint(Struct, frozen=True):
    """How many entries there were, and the hash of them all."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Verifier(Struct, frozen=True):
    """A public key and the name that it signs under."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """The short hash by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_ID]

    @property
    def text(self) -> str:
        """The key as it is handed to others: name, hash and key."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"


def parse_verifier(text: str) -> Verifier | None:
    """Return the key of such a text; None where it is none."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - name, hash and key
        return None
    key = _decoded(parts[2])
    if len(key) != 1 + _KEY or key[:1] != _ED25519:
        return None
    found = Verifier(parts[0], key[1:])
    return found if found.id.hex() == parts[1] else None


def signed(checkpoint: Checkpoint, verifier: Verifier, sign: Sign) -> str:
    """Return the note: the text, and a line with the signature."""
    signature = verifier.id + sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n{_MARK}{verifier.name} {base64.b64encode(signature).decode()}\n"


def opened(note: str, verifier: Verifier, check: Check) -> Checkpoint | None:
    """Return the checkpoint of a note that this key has signed; None where it has not."""
    text, gap, signatures = note[:_LONGEST].partition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) < 3 or not lines[1].isdecimal():  # noqa: PLR2004 - origin, size, root
        return None
    root = _decoded(lines[2])
    body = (text + "\n").encode()
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_MARK).rpartition(" ")
        told = _decoded(encoded)
        ours = line.startswith(_MARK) and name == verifier.name and told[:_ID] == verifier.id
        if ours and check(verifier.key, told[_ID:], body):
            return Checkpoint(lines[0], int(lines[1]), root)
    return None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
