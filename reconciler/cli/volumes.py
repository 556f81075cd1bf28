"""`archipelago volumes`: where the data is, how much, and whose."""

from threading import Event, Timer
from typing import TYPE_CHECKING, Any

from reconciler.cli.call import Call
from reconciler.model.volume import ObservedVolume, Presence
from reconciler.report.status_file import load_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.config import Settings
    from reconciler.ports import Driver

MEASURE_SECONDS = 1.0  # together: what takes longer is shown as it was measured last, or not
_COLOURS = {
    Presence.RUNNING: "green",
    Presence.REMOVED: "yellow",
    Presence.UNKNOWN: "red",
    Presence.FOREIGN: "red",
}


def volumes(call: Call) -> None:
    """List the data volumes of all apps, also of those that were removed."""
    from reconciler import wiring
    from reconciler.core.purging import presence

    settings = call.settings()
    with wiring.driver(settings) as (driver, _):
        found, observed = driver.volumes(), driver.observe()
        sizes = measured(settings, driver, found)
    desired = wiring.desired(settings)
    states = {v: presence(v, desired, observed) for v in found}
    if call.json:
        told = [_document(v, state, sizes.get(v.name)) for v, state in states.items()]
        call.print_json({"volumes": told})
    else:
        _show(call, states, sizes)


def measured(
    settings: "Settings",
    driver: "Driver",
    found: "Sequence[ObservedVolume]",
) -> "Mapping[str, int]":
    """Return what volumes hold, as far as that is quickly found out or was before."""
    from reconciler import wiring

    apps = [v.app for v in found]
    status = load_status(wiring.status_path(settings))
    sizes: dict[str, int] = {}
    for volume in found:
        known = status.of(volume.app) if status else None
        if known and known.disk_bytes is not None and apps.count(volume.app) == 1:
            sizes[volume.name] = known.disk_bytes  # the sum of its only volume
    enough = Event()
    timer = Timer(MEASURE_SECONDS, enough.set)
    timer.daemon = True
    timer.start()
    for volume in found:
        if volume.app and not enough.is_set():
            size = driver.volume_usage(volume.name, enough)
            sizes |= {} if size is None else {volume.name: size}
    timer.cancel()
    return sizes


def _document(volume: ObservedVolume, state: Presence, size: int | None) -> dict[str, Any]:
    from reconciler.report.moments import to_text

    return {
        "name": volume.name,
        "app": volume.app or None,
        "state": str(state),
        "bytes": size,
        "created_at": to_text(volume.created_at) if volume.created_at else None,
    }


def _show(
    call: Call,
    states: "Mapping[ObservedVolume, Presence]",
    sizes: "Mapping[str, int]",
) -> None:
    from rich.text import Text

    from reconciler.cli.tables import console, headed
    from reconciler.cli.words import plain
    from reconciler.model.quantities import size_text

    if not states:
        call.tell("No volumes: no app of this instance has data.")
        return
    shown = headed("APP", "VOLUME", "SIZE", "STATE", "CREATED")
    for volume, state in states.items():
        size = sizes.get(volume.name)
        created = volume.created_at
        shown.add_row(
            volume.app or "-",
            plain(volume.name),
            "?" if size is None else size_text(size),
            Text(str(state), _COLOURS.get(state, "")),
            created.astimezone().strftime("%Y-%m-%d %H:%M") if created else "?",
        )
    page = console()
    page.print(shown)
    if Presence.REMOVED in states.values():
        page.print("\n`archipelago purge APP` deletes the data of a removed app, for ever.")
    if Presence.FOREIGN in states.values():
        page.print("\nWhat is foreign is named as ours and has no label of ours: no app gets it.")
