"""The verbs, put together."""

import gc
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module

import typer

from reconciler import __version__
from reconciler.cli.call import verb

# Where each verb is: only the one that is asked for is imported, and has its options looked at.
VERBS = {
    "run": "run",
    "plan": "plan",
    "apply": "apply",
    "status": "status",
    "validate": "validate",
    "install": "install",
    "remove": "remove",
    "permissions": "permissions",
    "approve": "approve",
    "suspend": "suspend",
    "resume": "suspend",
    "logs": "logs",
    "events": "events",
    "doctor": "doctor",
    "schema": "schema",
    "secret": "secret",
    "graph": "graph",
    "isolation": "isolation",
    "outdated": "outdated",
    "update": "update",
    "retry": "retry",
    "volumes": "volumes",
    "purge": "purge",
    "adopt": "adopt",
}
GROUPS = {
    "audit": ("Show what is on record, and prove it.", {"verify": "audit", "prove": "audit"}),
    "confirm": (
        "Give the word that a dangerous step waits for.",
        {"removal": "confirm", "revision": "confirm", "signer": "confirm"},
    ),
    "trust": (
        "Whose images may be run.",
        {"list": "trust", "test": "trust", "add": "trust"},
    ),
    "import": (
        "Make a manifest of what another system has.",
        {"compose": "import_", "addon": "import_"},
    ),
}
BY_THEMSELVES = frozenset({"audit"})  # groups that are verbs as well


def build(only: str = "") -> typer.Typer:
    """Return the command with all its verbs, or with the one of that name."""
    app = typer.Typer(
        name="archipelago",
        help="Makes Podman match a folder of app manifests, and keeps it so.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_top)
    verbs = {name: at for name, at in VERBS.items() if only in {"", name}}
    _add(app, verbs)
    for name, (told, members) in GROUPS.items():
        if only in {"", name}:
            alone = name in BY_THEMSELVES
            group = typer.Typer(help=told, no_args_is_help=not alone)
            _add(group, members)
            if alone:
                module = import_module(f"reconciler.cli.{name}")
                group.callback(invoke_without_command=True)(verb(getattr(module, name)))
            app.add_typer(group, name=name)
    return app


def _add(app: typer.Typer, verbs: dict[str, str]) -> None:
    for name, module in verbs.items():
        function: Callable[..., None] = getattr(import_module(f"reconciler.cli.{module}"), name)
        app.command(name)(verb(function))


def _top(
    *,
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """
    Run the command of this process, and leave at once.

    A verb that looks makes no garbage worth collecting, and collecting while modules are loaded
    takes a tenth of its time; the loop turns it on again. Nothing here comes as a plugin of
    pydantic's, which would read the metadata of every installed package to find out. And taking
    the interpreter apart, object by object, only keeps the one waiting who asked.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # noqa: TID251 - told, not asked
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        build(first if first in VERBS or first in GROUPS else "")()
    except SystemExit as end:
        leave(end)
        raise


def leave(end: SystemExit) -> None:
    """
    End the process with this exit code, if nothing is left to be done at its end.

    Threads that others wait for, and what cannot be printed any more, are the interpreter's.
    """
    if not isinstance(end.code, int | None) or len(threading.enumerate()) > 1:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(end.code or 0)
