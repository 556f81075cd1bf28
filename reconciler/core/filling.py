"""Templates are filled in: with facts, the operator's answers, and what others export. Pure."""

from collections.abc import Mapping
from typing import assert_never

from msgspec import Struct, field

from reconciler.errors import ManifestError
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.parameters import ParameterError, ParameterManifest, ParameterType
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec, SecretText, is_plain, joined
from reconciler.model.template import Placeholder, TemplateKind, parse_template


class FillingError(ManifestError):
    """A value that a template asks for is not to be had; `parameter` names the one at fault."""

    def __init__(self, message: str, hint: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.parameter = parameter


class SharedFrom(Struct, frozen=True):
    """A file (or, without `path`, a whole volume) that others may read, and where it is."""

    volume: str
    path: str
    engine_volume: str
    container: str
    mount: str


class Provided(Struct, frozen=True):
    """What an app gives to those that depend on it: its name in the network, and its exports."""

    app: str
    exports: Mapping[str, SecretText] = field(default_factory=dict[str, SecretText])
    files: Mapping[str, SharedFrom] = field(default_factory=dict[str, SharedFrom])


class Scope(Struct, frozen=True):
    """
    Everything that an app's templates may ask for.

    `dependencies` are by the name that the app calls them; one that is not there is absent.
    """

    app: str
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: Mapping[str, SecretText] = field(default_factory=dict[str, SecretText])
    dependencies: Mapping[str, Provided] = field(default_factory=dict[str, Provided])


def parameter_values(
    manifest: AppManifest,
    given: Mapping[str, str],
    *,
    assumed: bool = False,
) -> dict[str, SecretText]:
    """
    Return the value of each parameter: given, or by default, or made at random, or empty.

    Raises FillingError that names a parameter that is unknown, missing (unless `assumed`), or not
    what it should be.
    """
    known = {parameter.name: parameter for parameter in manifest.parameters}
    for name in given:
        if name not in known:
            names = ", ".join(known) or "none"
            raise FillingError(f"there is no parameter `{name}`", f"there are: {names}", name)
    return {
        name: _value(manifest.id, p, given.get(name), assumed=assumed) for name, p in known.items()
    }


def _value(
    app: str,
    parameter: ParameterManifest,
    given: str | None,
    *,
    assumed: bool,
) -> SecretText:
    value = parameter.default if given is None else given
    if value is None and parameter.type is ParameterType.RANDOM:
        return (SecretRef(app, random_name(parameter)),)
    if value is None:
        if parameter.required and not assumed:
            raise FillingError(
                f"the parameter `{parameter.name}` has no value",
                "give one under `parameters` of the `install:` document",
                parameter.name,
            )
        return ()
    try:
        parameter.check(value)
    except ParameterError as error:
        why = f"the parameter `{parameter.name}`: {error}"
        raise FillingError(why, error.hint, parameter.name) from error
    return (value,)


def random_name(parameter: ParameterManifest) -> str:
    """Return the name of the secret that stands in for a random parameter."""
    return f"parameter-{parameter.name.lower()}"


def secrets(manifest: AppManifest, values: Mapping[str, SecretText]) -> tuple[SecretSpec, ...]:
    """Return all secrets that the app has to have, sorted by name."""
    declared = [SecretSpec(manifest.id, s.name, s.kind) for s in manifest.generated_secrets]
    at_random = [
        SecretSpec(manifest.id, random_name(p), SecretKind.HEX16)
        for p in manifest.parameters
        if p.type is ParameterType.RANDOM and not is_plain(values[p.name])
    ]
    return tuple(sorted((*declared, *at_random), key=lambda s: s.name))


def fill(text: str, scope: Scope) -> SecretText:
    """Return the text with everything but secrets filled in. Raises FillingError."""
    if "{{" not in text:
        return (text,) if text else ()
    pieces: list[str | SecretRef] = []
    for piece in parse_template(text):
        pieces += _filled(piece, scope) if isinstance(piece, Placeholder) else (piece,)
    return joined(tuple(pieces))


def fill_plain(text: str, scope: Scope) -> str:
    """Return a text that everybody may see, filled in. Raises FillingError, also for secrets."""
    pieces = fill(text, scope)
    if not is_plain(pieces):
        raise FillingError(
            "a command would show a secret to all in the list of processes",
            "hand it over in a variable or in a file",
        )
    return "".join(str(piece) for piece in pieces)


def _filled(placeholder: Placeholder, scope: Scope) -> SecretText:
    name = placeholder.name
    match placeholder.kind:
        case TemplateKind.PARAMETER:
            return scope.parameters[name]
        case TemplateKind.SECRET:
            return (SecretRef(scope.app, name, placeholder.hashed),)
        case TemplateKind.APP:
            return (scope.app,)  # by its id it is known to others, and to itself
        case TemplateKind.DEPENDENCY:
            return _from_dependency(placeholder, scope)
        case TemplateKind.FACT:
            return (_fact(name, scope),)
        case _:
            assert_never(placeholder.kind)


def _fact(name: str, scope: Scope) -> str:
    if name == "BITCOIN_HOST" and "bitcoin" in scope.dependencies:
        return scope.dependencies["bitcoin"].app
    if name in scope.facts:
        return scope.facts[name]
    raise FillingError(
        f"`{{{{ {name} }}}}` is not known on this box",
        f"write it into archipelago.toml, under [facts]: {name} = …",
    )


def _from_dependency(placeholder: Placeholder, scope: Scope) -> SecretText:
    """A dependency that is optional and not there gives nothing."""
    provided = scope.dependencies.get(placeholder.of)
    if provided is None:
        return ()
    if placeholder.name == "host":
        return (provided.app,)
    if placeholder.name in provided.exports:
        return provided.exports[placeholder.name]
    there = ", ".join(sorted(provided.exports)) or "nothing"
    raise FillingError(
        f"`{provided.app}` exports no `{placeholder.name}`",
        f"it exports {there}",
    )
