"""`archipelago events`: what happened, oldest first."""

from collections.abc import Callable
from threading import Event as Never
from typing import Annotated

import typer

from reconciler.cli.call import Call
from reconciler.cli.words import plain
from reconciler.report.event import Event, Level
from reconciler.report.journal import event_document, follow_events, read_events

_MARKS = {Level.INFO: " ", Level.WARNING: "!", Level.ERROR: "✗"}


def events(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="Only what concerns this app.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="How many to begin with.")] = 50,
) -> None:
    """Show what happened to the apps."""
    from reconciler import wiring

    path = wiring.journal_path(call.settings())
    known = read_events(path, tail, app)
    if call.json and not follow:
        call.print_json({"events": [event_document(event) for event in known]})
        return
    show = _printer(call)
    for event in known:
        show(event)
    if not follow and not known:
        call.tell("Nothing has happened yet: events are written by `archipelago run`.")
    if follow:
        for event in follow_events(path, Never(), app):
            # What came between reading and following is in both.
            if event not in known:
                show(event)


def _printer(call: Call) -> Callable[[Event], None]:
    if call.json:
        return lambda event: call.print_json(event_document(event), line=True)
    return lambda event: call.print(event_line(event))


def event_line(event: Event) -> str:
    """Return the event as a line for people, in their own time."""
    at = event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    name = event.app or "-"
    words = plain(event.message).replace("\n", " ")
    return f"{at} {_MARKS[event.level]} {name:<20} {event.reason:<20} {words}"
