"""
What every verb shares: its options, the settings they make, and how errors end.

A verb is a function whose first argument is its `Call`; `@verb` adds the common options to it.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.config import Settings

FAILED = 1


class Output(StrEnum):
    """How a verb tells: words for people, or one JSON document on standard output."""

    TEXT = "text"
    JSON = "json"


class Call(Struct, frozen=True):
    """One use of a verb. `flags` holds only the settings that were given."""

    flags: Mapping[str, Any]
    config: Path | None
    output: Output

    @property
    def json(self) -> bool:
        """Whether standard output is for a machine."""
        return self.output is Output.JSON

    def settings(self, **more: object) -> "Settings":
        """Return the settings in force; `more` is what the verb itself sets."""
        from reconciler.config import environment, load_settings

        return load_settings({**self.flags, **more}, environment(), self.config)

    def print_json(self, document: object, *, line: bool = False) -> None:
        """Print a JSON document, or one of many as a line."""
        indent = None if line else 2
        self.print(json.dumps(document, ensure_ascii=False, indent=indent))

    def print(self, text: str) -> None:
        """Print to standard output, at once."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def tell(self, text: str) -> None:
        """Tell a person: on standard output, or beside it when that is for a machine."""
        typer.echo(text, err=self.json)

    def finish(self, code: int) -> None:
        """End with an exit code."""
        if code:
            raise typer.Exit(code)


_PANEL = "Common options"
_COMMON: dict[str, Any] = {
    "desired_state": Annotated[
        Path | None,
        typer.Option(help="Folder of what should run.", rich_help_panel=_PANEL),
    ],
    "catalogue": Annotated[
        Path | None,
        typer.Option(help="Folder of what can be installed.", rich_help_panel=_PANEL),
    ],
    "state_dir": Annotated[
        Path | None,
        typer.Option(help="Folder for status, events and locks.", rich_help_panel=_PANEL),
    ],
    "instance": Annotated[
        str | None,
        typer.Option(help="Names and labels all that is ours.", rich_help_panel=_PANEL),
    ],
    "podman": Annotated[
        str | None,
        typer.Option(help="Podman's API: unix:///path.", rich_help_panel=_PANEL),
    ],
    "config": Annotated[
        Path | None,
        typer.Option(help="Settings in TOML.", rich_help_panel=_PANEL),
    ],
    "output": Annotated[
        Output,
        typer.Option(help="For people or machines.", rich_help_panel=_PANEL),
    ],
}


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Turn a function of a `Call` into a command with the common options."""

    def called(**given: Any) -> None:  # noqa: ANN401 - whatever the options are
        common = {name: given.pop(name) for name in shared}
        config, output = common.pop("config"), common.pop("output", Output.TEXT)
        flags = {name: value for name, value in common.items() if value is not None}
        _guarded(lambda: function(Call(flags, config, output), **given))

    own = list(signature(function, eval_str=True).parameters.values())[1:]
    # A verb that prints more than words and JSON has an --output of its own.
    shared = [name for name in _COMMON if name not in {p.name for p in own}]
    added = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=Output.TEXT if name == "output" else None,
            annotation=_COMMON[name],
        )
        for name in shared
    ]
    parameters = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in own] + added
    called.__name__, called.__doc__ = function.__name__, function.__doc__
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # typer asks for it
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


def _guarded(work: Callable[[], None]) -> None:
    """Run a verb; what goes wrong becomes a message and an exit code, never a traceback."""
    try:
        work()
    except ReconcilerError as error:
        typer.echo(str(error), err=True)
    except BrokenPipeError:
        # Nobody reads any more; the interpreter must not complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody who only uses this
        typer.echo(f"cannot go on: {_described(error)}; please report this", err=True)
    else:
        return
    raise typer.Exit(FAILED)


def _described(error: Exception) -> str:
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
    return f"an unexpected {type(error).__name__}: {error}{where}"
