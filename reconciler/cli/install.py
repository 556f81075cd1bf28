"""`archipelago install APP`: writes the document that asks for an app, once it is approved."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from reconciler.cli import desired, prompt
from reconciler.cli.approve import Accepted, Yes
from reconciler.cli.call import Call
from reconciler.cli.desired import kept_document
from reconciler.cli.on_record import record_if_possible
from reconciler.cli.prompt import interactive
from reconciler.cli.words import plain, unknown_app
from reconciler.clock import SystemClock
from reconciler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.committing import Kept, Place
    from reconciler.config import Settings
    from reconciler.model.desired import Desired
    from reconciler.model.manifest.app import AppManifest
    from reconciler.model.manifest.parameters import ParameterManifest
    from reconciler.model.snapshot import Snapshot


def install(
    call: Call,
    app: Annotated[str | None, typer.Argument(help="An app of the catalogue.")] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Answer one of the app's parameters."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An app that is no app of the catalogue."),
    ] = None,
    yes: Yes = False,
    accept_permissions: Accepted = None,
) -> None:
    """Ask for an app, once what it asks for is approved: the loop installs it, and its needs."""
    with desired.written(call) as place:
        snapshot = desired.read(place.settings)
        named, text = _written(call, place.settings, snapshot, app, manifest, answers or [])
        word = _Word(accept_permissions or [], yes=yes)
        _install(call, place, snapshot, (named, text), word)


class _Word(Struct, frozen=True):
    """What was said of the permissions on the command line."""

    accepted: list[str]
    yes: bool


def _install(
    call: Call, place: "Place", snapshot: "Snapshot", what: tuple[str, str], word: _Word
) -> None:
    from reconciler import wiring
    from reconciler.sources import edit

    settings, (app, text) = place.settings, what
    before = wiring.desired(settings, snapshot)
    after = wiring.desired(settings, _with(snapshot, text, settings.desired_state / f"{app}.yml"))
    if app in after.broken:
        problem = after.broken[app]
        hint = f" ({problem.hint})" if problem.hint else ""
        raise ConfigurationError(f"{problem.message}{hint}; nothing was written")
    asking = prompt.requests(settings, after, [app, *_more(app, before, after)])
    prompt.agree(call, asking, word.accepted, yes=word.yes, nothing="nothing was written")
    # The word first: what is half written then asks for nothing.
    words = prompt.write(settings, asking)
    record_if_possible(settings, "install", app)
    file = edit.install(settings.desired_state, app, text)
    waits = desired.waits(snapshot, SystemClock().now())
    kept = place.keep(f"Install {app}", [*words, file])
    _tell(call, app, place.shown(file), before, after, (waits, kept))


def _written(
    call: Call,
    settings: "Settings",
    snapshot: "Snapshot",
    app: str | None,
    manifest: Path | None,
    answers: list[str],
) -> tuple[str, str]:
    """Return the app that is asked for, and the text that asks for it."""
    from reconciler import wiring
    from reconciler.sources import edit

    if (app is None) == (manifest is None):
        raise ConfigurationError("cannot install: name one app, or say --manifest FILE")
    if manifest is not None:
        if answers:
            raise ConfigurationError("cannot use --set with --manifest: write it into the file")
        app, text = _of_file(manifest)
        _check_new(snapshot, app)
        return app, text
    named = app or ""
    _check_new(snapshot, named)
    known = _manifest(wiring.documents(settings.catalogue), named)
    given = _asked(known, _answers(answers), ask=not call.json and interactive())
    return named, edit.install_text(named, given)


def _of_file(file: Path) -> tuple[str, str]:
    """Return the one app of a file, and the file's text."""
    from reconciler.model.manifest.app import AppManifest
    from reconciler.sources.manifests import load_documents

    try:
        content = file.read_bytes()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(f"cannot read {file}: {why}") from error
    loaded = load_documents(content, str(file))
    if loaded.problems:
        raise ConfigurationError("\n".join(str(problem) for problem in loaded.problems))
    if len(loaded.documents) != 1 or not isinstance(loaded.documents[0].manifest, AppManifest):
        raise ConfigurationError(f"cannot install {file}: one `app:` document is wanted in it")
    return loaded.documents[0].app, content.decode()


def _more(app: str, before: "Desired", after: "Desired") -> list[str]:
    """Return what is installed along with it."""
    return sorted(after.apps.keys() - before.apps.keys() - {app})


def _tell(
    call: Call,
    app: str,
    file: str,
    before: "Desired",
    after: "Desired",
    notices: "tuple[str, Kept]",
) -> None:
    waits, kept = notices
    more = _more(app, before, after)
    alerts = [s.alert_install for a in (app, *more) if (s := after.apps[a]).alert_install]
    if call.json:
        told = {"app": app, "file": file, "installs_with": more, "alerts": alerts}
        call.print_json(told | {"waits": waits, **kept_document(kept)})
        return
    for alert in alerts:
        call.tell(plain(alert))
    also = f", and {', '.join(more)}, which it requires" if more else ""
    call.tell(f"Wrote {file}: the loop installs {app}{also}.")
    for one in (app, *more):
        if keys := after.apps[one].unsupported:
            call.tell(f"{one} is held for now: this version cannot carry out {', '.join(keys)}.")
    if after.apps[app].secrets:
        call.tell(f"`archipelago secret {app}` tells the secrets that are made for it.")
    for line in filter(None, (waits, kept.notice)):
        call.tell(line)


def _check_new(snapshot: "Snapshot", app: str) -> None:
    for document in snapshot.documents:
        if document.app == app and app in desired.wanted(snapshot):
            raise ConfigurationError(
                f"cannot install {app}: it is desired already, by {document.origin}; edit that",
            )


def _manifest(catalogue: "Snapshot", app: str) -> "AppManifest":
    from reconciler.core.catalogue import catalogue_of

    known = catalogue_of(catalogue)
    if app in known.broken:
        raise ConfigurationError(f"cannot install {app}: {known.broken[app]}")
    if app not in known.manifests:
        raise ConfigurationError(unknown_app(app, known.manifests))
    return known.manifests[app]


def _answers(written: list[str]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for one in written:
        name, found, value = one.partition("=")
        if not found:
            raise ConfigurationError(f"cannot use --set {one}: write NAME=VALUE")
        answers[name] = value
    return answers


def _asked(
    manifest: "AppManifest",
    given: "Mapping[str, str]",
    *,
    ask: bool,
) -> "dict[str, str]":
    """Ask a person for what has no answer yet; nobody is asked in a script."""
    from reconciler.model.manifest.parameters import ParameterType

    answers = dict(given)
    for parameter in manifest.parameters if ask else ():
        settled = parameter.name in answers or parameter.type is ParameterType.RANDOM
        if not settled and parameter.required and parameter.default is None:
            answers[parameter.name] = _prompt(parameter)
    return answers


def _prompt(parameter: "ParameterManifest") -> str:
    from reconciler.model.manifest.parameters import ParameterError, ParameterType

    about = parameter.label or parameter.description or ""
    question = f"{parameter.name} ({plain(about)})" if about else parameter.name
    hidden = parameter.type is ParameterType.PASSWORD
    while True:
        value = str(typer.prompt(question, hide_input=hidden))
        try:
            parameter.check(value)
        except ParameterError as error:
            typer.echo(f"{error} ({error.hint})", err=True)
        else:
            return value


def _with(snapshot: "Snapshot", text: str, file: Path) -> "Snapshot":
    from reconciler.sources.manifests import load_documents

    loaded = load_documents(text.encode(), str(file))
    if loaded.problems:
        raise ConfigurationError(f"{loaded.problems[0].message}; nothing was written")
    return replace(snapshot, documents=(*snapshot.documents, *loaded.documents))
