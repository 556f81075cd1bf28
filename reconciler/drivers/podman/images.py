"""Images: pulled or built. A tag that is there is not made again."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from reconciler.drivers.podman import build_context
from reconciler.drivers.podman.client import Client, Json, Request, each_translated, json_object
from reconciler.drivers.podman.refusal import tidy, without
from reconciler.drivers.podman.stream import Ask, Stream
from reconciler.errors import DriverRejected
from reconciler.model import labels
from reconciler.model.desired import BuildSpec, ContainerSpec, PullPolicy

Progress = Callable[[str], None]
_ABSENT = 404
_LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds after which a pull or a build is given up."""

    pull: float = 1800.0
    build: float = 3600.0


class Images:
    """The images of the box."""

    def __init__(self, client: Client, instance: str, deadlines: Deadlines) -> None:
        self._client = client
        self._instance = instance
        self._deadlines = deadlines

    def prepare(self, container: ContainerSpec, progress: Progress) -> None:
        """Have the container's image, as its policy says."""
        image = container.image
        if container.build is not None:
            if not self._is_here(image):
                self._build(container, container.build, progress)
            return
        if container.pull_policy is not PullPolicy.ALWAYS and self._is_here(image):
            return
        if container.pull_policy is PullPolicy.NEVER:
            raise DriverRejected(
                f"cannot use the image {image}: it is not here and its pull policy is never;"
                " load it, or choose another policy",
            )
        self._pull(image, progress)

    def _is_here(self, image: str) -> bool:
        request = Request(
            "look_for_image",
            f"look for the image {image}",
            "GET",
            f"/images/{quote(image, safe='')}/exists",
            expected=frozenset({_ABSENT}),
        )
        return self._client.call(request).status != _ABSENT

    def _pull(self, image: str, progress: Progress) -> None:
        what = f"pull {image}"
        progress(f"pulling {image}")
        ask = Ask(
            "POST",
            "images/pull",
            {"reference": image, "policy": "always"},
            deadline=self._deadlines.pull,
            patience=self._deadlines.pull,
        )
        stream = self._client.stream("pull_image", what, ask)
        done = False
        for line in _replies(stream, what):
            # The status is 200 whatever happens; only the lines tell.
            if line.get("error"):
                raise DriverRejected(f"cannot {what}: {readable_pull_error(str(line['error']))}")
            done = done or bool(line.get("id"))
            said = str(line.get("stream") or "").strip()
            if said:
                progress(said)
        if not done:
            raise DriverRejected(f"cannot {what}: Podman ended it without an image")

    def _build(self, container: ContainerSpec, build: BuildSpec, progress: Progress) -> None:
        what = f"build {container.image}"
        progress(f"building {container.image}")
        params = {
            "t": container.image,
            "dockerfile": build.containerfile,
            "buildargs": json.dumps(dict(build.args)),
            "labels": json.dumps({labels.INSTANCE: self._instance, labels.APP: container.app}),
            "rm": "true",
            "forcerm": "true",
        }
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with build_context.packed(build.context, what) as body:
            ask = Ask(
                "POST",
                "build",
                params,
                body,
                {"Content-Type": "application/x-tar"},
                deadline=self._deadlines.build,
                patience=self._deadlines.build,
            )
            stream = self._client.stream("build_image", what, ask)
            for line in _replies(stream, what):
                if line.get("error"):
                    raise DriverRejected(_build_error(what, line, last, build))
                said = str(line.get("stream") or "").strip()
                if said:
                    last.append(said)
                    progress(said)
        if not self._is_here(container.image):
            raise DriverRejected(f"cannot {what}: Podman ended it without an image")


def readable_pull_error(error: str) -> str:
    """Return what stopped a pull, without the way that led there."""
    error = tidy(error)
    for noise in ("initializing source ", "pinging container registry "):
        before, found, after = error.partition(noise)
        if found:
            _, colon, rest = after.partition(": ")
            error = before + (rest if colon else after)
    return error


def _build_error(what: str, line: Json, last: deque[str], build: BuildSpec) -> str:
    output = "; ".join(last)
    message = f"cannot {what}: {tidy(str(line['error']))}"
    message += f" (its last output: {output})" if output else ""
    return without(message, (value for _, value in build.args))


def _replies(stream: Stream, what: str) -> Iterator[Json]:
    """Yield the JSON lines of a stream."""
    try:
        for line in each_translated(what, stream.lines()):
            if line.strip():
                yield json_object(line) or {"stream": line.decode(errors="replace")}
    finally:
        stream.close()
