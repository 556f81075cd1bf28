"""The environment of a service: plain values, secrets that are made, questions to the operator."""

import shlex

from msgspec import Struct

from reconciler.importing.given import Given
from reconciler.importing.interpolation import open_variables
from reconciler.importing.ledger import Fate
from reconciler.importing.secrets import is_asked, is_no_secret, is_optional, is_secret
from reconciler.importing.shell import is_for_shell
from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.work import Work, template_problem


class Variable(Struct, frozen=True):
    """One variable as written; `value` is None where the shell was to give it."""

    key: str
    value: str | None
    given: Given


def variables(given: Given) -> list[Variable]:
    """Return the variables of a mapping, or of a list of K=V."""
    if given.is_list:
        found = [_of_entry(entry) for entry in given.entries()]
    else:
        found = [_of_pair(key, value) for key, value in given.pairs()]
    return [variable for variable in found if variable is not None]


def _of_entry(given: Given) -> Variable | None:
    text = given.text()
    if text is None:
        return None
    key, equals, value = text.partition("=")
    return Variable(key.strip(), value if equals else None, given)


def _of_pair(key: str, given: Given) -> Variable | None:
    if given.ledger.fate_of(given.path) is Fate.NOT_CARRIED:
        return None
    if given.value is None:
        given.ledger.carried(given.path)
        return Variable(key, None, given)
    text = given.text()
    return None if text is None else Variable(key, text, given)


def collect_secrets(given: Given, container: str, work: Work) -> None:
    """Learn the literals that are secrets, before any text is written."""
    for variable in variables(given):
        value = variable.value
        if not value or not is_secret(variable.key) or open_variables(value):
            continue
        if is_no_secret(value) or is_asked(variable.key, value):
            continue
        work.asked.secret(variable.key, value, variable.given.path)
        work.holders.setdefault(container, {})[value] = variable.key


def ask_for_public(service: Given, work: Work) -> None:
    """Ask for each secret that stands in a command that no shell reads."""
    for key in ("command", "entrypoint"):
        given = service.get(key)
        words = words_of(given) if given is not None else []
        if words and not is_for_shell(words):
            for secret in work.asked.found_in(words):
                work.asked.ask_instead(secret)


def words_of(given: Given) -> list[str]:
    """Return the words of a command that is a text or a list; nothing where it is neither."""
    if given.is_list:
        return [str(entry.value) for entry in given.entries() if isinstance(entry.value, str)]
    try:
        return shlex.split(given.value) if isinstance(given.value, str) else []
    except ValueError:
        return []


def carry_environment(given: Given, container: Section, work: Work) -> None:
    """Write the environment."""
    section = part(container, "environment")
    for variable in variables(given):
        problem = template_problem(variable.value or "")
        if problem:
            variable.given.not_carried(f"`{variable.key}` cannot be set: {problem}")
            continue
        section[variable.key] = Leaf(_written(variable, work), variable.given.path)


def _written(variable: Variable, work: Work) -> str:
    key, value, path = variable.key, variable.value, variable.given.path
    asked = work.asked
    if value is None:
        return asked.templates.get(key) or asked.parameter(key, path)
    secret = asked.secrets.get(value)
    if secret is not None and is_secret(key):
        if secret.asked:
            variable.given.changed(
                f"the literal in `{key}` is asked of the operator: a command shows it to all",
            )
        else:
            variable.given.changed(
                f"the literal in `{key}` became the generated secret `{secret.name}`",
                "where the app has data already, set the secret to the value that is in use",
            )
        return asked.render(value, path, whole=True)
    if is_secret(key) and not open_variables(value):
        if not value:
            default = "" if is_optional(key) else None
            return asked.parameter(key, path, default)
        if is_asked(key, value):
            message = f"the value of `{key}` can only be known by the operator: it is asked"
            variable.given.changed(message)
            return asked.parameter(key, path)
    return asked.render(value, path)
