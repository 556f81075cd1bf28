"""`archipelago graph`: which app needs which, as a tree, or as a picture."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.call import Call
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.tree import Tree

    from reconciler.model.dependency_graph import DependencyGraph

DRAWING_SECONDS = 30.0


class Shape(StrEnum):
    """What is printed."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    SVG = "svg"


def graph(
    call: Call,
    output: Annotated[
        Shape,
        typer.Option(help="A tree, JSON, Graphviz's language, or a picture by Graphviz."),
    ] = Shape.TEXT,
) -> None:
    """Draw which desired app needs which, and which ports it reaches."""
    from reconciler import wiring
    from reconciler.model.dependency_graph import dot, graph_of

    found = graph_of(wiring.desired(call.settings()))
    match output:
        case Shape.JSON:
            call.print_json(found.document())
        case Shape.DOT:
            call.print(dot(found))
        case Shape.SVG:
            call.print(_drawn(dot(found)))
        case Shape.TEXT:
            _show(found)


def _show(found: "DependencyGraph") -> None:
    from rich.text import Text
    from rich.tree import Tree

    from reconciler.cli.tables import console

    page = console()
    for app in found.roots():
        tree = Tree(Text(found.label(app)))
        _grow(tree, app, found, (app,))
        page.print(tree)
    if not found.apps:
        page.print("No apps.")


def _grow(tree: "Tree", app: str, found: "DependencyGraph", path: tuple[str, ...]) -> None:
    from rich.text import Text

    for other in found.reaches(app):
        tree.add(Text(f"{other.label()}{found.mark(other.app)}", "cyan"))
    for need in found.needs(app):
        if need.app in path:
            tree.add(Text(f"{need.label()} (a ring)"))
        else:
            branch = tree.add(Text(f"{need.label()}{found.mark(need.app)}"))
            _grow(branch, need.app, found, (*path, need.app))


def _drawn(text: str) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["dot", "-Tsvg"],
            input=text,
            capture_output=True,
            text=True,
            timeout=DRAWING_SECONDS,
            check=True,
        )
    except FileNotFoundError as error:
        raise ConfigurationError(
            "cannot draw the graph: Graphviz is not installed;"
            " run `apt-get install graphviz`, or take --output dot elsewhere",
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"cannot draw the graph: dot failed: {error}") from error
    return done.stdout.rstrip("\n")
