"""Whether every template of an app names something that the app declares."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from reconciler.model.manifest.complaint import Complaint, Path, did_you_mean
from reconciler.model.manifest.parameters import ParameterManifest
from reconciler.model.manifest.secrets import GeneratedSecretManifest
from reconciler.model.secret import SecretKind
from reconciler.model.template import Placeholder, TemplateError, TemplateKind, parse_template


class Text(Struct, frozen=True):
    """A text with templates, and where it stands; a `public` one may hold no secret."""

    path: Path
    text: str
    public: bool = False


class Names(Struct, frozen=True):
    """What an app declares that templates may name."""

    parameters: tuple[str, ...]
    secrets: Mapping[str, SecretKind]
    dependencies: tuple[str, ...]


def complaints_about_asking(
    parameters: Iterable[ParameterManifest],
    secrets: Iterable[GeneratedSecretManifest],
) -> Iterator[Complaint]:
    """Tell which parameter or secret is declared twice."""
    declared = {
        "parameters": [parameter.name for parameter in parameters],
        "generated_secrets": [secret.name for secret in secrets],
    }
    for key, names in declared.items():
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"the name `{name}` is given twice"
                yield Complaint((key, index, "name"), message, "remove one")


def complaints_about_templates(texts: Iterable[Text], names: Names) -> Iterator[Complaint]:
    """Tell which template names what is not declared, and which secret would be seen by all."""
    for text in texts:
        if "{{" not in text.text and "}}" not in text.text:
            continue
        try:
            pieces = parse_template(text.text)
        except TemplateError as error:
            yield Complaint(text.path, str(error), error.hint)
            continue
        for piece in pieces:
            complaint = _about(piece, text, names) if isinstance(piece, Placeholder) else None
            if complaint is not None:
                yield complaint


def _about(placeholder: Placeholder, text: Text, names: Names) -> Complaint | None:
    name = placeholder.name
    match placeholder.kind:
        case TemplateKind.PARAMETER if name not in names.parameters:
            return _unknown(text, "parameter", name, names.parameters, "parameters")
        case TemplateKind.SECRET if name not in names.secrets:
            return _unknown(text, "secret", name, names.secrets, "generated_secrets")
        case TemplateKind.SECRET if text.public:
            message = f"the secret `{name}` would be seen by all in the list of processes"
            return Complaint(text.path, message, "hand it over in a variable or in a file")
        case TemplateKind.SECRET if placeholder.hashed:
            if names.secrets[name] is not SecretKind.BCRYPT:
                message = f"the secret `{name}` has no hash: it is of kind {names.secrets[name]}"
                return Complaint(text.path, message, "write `kind: bcrypt`")
        case TemplateKind.DEPENDENCY if text.path[0] == "exports":
            message = "an export cannot pass on what another app exports"
            return Complaint(text.path, message, "let the dependant depend on that app itself")
        case TemplateKind.DEPENDENCY if placeholder.of not in names.dependencies:
            of = placeholder.of
            return _unknown(text, "dependency", of, names.dependencies, "dependencies")
        case _:
            pass
    return None


def _unknown(text: Text, what: str, name: str, known: Iterable[str], key: str) -> Complaint:
    hint = did_you_mean(name, known) or f"declare it under `app.{key}`"
    return Complaint(text.path, f"this app declares no {what} `{name}`", hint)
