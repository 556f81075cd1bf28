"""Secrets in the words of a command: a shell takes them from variables, others cannot have any."""

import re
from typing import Final

from reconciler.importing.given import Given
from reconciler.importing.interpolation import fill, open_variables
from reconciler.importing.names import parameter_name, unlike
from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.work import Work

_SHELL: Final = re.compile(r"(?:/(?:usr/)?bin/)?(?:ba|da|a|z)?sh")
_PLAIN_WORD: Final = re.compile("[A-Za-z0-9_./:=@%+\0-]+")
_SPECIAL: Final = re.compile(r'[$`"\\]')


def is_for_shell(words: list[str]) -> bool:
    """Tell whether a shell reads the last word as its text."""
    return len(words) > 1 and bool(_SHELL.fullmatch(words[0])) and words[-2] in {"-c", "-ec"}


def with_marks(given: Given, words: list[str], container: Section, work: Work) -> list[str]:
    """Return words with an open variable for each secret; the container has all of them."""
    environment = part(container, "environment")
    holders = work.holders.setdefault(work.current, {})
    for name in dict.fromkeys(name for word in words for name in open_variables(word)):
        if name not in environment:
            environment[name] = Leaf(work.asked.parameter(name, given.path), given.path)
    for secret in work.asked.found_in(words):
        if secret.literal not in holders:
            key = unlike(parameter_name(secret.name), environment, "_")
            holders[secret.literal] = key
            environment[key] = Leaf(secret.template, given.path)
        given.changed("a shell takes the secret from a variable instead of the literal")
        words = work.asked.with_mark(words, secret, holders[secret.literal])
    return words


def shell_text(words: list[str]) -> str:
    """Return marked words as one text for a shell."""
    return from_variables(" ".join(map(_quoted, words)))


def from_variables(text: str) -> str:
    """Return a shell's text with its marks as variables."""
    return fill(text, lambda name: f"${{{name}}}")


def _quoted(word: str) -> str:
    """Return a word as a shell reads it, in which variables are filled in."""
    if _PLAIN_WORD.fullmatch(word):
        return word
    escaped = _SPECIAL.sub(lambda match: f"\\{match[0]}", word)
    return f'"{escaped}"'
