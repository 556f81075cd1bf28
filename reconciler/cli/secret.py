"""`archipelago secret`: what was generated for an app, shown because somebody asked for it."""

from typing import Annotated

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.cli.on_record import record_if_possible


def secret(
    call: Call,
    app: Annotated[str, typer.Argument(help="Whose secrets.")],
    name: Annotated[str | None, typer.Argument(help="Print the value of this one.")] = None,
) -> None:
    """List the generated secrets of an app, or print one."""
    from reconciler import wiring
    from reconciler.model.secret import SecretRef

    settings = call.settings()
    kept = wiring.secrets(settings)
    names = kept.names(app)
    if name is None:
        if call.json:
            call.print_json({"app": app, "secrets": list(names)})
        else:
            call.print("\n".join(names) or f"No secrets of {app} are kept.")
        return
    if name not in names:
        there = ", ".join(names) or "none"
        typer.echo(f"cannot find a secret `{name}` of {app}: there are {there}", err=True)
        call.finish(FAILED)
    record_if_possible(settings, "secret", app, f"shown: {name}")
    value = kept.read(SecretRef(app, name))
    if call.json:
        call.print_json({"app": app, "name": name, "value": value})
    else:
        call.print(value)
