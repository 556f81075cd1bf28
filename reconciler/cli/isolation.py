"""`archipelago isolation`: who reaches whom on which ports, declared beside what is found."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.core.verifying import Line
    from reconciler.model.trial import Trial, Tried
    from reconciler.ports import Driver

AT_ONCE = 8


def isolation(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="Only what this app reaches.")] = None,
) -> None:
    """Try what apps reach, and show it beside what is declared."""
    from reconciler import wiring
    from reconciler.cli.words import unknown_app
    from reconciler.core import verifying

    settings = call.settings()
    with wiring.driver(settings) as (driver, _):
        situation, _ = wiring.reader_of(settings, driver).preview()
        if app is not None and app not in situation.desired.apps:
            raise ConfigurationError(unknown_app(app, situation.desired.apps))
        trials = verifying.trials(situation, neighbours=len(situation.desired.apps))
        chosen = {a: t for a, t in trials.items() if app in {None, a}}
        lines = verifying.table(situation, tried(driver, chosen), app)
    why = situation.observed.unenforceable
    if call.json:
        call.print_json({"unenforceable": why or None, "lines": [_document(x) for x in lines]})
    else:
        _show(call, lines, why)
    call.finish(FAILED if any(line.fits is False for line in lines) else 0)


def tried(driver: "Driver", trials: "Mapping[str, Trial]") -> "dict[str, Tried]":
    """Make every trial, several at once; what cannot be made is left out."""
    from reconciler.errors import DriverError
    from reconciler.model.trial import Tried

    def make(trial: "Trial") -> "Tried | None":
        try:
            return Tried(trial, driver.reach(trial.ref, trial.targets))
        except DriverError:
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = zip(trials, pool.map(make, trials.values()), strict=True)
        return {app: found for app, found in made if found is not None}


def _document(line: "Line") -> dict[str, Any]:
    return {
        "app": line.app,
        "to": line.to,
        "declared": line.declared,
        "found": str(line.found) if line.found else None,
        "as_declared": line.fits,
    }


def _show(call: Call, lines: "Sequence[Line]", why: str) -> None:
    from rich.text import Text

    from reconciler.cli.tables import console, headed

    if not lines:
        call.tell(f"Nothing is enforced: {why}" if why else "No app has a network of its own.")
        return
    shown = headed("APP", "TO", "DECLARED", "FOUND")
    for line in lines:
        found = "not tried" if line.found is None else _found(line)
        colour = {True: "green", False: "red", None: "dim"}[line.fits]
        declared = "reached" if line.declared else "not reached"
        shown.add_row(line.app, line.to, declared, Text(found, colour))
    page = console()
    page.print(shown)
    if why:
        page.print(Text(f"\nNothing is enforced: {why}", "yellow"))


def _found(line: "Line") -> str:
    arrived = line.found is not None and line.found.arrived
    return "reached" if arrived else "not reached"
