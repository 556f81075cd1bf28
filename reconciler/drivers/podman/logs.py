"""What a container printed, line by line."""

from collections.abc import Iterator

from reconciler.drivers.podman.client import Client, each_translated
from reconciler.drivers.podman.listing import Listed
from reconciler.drivers.podman.stream import Ask, Stream

_DEADLINE = 60.0


class Lines:
    """Lines, which any thread may close; those that are followed end with their container."""

    def __init__(self, stream: Stream, what: str) -> None:
        self._stream = stream
        self._lines = _lines(stream, what)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        return next(self._lines)

    def close(self) -> None:
        """End it: nothing more comes."""
        self._stream.close()


def read(client: Client, listed: Listed, *, tail: int | None, follow: bool) -> Lines:
    """Open the log of a container. Only one that is followed has no deadline."""
    what = f"read the log of {listed.name}"
    params = {"stdout": "true", "stderr": "true", "follow": "true" if follow else "false"}
    if tail is not None:
        params["tail"] = str(max(0, tail))
    ask = Ask(
        "GET",
        f"containers/{listed.ref}/logs",
        params,
        deadline=None if follow else _DEADLINE,
    )
    return Lines(client.stream("read_log", what, ask), what)


def _lines(stream: Stream, what: str) -> Iterator[str]:
    """Join frames to lines; output and errors are kept apart until a line of each is whole."""
    rests: dict[int, bytes] = {}
    try:
        for kind, payload in each_translated(what, stream.frames()):
            *whole, rests[kind] = (rests.get(kind, b"") + payload).split(b"\n")
            yield from (_text(line) for line in whole)
        yield from (_text(rest) for rest in rests.values() if rest)
    finally:
        stream.close()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").removesuffix("\r")
