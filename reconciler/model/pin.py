"""What an image's name meant when it was asked for, so that it goes on meaning the same."""

from enum import StrEnum

from msgspec import Struct

PinKey = tuple[str, str]  # app, container


class Pin(Struct, frozen=True):
    """`image` is the reference as the manifest has it, `digest` that of its manifest or index."""

    image: str
    digest: str


class Signer(Struct, frozen=True, order=True):
    """Who signed, by an `id` that is of nobody else; `name` is what the trust file said then."""

    id: str
    name: str


class Past(Struct, frozen=True):
    """
    What is remembered of a container's image besides its pin.

    `replaced` is what the same names were pinned to before, the newest last; `signers` are those
    who may sign it without another word: of the first that was trusted, and whom the operator let.
    """

    replaced: tuple[Pin, ...] = ()
    signers: tuple[Signer, ...] = ()


class Told(Struct, frozen=True):
    """What a registry said that a name means now, or why it said nothing."""

    digest: str = ""
    error: str = ""


class Freshness(StrEnum):
    """
    How an image is beside what its registry has behind the same name.

    LOCAL: no registry knows it. FIXED: the manifest names a digest. UNKNOWN: nobody wrote down
    what runs. UNREACHABLE: the registry did not say.
    """

    CURRENT = "current"
    NEWER = "newer"
    LOCAL = "local"
    FIXED = "fixed"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"


class ImageInUse(Struct, frozen=True):
    """The image of one container: the digest that it is pinned to, and the one that runs."""

    app: str
    container: str
    image: str
    pinned: str
    running: str
