"""What is remembered of an app's revisions: the last that was good, and those that failed."""

from msgspec import Struct

from reconciler.model.desired import AppSpec


class Revision(Struct, frozen=True):
    """
    A revision of an app that served, with the images that it ran as pins of its containers.

    `proven` once it has served for its window; until then it only stands in where none has.
    """

    spec: AppSpec
    proven: bool = True


class FailedRevision(Struct, frozen=True):
    """
    A revision that was given up, by its content, and the images that it ran, by container.

    `why` is fit for the operator: no secret, no time, no address is in it.
    """

    content: str
    images: tuple[tuple[str, str], ...]
    why: str
