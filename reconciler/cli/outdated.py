"""`archipelago outdated`: what registries have behind the same names that is newer."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.errors import ConfigurationError
from reconciler.model.pin import Freshness, ImageInUse, Told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.config import Settings

_COLOURS = {
    Freshness.CURRENT: "green",
    Freshness.NEWER: "yellow",
    Freshness.UNREACHABLE: "red",
}
_SHORT = 19  # `sha256:` and twelve digits


def outdated(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="Only this app.")] = None,
) -> None:
    """Ask registries what is newer behind the same tags; change nothing."""
    from reconciler.core.pins import freshness

    used, told = asked(call.settings(), app)
    states = {u: freshness(u, told.get(u.image)) for u in used}
    if call.json:
        call.print_json({"images": [image_document(u, told, s) for u, s in states.items()]})
    else:
        _show(states, told)
    call.finish(FAILED if told and not any(t.digest for t in told.values()) else 0)


def asked(
    settings: "Settings", app: str | None
) -> "tuple[Sequence[ImageInUse], Mapping[str, Told]]":
    """Return the images of one app, or of all, and what their registries say of them."""
    from reconciler import wiring
    from reconciler.cli.words import unknown_app
    from reconciler.core.pins import has_tag_of_registry, images_in_use

    with wiring.reader(settings) as reconciler:
        situation, _ = reconciler.preview()
    desired = situation.desired
    if app is not None and app not in desired.apps:
        broken = desired.broken.get(app)
        why = f"cannot use {app}: {broken}" if broken else unknown_app(app, desired.apps)
        raise ConfigurationError(why)
    found = images_in_use(desired, situation.observed, situation.evidence.pins)
    used = [u for u in found if app in {None, u.app}]
    return used, wiring.ask_registries(u.image for u in used if has_tag_of_registry(u.image))


def image_document(
    used: ImageInUse, told: "Mapping[str, Told]", state: Freshness
) -> dict[str, Any]:
    """Return one image as JSON."""
    answer = told.get(used.image, Told())
    return {
        "app": used.app,
        "container": used.container,
        "image": used.image,
        "pinned": used.pinned or None,
        "running": used.running or None,
        "available": answer.digest or None,
        "state": str(state),
        "error": answer.error,
    }


def short(digest: str) -> str:
    """Return as much of a digest as people compare."""
    return digest[:_SHORT]


def _show(states: "Mapping[ImageInUse, Freshness]", told: "Mapping[str, Told]") -> None:
    from rich.text import Text

    from reconciler.cli.tables import console, headed
    from reconciler.cli.words import counted, plain

    shown = headed("APP", "CONTAINER", "IMAGE", "RUNNING", "AVAILABLE", "STATE")
    for used, state in states.items():
        answer = told.get(used.image, Told())
        shown.add_row(
            used.app,
            used.container,
            Text(plain(used.image), overflow="fold"),
            short(used.running or used.pinned),
            short(answer.digest),
            Text(str(state), _COLOURS.get(state, "dim")),
        )
    page = console()
    page.print(shown if states else "No apps.")
    for error in dict.fromkeys(t.error for t in told.values() if t.error):
        page.print(Text(plain(error), "red", overflow="fold"))
    apps = {u.app for u, state in states.items() if state is Freshness.NEWER}
    if apps:
        page.print(f"\n{counted(len(apps), 'app')} behind: `archipelago update APP` takes it.")
