"""`archipelago adopt APP`: takes over containers that somebody else made, as they run."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.cli.on_record import record
from reconciler.cli.prompt import interactive
from reconciler.cli.words import plain, unknown_app
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.config import Settings
    from reconciler.core.adoption import Candidate
    from reconciler.core.comparison import Comparison
    from reconciler.core.situation import Situation
    from reconciler.model.adoption import Adoptions
    from reconciler.ports import Driver


def adopt(
    call: Call,
    app: Annotated[str, typer.Argument(help="An app that is desired.")],
    container: Annotated[
        list[str] | None,
        typer.Option(help="NAME=CONTAINER: which container stands for one of the app."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take over containers that somebody else made, without a restart, where nothing differs."""
    from reconciler import wiring
    from reconciler.core.adoption import Standing, adoptions

    settings, named = call.settings(), _named(container or [])
    with wiring.driver(settings) as (driver, _):
        comparison, found = _look(settings, driver, app, named)
        document = _document(app, found)
        for line in _lines(found):
            call.tell(line)
        standings = {c.standing for c in found}
        changes = standings <= {Standing.OURS, Standing.SAME} and Standing.SAME in standings
        if changes:
            _ask(call, app, yes=yes)
            again = _look(settings, driver, app, named)[1]
            if again != found:
                raise ConfigurationError(f"cannot adopt {app}: it changed meanwhile; look again")
            names = [c.facts.name for c in found if c.facts and c.standing is Standing.SAME]
            _write(settings, app, adoptions(found, comparison), names)
    if call.json:
        call.print_json(document | {"changed": changes})
    if standings == {Standing.OURS}:
        call.tell(f"There is nothing to adopt: {app} is ours.")
    elif changes:
        call.tell(f"{app} is ours now, as it runs. `archipelago status {app}` shows it.")
    else:
        call.tell(f"Nothing is changed: {app} cannot be adopted as it is.")
        call.finish(FAILED)


def _named(given: "Sequence[str]") -> dict[str, str]:
    named: dict[str, str] = {}
    for text in given:
        name, mark, container = text.partition("=")
        if not (name and mark and container) or name in named:
            raise ConfigurationError(
                f"cannot use --container {plain(text)}; write NAME=CONTAINER, once for a name"
            )
        named[name] = container
    return named


def _look(
    settings: "Settings", driver: "Driver", app: str, named: "Mapping[str, str]"
) -> "tuple[Comparison, tuple[Candidate, ...]]":
    """Look at everything anew; ConfigurationError says why nothing of it may be adopted."""
    from reconciler import wiring
    from reconciler.core.adoption import candidates, names_to_look_for, obstacle

    situation, comparisons = wiring.reader_of(settings, driver).compared()
    comparison = comparisons.get(app)
    if comparison is None:
        raise ConfigurationError(_not_known(situation, app))
    why = obstacle(comparison, situation.evidence)
    if why:
        raise ConfigurationError(f"cannot adopt {app}: {why}; mend that first")
    strange = sorted(named.keys() - {c.name for c in comparison.spec.containers})
    if strange:
        raise ConfigurationError(f"cannot adopt {app}: it has no container {plain(strange[0])}")
    found = driver.examine(names_to_look_for(comparison, named))
    return comparison, candidates(comparison, found, named)


def _not_known(situation: "Situation", app: str) -> str:
    problem = situation.desired.broken.get(app)
    if problem is not None:
        return f"cannot adopt {app}: {problem}; mend that first"
    return unknown_app(app, situation.desired.apps)


def _ask(call: Call, app: str, *, yes: bool) -> None:
    if yes:
        return
    if call.json or not interactive():
        raise ConfigurationError(
            f"cannot ask whether to adopt {app}: nobody is there to answer; say --yes"
        )
    if not typer.confirm(f"Adopt {app}? It is started, stopped, updated and removed from then on"):
        raise ConfigurationError("It was not adopted; nothing is changed.")


def _write(settings: "Settings", app: str, adopted: "Adoptions", names: "Sequence[str]") -> None:
    from reconciler import wiring

    makes = [*(f"container {n}" for n in names), *(f"volume {v}" for v in adopted.volumes)]
    told = ", ".join(f"{ref[:12]} as {a.container}" for ref, a in adopted.containers.items())
    record(settings, "adopt", app, told, makes)
    try:
        wiring.inventory(settings).adopt(adopted)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        file = wiring.inventory_path(settings)
        raise ConfigurationError(
            f"cannot write {file}: {why}; mend it, and say it again"
        ) from error


def _lines(found: "Sequence[Candidate]") -> "Iterator[str]":
    from reconciler.core.adoption import Standing

    for candidate in found:
        name, facts = candidate.wanted.name, candidate.facts
        if candidate.standing is Standing.OURS:
            yield f"{name}: ours already"
        elif facts is None:
            yield f"{name}: no container was found for it; say --container {name}=CONTAINER"
        else:
            word = "is the same" if candidate.standing is Standing.SAME else "differs:"
            yield f"{name}: {plain(facts.name)} ({facts.ref[:12]}) {word}"
            yield from (f"  - {plain(told)}" for told in candidate.differences)
            yield from (f"  note: {plain(told)}" for told in candidate.notes)


def _document(app: str, found: "Sequence[Candidate]") -> dict[str, Any]:
    return {
        "app": app,
        "containers": [
            {
                "name": c.wanted.name,
                "container": c.facts.name if c.facts else None,
                "id": c.facts.ref if c.facts else None,
                "standing": str(c.standing),
                "differences": list(c.differences),
                "notes": list(c.notes),
            }
            for c in found
        ],
    }
