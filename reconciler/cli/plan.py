"""`archipelago plan`: what a pass would do now, and why. Changes nothing."""

from typing import Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.model.change import Plan
from reconciler.model.origin import Problem
from reconciler.report.status_json import problem_document

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
        _show(made, problems)
    if not situation.desired.complete:
        call.finish(FAILED)
    acts = any(change.acts for change in made.changes)
    call.finish(CHANGES if detailed_exitcode and acts else 0)


def plan_document(made: Plan, problems: tuple[Problem, ...]) -> dict[str, Any]:
    """Return the plan as `plan --output json` prints it."""
    from reconciler.model.step_words import describe

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


def _show(made: Plan, problems: tuple[Problem, ...]) -> None:
    from reconciler.cli.tables import console, plan_table
    from reconciler.cli.words import plain

    page = console()
    page.print(plan_table(made))
    for problem in problems:
        page.print(plain(str(problem)), style="red", markup=False)
