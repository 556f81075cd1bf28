"""`archipelago plan`: what a pass would do now, and why. Changes nothing."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.model.change import Action, Plan
from reconciler.model.origin import Problem
from reconciler.model.step_words import describe
from reconciler.report.status_json import problem_document

_COLOURS = {
    Action.INSTALL: "green",
    Action.UPDATE: "yellow",
    Action.ISOLATE: "yellow",
    Action.ROLLBACK: "yellow",
    Action.START: "green",
    Action.RESTART: "yellow",
    Action.STOP: "yellow",
    Action.REMOVE: "red",
    Action.HOLD: "magenta",
    Action.KEEP: "bright_black",
}
CHANGES = 2  # the exit code for "there is something to do"


def plan(
    call: Call,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit 2 when there is something to do."),
    ] = False,
) -> None:
    """Print what would be done, and why; do nothing."""
    from reconciler import wiring

    with wiring.reader(call.settings()) as reconciler:
        situation, made = reconciler.preview()
    problems = situation.desired.problems
    if call.json:
        call.print_json(plan_document(made, problems))
    else:
        apps = situation.desired.apps.values()
        _show(made, problems, {a.id: a.alert_install for a in apps if a.alert_install})
    if not situation.desired.complete:
        call.finish(FAILED)
    acts = any(change.acts for change in made.changes)
    call.finish(CHANGES if detailed_exitcode and acts else 0)


def plan_document(made: Plan, problems: tuple[Problem, ...]) -> dict[str, Any]:
    """Return the plan as `plan --output json` prints it."""
    return {
        "changes": [
            {
                "app": change.app,
                "action": str(change.action),
                "reason": str(change.reason),
                "message": change.message,
                "digest": change.digest,
                "steps": [describe(step) for step in change.steps],
            }
            for change in made.changes
        ],
        "problems": [problem_document(p) for p in problems],
    }


def _show(made: Plan, problems: tuple[Problem, ...], alerts: Mapping[str, str]) -> None:
    """
    Print a change a paragraph, with its reason and its steps.

    Plain columns, not a table of rich's: loading and rendering that took a third of the verb.
    """
    from reconciler.cli.words import counted, plain

    wide = max((len(change.app) for change in made.changes), default=0)
    for change in made.changes:
        action = typer.style(f"{change.action:7}", _COLOURS[change.action])
        told = f"  {plain(change.message)}" if change.message else ""
        typer.echo(f"{change.app:{wide}}  {action}  {change.reason}{told}")
        if change.action is Action.INSTALL and change.app in alerts:
            typer.echo(typer.style(f"{'':{wide}}  ! {plain(alerts[change.app])}", "yellow"))
        for step in change.steps:
            typer.echo(f"{'':{wide}}  - {plain(describe(step))}")
    acting = sum(change.acts for change in made.changes)
    held = sum(change.action is Action.HOLD for change in made.changes)
    counts = f"{counted(acting, 'app')} to change, {held} held, {len(made.changes)} in all."
    typer.echo(counts if made.changes else "No apps, nothing to do.")
    for problem in problems:
        typer.echo(typer.style(plain(str(problem)), "red"))
