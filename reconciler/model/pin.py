"""What an image's name meant when it was asked for, so that it goes on meaning the same."""

from dataclasses import dataclass

PinKey = tuple[str, str]  # app, container


@dataclass(frozen=True, slots=True)
class Pin:
    """`image` is the reference as the manifest has it, `digest` that of its manifest or index."""

    image: str
    digest: str
