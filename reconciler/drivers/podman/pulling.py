"""
Images that come from a registry, with what is told meanwhile.

Podman's own API says nothing of bytes; the one that it has for Docker's clients does, once a
second for each layer (measured with 4.3.1). Of a failure a line tells, or the status at once.
"""

import re
import time
from collections.abc import Callable
from typing import cast

from msgspec import Struct, field

from reconciler.drivers.podman import differences
from reconciler.drivers.podman.client import Client, Json, each_translated, json_object
from reconciler.drivers.podman.refusal import tidy
from reconciler.drivers.podman.stream import Ask
from reconciler.errors import DriverError, DriverRejected

Progress = Callable[[str], None]
TELL_SECONDS = 0.5  # so seldom that the status is not written for each of them
_COMPATIBLE = "/v1.40/"
_MIB = 2**20
_GONE = re.compile(r"manifest unknown|not found|no such manifest|404")


class PullProgress(Struct):
    """What was said of the layers, in words; `now` is a moment in seconds that never go back."""

    image: str
    layers: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    done: set[str] = field(default_factory=set[str])
    told_at: float = float("-inf")

    def take(self, line: Json, now: float) -> str:
        """Take a line of Podman's; return what to tell, or nothing where that was just done."""
        layer, word = str(line.get("id") or ""), str(line.get("status") or "")
        if not layer:
            return ""
        self._note(layer, word, line.get("progressDetail"))
        if now < self.told_at + TELL_SECONDS:
            return ""
        self.told_at = now
        return self.words()

    def words(self) -> str:
        """Say how far it is."""
        counted = f"{len(self.done)} of {len(self.layers)} layers"
        known = [size for size in self.layers.values() if size[1]]
        if not known:
            return f"pulling {self.image}: {counted}"
        got, whole = (sum(column) / _MIB for column in zip(*known, strict=True))
        return f"pulling {self.image}: {counted}, {got:.1f} of {whole:.1f} MiB"

    def _note(self, layer: str, word: str, detail: object) -> None:
        _, whole = self.layers.setdefault(layer, (0, 0))
        sizes = cast("Json", detail) if isinstance(detail, dict) else {}
        if isinstance(sizes.get("total"), int):
            whole = max(0, sizes["total"])
            self.layers[layer] = (min(int(sizes.get("current") or 0), whole), whole)
        if word in {"Download complete", "Already exists"}:
            self.done.add(layer)
            self.layers[layer] = (whole, whole)


def pull(client: Client, reference: str, shown: str, deadline: float, progress: Progress) -> None:
    """Pull exactly what the reference names; `shown` is what the user calls it."""
    what = f"pull {shown}"
    progress(f"pulling {shown}")
    ask = Ask(
        "POST",
        "images/create",
        {"fromImage": reference},
        deadline=deadline,
        patience=deadline,
        prefix=_COMPATIBLE,
    )
    try:
        stream = client.stream("pull_image", what, ask)
    except DriverError as error:
        readable = type(error)(readable_pull_error(str(error)))
        raise differences.cannot_pull(readable) from error
    told = PullProgress(shown)
    try:
        for text in each_translated(what, stream.lines()):
            line = json_object(text)
            if line.get("error"):
                raise DriverRejected(f"cannot {what}: {readable_pull_error(str(line['error']))}")
            words = told.take(line, time.monotonic())
            if words:
                progress(words)
    finally:
        stream.close()


def is_gone(error: DriverRejected) -> bool:
    """Whether the registry answered that it has no such image."""
    return _GONE.search(str(error)) is not None


def readable_pull_error(error: str) -> str:
    """Return what stopped a pull, without the way that led there."""
    error = tidy(error)
    for noise in ("initializing source ", "pinging container registry "):
        before, found, after = error.partition(noise)
        if found:
            _, colon, rest = after.partition(": ")
            error = before + (rest if colon else after)
    return error
