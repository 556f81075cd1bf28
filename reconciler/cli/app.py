"""The verbs, put together."""

import gc

import typer

from reconciler import __version__
from reconciler.cli.apply import apply
from reconciler.cli.call import verb
from reconciler.cli.confirm import removal
from reconciler.cli.doctor import doctor
from reconciler.cli.events import events
from reconciler.cli.graph import graph
from reconciler.cli.import_ import addon, compose
from reconciler.cli.install import install
from reconciler.cli.logs import logs
from reconciler.cli.outdated import outdated
from reconciler.cli.plan import plan
from reconciler.cli.remove import remove
from reconciler.cli.retry import retry
from reconciler.cli.run import run
from reconciler.cli.schema import schema
from reconciler.cli.secret import secret
from reconciler.cli.status import status
from reconciler.cli.suspend import resume, suspend
from reconciler.cli.update import update
from reconciler.cli.validate import validate

VERBS = (
    run,
    plan,
    apply,
    status,
    validate,
    install,
    remove,
    suspend,
    resume,
    logs,
    events,
    doctor,
    schema,
    secret,
    graph,
    outdated,
    update,
    retry,
)


def build() -> typer.Typer:
    """Return the command with all its verbs."""
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
    for function in VERBS:
        app.command(function.__name__)(verb(function))
    confirm = typer.Typer(
        help="Give the word that a dangerous step waits for.", no_args_is_help=True
    )
    confirm.command("removal")(verb(removal))
    app.add_typer(confirm, name="confirm")
    bring = typer.Typer(help="Make a manifest of what another system has.", no_args_is_help=True)
    bring.command("compose")(verb(compose))
    bring.command("addon")(verb(addon))
    app.add_typer(bring, name="import")
    return app


def _top(
    *,
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """
    Run the command of this process.

    A verb that looks makes no garbage worth collecting, and collecting while modules are loaded
    takes a tenth of its time; the loop turns it on again.
    """
    gc.disable()
    build()()
