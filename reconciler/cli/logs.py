"""`archipelago logs APP`: what its containers printed."""

from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.call import Call
from reconciler.cli.words import unknown_app
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.model.observed import ContainerState, Observed, ObservedContainer

if TYPE_CHECKING:
    from reconciler.ports import Driver

Line = tuple[str, str]  # container, text


def logs(
    call: Call,
    app: Annotated[str, typer.Argument(help="The app.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only the last lines of each.")] = None,
    container: Annotated[str | None, typer.Option(help="Only this container.")] = None,
) -> None:
    """Print what an app's containers printed."""
    from reconciler import wiring

    with wiring.driver(call.settings()) as (driver, _):
        chosen = choose(driver.observe(), app, container)
        show = _printer(
            call, app, wide=max(len(c.container) for c in chosen), several=len(chosen) > 1
        )
        for line in _lines(driver, chosen, tail, follow=follow):
            show(line)


def choose(observed: Observed, app: str, container: str | None) -> list[ObservedContainer]:
    """Return the newest container of each name, or of the one name."""
    there = observed.of(app)
    if not there:
        raise ConfigurationError(unknown_app(app, observed.apps()))
    newest = {c.container: c for c in sorted(there, key=_age_rank)}
    if container is None:
        return [newest[name] for name in sorted(newest)]
    if container not in newest:
        names = ", ".join(sorted(newest))
        raise ConfigurationError(
            f"cannot find the container `{container}` of {app}: it has {names}"
        )
    return [newest[container]]


def _age_rank(container: ObservedContainer) -> tuple[bool, float]:
    created = container.created_at.timestamp() if container.created_at else 0.0
    return container.state is ContainerState.RUNNING, created


def _lines(
    driver: "Driver",
    containers: list[ObservedContainer],
    tail: int | None,
    *,
    follow: bool,
) -> Iterator[Line]:
    """Yield the lines of one container after the other or, followed, as they come."""
    if not follow or len(containers) == 1:
        for container in containers:
            for text in driver.logs(container.ref, tail=tail, follow=follow):
                yield container.container, text
        return
    yield from merged(
        [
            (c.container, lambda c=c: driver.logs(c.ref, tail=tail, follow=True))  # type: ignore[misc]
            for c in containers
        ],
    )


def merged(sources: list[tuple[str, Callable[[], Iterable[str]]]]) -> Iterator[Line]:
    """Yield lines of several sources as they come, until all have ended."""
    queue: SimpleQueue[Line | ReconcilerError | None] = SimpleQueue()
    for name, opened in sources:
        Thread(target=_pump, args=(name, opened, queue), daemon=True).start()
    left = len(sources)
    while left:
        item = queue.get()
        if item is None:
            left -= 1
        elif isinstance(item, ReconcilerError):
            raise item
        else:
            yield item


def _pump(
    name: str,
    opened: Callable[[], Iterable[str]],
    queue: "SimpleQueue[Line | ReconcilerError | None]",
) -> None:
    try:
        for text in opened():
            queue.put((name, text))
    except ReconcilerError as error:
        queue.put(error)
    queue.put(None)


def _printer(call: Call, app: str, *, wide: int, several: bool) -> Callable[[Line], None]:
    if call.json:
        return lambda line: call.print_json(
            {"app": app, "container": line[0], "line": line[1]},
            line=True,
        )
    if several:
        return lambda line: call.print(f"{line[0]:<{wide}} | {line[1]}")
    return lambda line: call.print(line[1])
