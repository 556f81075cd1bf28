"""`archipelago update`: asks anew what an app's images mean, and lets the loop do the rest."""

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.cli.on_record import record
from reconciler.cli.outdated import asked, image_document, short
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.config import Settings
    from reconciler.model.pin import ImageInUse, Past, Pin, PinKey, Told


def update(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="The app to update.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every app that is desired.")] = False,
    back: Annotated[
        bool, typer.Option("--back", help="Also where a tag has moved back to what it was.")
    ] = False,
) -> None:
    """Ask what an app's tags mean now, and run that; touch nothing where it is the same."""
    if (app is None) != every:
        raise ConfigurationError("cannot update: name one app, or say --all")
    from reconciler import wiring
    from reconciler.core.pins import freshness, moved_back, to_pin

    settings = call.settings()
    used, told = asked(settings, app)
    silent = {u.app for u in used if u.image in told and told[u.image].error}
    pins = to_pin([u for u in used if u.app not in silent], told)
    past = wiring.past(settings).past()
    returning = moved_back(used, pins, past)
    denied = _denied(settings, pins, past, {} if back else returning)
    silent |= {app for app, _ in denied}
    pins = {key: pin for key, pin in pins.items() if key[0] not in silent}
    returning = {key: why for key, why in returning.items() if key in pins}
    _write(settings, pins, "; ".join(returning.values()))
    if call.json:
        images = [
            {
                **image_document(u, told, freshness(u, told.get(u.image))),
                "changed": (u.app, u.container) in pins,
            }
            for u in used
        ]
        call.print_json({"images": images, "changed": bool(pins)})
    else:
        _tell(call, used, told, pins)
    for line in returning.values():
        call.tell(f"{line}, and is taken.")
    _complain(silent, [*(t.error for t in told.values()), *denied.values()])
    call.finish(FAILED if silent else 0)


def _denied(
    settings: "Settings",
    pins: "Mapping[PinKey, Pin]",
    past: "Mapping[PinKey, Past]",
    returning: "Mapping[PinKey, str]",
) -> "Mapping[PinKey, str]":
    """What could not be run is not asked for: what runs would only stay behind."""
    from reconciler import wiring
    from reconciler.model.trust import Mode

    trust = wiring.trust(settings) if pins else None
    if trust is None or trust.problem or trust.mode is Mode.WARN:
        return {}
    back = {key: f"{why}; if that is meant, say --back" for key, why in returning.items()}
    return {**back, **wiring.unproven(trust, pins, past)}


def _write(settings: "Settings", pins: "Mapping[PinKey, Pin]", told: str) -> None:
    from reconciler import wiring

    if not pins:
        return
    record(settings, "update", ", ".join(sorted({app for app, _ in pins})), told)
    try:
        wiring.ledger(settings).write(pins)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot write the image ledger: {why}; mend it") from error


def _tell(
    call: Call,
    used: "Sequence[ImageInUse]",
    told: "Mapping[str, Told]",
    pins: "Mapping[PinKey, Pin]",
) -> None:
    for u in used:
        pin = pins.get((u.app, u.container))
        if pin is not None:
            before = short(u.pinned) or "not known"
            call.tell(f"{u.app}/{u.container}: {u.image} {before} → {short(pin.digest)}")
        elif u.image not in told:
            call.tell(f"{u.app}/{u.container}: {u.image} means the same for ever")
        elif told[u.image].digest:
            call.tell(f"{u.app}/{u.container}: {u.image} is the newest, nothing to do")
    if pins:
        call.tell("A running loop takes it now; without one, `archipelago run` does.")


def _complain(silent: set[str], errors: "Sequence[str]") -> None:
    """Of an app with an image that nobody knows, or has signed, nothing is changed."""
    for error in dict.fromkeys(e for e in errors if e):
        typer.echo(error, err=True)
    if silent:
        typer.echo(f"Nothing is changed of {', '.join(sorted(silent))}.", err=True)
