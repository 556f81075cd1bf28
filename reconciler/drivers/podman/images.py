"""Images: pulled, as they are pinned, or built. A tag that is there is not made again."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from reconciler.drivers.podman import build_context, pulling
from reconciler.drivers.podman.client import Client, Json, Request, each_translated, json_object
from reconciler.drivers.podman.create_request import image_to_run
from reconciler.drivers.podman.elsewhere import Registry
from reconciler.drivers.podman.refusal import tidy, without
from reconciler.drivers.podman.stream import Ask, Stream
from reconciler.errors import DriverRejected
from reconciler.model import labels
from reconciler.model.container import BuildSpec, ContainerSpec, PullPolicy
from reconciler.model.image_reference import ImageReference, parse_image_reference
from reconciler.model.pin import Pin

Progress = Callable[[str], None]
_ABSENT = 404
_LAST_LINES = 8


class Deadlines(Struct, frozen=True):
    """Seconds after which a pull or a build is given up."""

    pull: float = 1800.0
    build: float = 3600.0


class Images:
    """The images of the box."""

    def __init__(
        self, client: Client, instance: str, deadlines: Deadlines, registry: Registry
    ) -> None:
        self._client = client
        self._instance = instance
        self._deadlines = deadlines
        self._registry = registry

    def prepare(self, container: ContainerSpec, progress: Progress) -> None:
        """Have the container's image, as its pin and its policy say."""
        if container.build is not None:
            if not self._is_here(container.image):
                self._build(container, container.build, progress)
                name = container.image
                self._registry.ledger.recognised(name, self._inspected(name, "Id"), made=True)
            return
        reference = parse_image_reference(container.image)
        if container.guarded:
            container = _only_judged(container, reference)
        self._have(container, reference, progress)
        self.to_run(self.chosen(container))

    def _have(
        self, container: ContainerSpec, reference: ImageReference, progress: Progress
    ) -> None:
        if container.pin:
            self._prepare_pinned(container, reference.at(container.pin), progress)
        elif reference.digest or reference.is_local:
            name = reference.at(reference.digest) if reference.digest else container.image
            self._prepare_named(container, name, progress)
        else:
            self._prepare_asked(container, reference, progress)

    def chosen(self, container: ContainerSpec) -> ContainerSpec:
        """Return the container with the image that it is to be made of."""
        reference = parse_image_reference(container.image)
        if container.build is not None or reference.is_local:
            return container
        known = self._registry.ledger.pins().get((container.app, container.name))
        if not container.pin and known is not None and known.image == container.image:
            return replace(container, pin=known.digest)
        return replace(container, pin=container.pin or reference.digest or "")

    def to_run(self, container: ContainerSpec) -> str:
        """
        Return what the chosen container is made of: a guarded one by the id of its image.

        Podman lets anybody give a name to another image; an id is what it is.
        """
        name = image_to_run(container)
        reference = parse_image_reference(name)
        if not container.guarded or not (reference.digest or container.build):
            return name
        found = self._inspected(name, "Id")
        if found and self._registry.ledger.recognised(name, found) != found:
            raise DriverRejected(
                f"cannot create {container.container_name}: the image {container.image} is not"
                f" the one that was prepared under this name; remove it: `podman rmi {name}`",
            )
        return found or name

    def _prepare_named(self, container: ContainerSpec, name: str, progress: Progress) -> None:
        """What is meant is certain, whoever is asked, and whenever."""
        if container.pull_policy is not PullPolicy.ALWAYS and self._is_here(name):
            return
        _check_may_pull(container)
        self._pull(name, container.image, progress)

    def _prepare_pinned(self, container: ContainerSpec, exactly: str, progress: Progress) -> None:
        """Have what the reference meant, or nothing: never what the tag means by now."""
        if self._is_here(exactly):
            return
        _check_may_pull(container)
        try:
            self._pull(exactly, container.image, progress)
        except DriverRejected as error:
            if not pulling.is_gone(error):
                raise
            raise DriverRejected(
                f"cannot pull {container.image} as it is pinned: its registry no longer has"
                f" {container.pin[:19]}…; `archipelago update {container.app}` asks anew",
            ) from error

    def _prepare_asked(
        self, container: ContainerSpec, reference: ImageReference, progress: Progress
    ) -> None:
        """Find out what the reference means, have that, and remember it."""
        image = container.image
        if container.pull_policy is not PullPolicy.ALWAYS and self._is_here(image):
            self._remember(container, self._digest_here(image, reference))
            return
        _check_may_pull(container)
        progress(f"asking what {image} is")
        digest = self._registry.resolve(image)
        if not digest:  # a mirror, a helper for passwords: Podman may know more ways than we do
            self._pull(reference.canonical, image, progress)
            digest = self._digest_here(reference.canonical, reference)
        elif not self._is_here(reference.at(digest)):
            self._pull(reference.at(digest), image, progress)
        self._name(reference, digest)
        self._remember(container, digest)

    def _remember(self, container: ContainerSpec, digest: str) -> None:
        if digest:
            key = (container.app, container.name)
            self._registry.ledger.pin(key, Pin(container.image, digest))

    def _digest_here(self, image: str, reference: ImageReference) -> str:
        """
        Return the digest behind a name on this box; nothing where it cannot be told.

        Podman's list of digests is every name with every digest, so only the image's own counts.
        """
        digest = self._inspected(image, "Digest")
        return digest if digest and self._is_here(reference.at(digest)) else ""

    def _inspected(self, image: str, key: str) -> str:
        request = Request(
            "look_for_image",
            f"look at the image {image}",
            "GET",
            f"/images/{quote(image, safe='')}/json",
            expected=frozenset({_ABSENT}),
        )
        reply = self._client.call(request)
        return str(reply.object().get(key) or "") if reply.status != _ABSENT else ""

    def _name(self, reference: ImageReference, digest: str) -> None:
        """Let the tag mean on this box what it was pulled for, as a pull by tag would."""
        tag = parse_image_reference(reference.canonical).tag
        if not digest or not tag:
            return
        name = reference.canonical.removesuffix(f":{tag}")
        self._client.call(
            Request(
                "tag_image",
                f"name the image {reference}",
                "POST",
                f"/images/{quote(reference.at(digest), safe='')}/tag",
                {"repo": name, "tag": tag},
            )
        )

    def _is_here(self, image: str) -> bool:
        request = Request(
            "look_for_image",
            f"look for the image {image}",
            "GET",
            f"/images/{quote(image, safe='')}/exists",
            expected=frozenset({_ABSENT}),
        )
        return self._client.call(request).status != _ABSENT

    def _pull(self, reference: str, shown: str, progress: Progress) -> None:
        pulling.pull(self._client, reference, shown, self._deadlines.pull, progress)
        if not self._is_here(reference):
            raise DriverRejected(f"cannot pull {shown}: Podman ended it without an image")

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


def _only_judged(container: ContainerSpec, reference: ImageReference) -> ContainerSpec:
    """Return the container as it may be prepared: by a digest, or from what is here."""
    if reference.is_local:
        return replace(container, pull_policy=PullPolicy.NEVER)
    if not container.pin and not reference.digest:
        raise DriverRejected(
            f"cannot pull {container.image}: nobody has judged yet what it is; it is tried again",
        )
    return container


def _check_may_pull(container: ContainerSpec) -> None:
    if container.pull_policy is PullPolicy.NEVER:
        exactly = f" as it is pinned ({container.pin[:19]}…)" if container.pin else ""
        raise DriverRejected(
            f"cannot use the image {container.image}{exactly}: it is not here and its pull policy"
            " is never; load it, or choose another policy",
        )


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
