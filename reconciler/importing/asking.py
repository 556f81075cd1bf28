"""What the operator is asked, and what is made up once: parameters and generated secrets."""

import re
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.importing.interpolation import fill
from reconciler.importing.names import parameter_name, secret_name, unlike
from reconciler.importing.secrets import is_distinctive, is_secret
from reconciler.importing.tree import Leaf, Section
from reconciler.model.manifest.complaint import Path

_LARAVEL: Final = "base64:"
_LONGEST_QUESTION: Final = 200
_CREDENTIALS: Final = re.compile(
    r"(?P<before>(?:[a-zA-Z][\w+.-]*://)?[^\s/:@'\"]*:)(?P<word>[^\s/@]+)@"
)
_FLAGS: Final = r"--?(?:requirepass|masterauth|pass\w*|pwd|auth|secret|token|a|p)"
_FLAG: Final = re.compile(_FLAGS)
_BEFORE: Final = rf"((?:^|\s){_FLAGS}[=\s]?['\"]?|(?:pass\w*|pwd|secret|token)\s*=\s*['\"]?)"


class Secret(Struct, frozen=True):
    """A literal that is replaced, and what by."""

    name: str
    literal: str
    key: str  # the variable that named it
    path: Path
    asked: str = ""  # the parameter that it became

    @property
    def template(self) -> str:
        """What stands in the manifest instead of the literal."""
        if self.asked:
            return self.asked
        prefix = _LARAVEL if self.literal.startswith(_LARAVEL) else ""
        return f"{prefix}{{{{ secrets.{self.name} }}}}"

    @property
    def kind(self) -> str:
        """How the secret is made."""
        return "base64" if self.literal.startswith(_LARAVEL) else "hex32"


class Asked(Struct):
    """Everything that has no value yet, each once."""

    templates: dict[str, str] = field(default_factory=dict[str, str])
    made_on_use: dict[str, str] = field(default_factory=dict[str, str])  # secrets of variables
    questions: dict[str, str] = field(default_factory=dict[str, str])
    parameters: dict[str, Leaf] = field(default_factory=dict[str, Leaf])
    secrets: dict[str, Secret] = field(default_factory=dict[str, Secret])
    made: dict[str, Leaf] = field(default_factory=dict[str, Leaf])

    def secret(self, key: str, literal: str, path: Path) -> Secret:
        """Return the secret that stands for a literal; the first variable names it."""
        if literal not in self.secrets:
            name = unlike(secret_name(key), self.made)
            secret = Secret(name, literal, key, path)
            self.secrets[literal] = secret
            self.made[name] = Leaf({"name": name, "kind": secret.kind}, path)
        return self.secrets[literal]

    def about_literals(self, text: str) -> str:
        """Return a hint to people, and where to find what replaced the literals that it names."""
        used = sorted({s.name for s in self.secrets.values() if s.literal in text and not s.asked})
        if not used:
            return text
        names = ", ".join(used)
        return f"{text}\n\nPasswords were made anew: see `archipelago secret` for {names}."

    def named_secret(self, name: str, path: Path) -> str:
        """Return the template of a secret that the other system made by itself."""
        if name not in self.made:
            self.made[name] = Leaf({"name": name, "kind": "hex32"}, path)
        return f"{{{{ secrets.{name} }}}}"

    def parameter(self, variable: str, path: Path, default: str | None = None) -> str:
        """Return the template of what the operator is asked."""
        name = parameter_name(variable)
        if name not in self.parameters:
            kind = "password" if is_secret(variable) else "text"
            entry: Section = {"name": name, "type": kind}
            if default is None:
                entry["required"] = True
            else:
                entry["default"] = default
            if question := self.questions.get(variable, "").strip():
                entry["description"] = " ".join(question.split())[:_LONGEST_QUESTION]
            self.parameters[name] = Leaf(entry, path)
        return f"{{{{ parameters.{name} }}}}"

    def render(self, text: str, path: Path, *, whole: bool = False) -> str:
        """Return a text with a template for each secret in it and each open variable."""
        if whole and text in self.secrets:
            return self.secrets[text].template
        text = self._without_literals(text)
        return fill(text, lambda name: self._variable(name, path))

    def render_words(self, words: list[str], path: Path) -> list[str]:
        """Return the words of a command with a template for each secret and open variable."""
        for secret in self.found_in(words):
            words = self._in_words(words, secret, secret.template)
        return [fill(word, lambda name: self._variable(name, path)) for word in words]

    def found_in(self, words: list[str]) -> list[Secret]:
        """Return the secrets whose literals stand in the words of a command."""
        longest_first = sorted(self.secrets.values(), key=lambda s: -len(s.literal))
        return [s for s in longest_first if self._in_words(words, s, "\0") != words]

    def with_mark(self, words: list[str], secret: Secret, key: str) -> list[str]:
        """Return words with an open variable for a secret's literal."""
        return self._in_words(words, secret, f"\0{key}\0")

    def ask_instead(self, secret: Secret) -> None:
        """Ask for a secret that stands in a command, where none that is made may be seen."""
        self.made.pop(secret.name, None)
        template = self.parameter(secret.key, secret.path)
        self.secrets[secret.literal] = replace(secret, asked=template)

    def _in_words(self, words: list[str], secret: Secret, by: str) -> list[str]:
        return [
            by
            if word == secret.literal and _FLAG.fullmatch(flag)
            else self._replaced(word, secret, by)
            for flag, word in zip(["", *words], words, strict=False)
        ]

    def _without_literals(self, text: str) -> str:
        for secret in sorted(self.secrets.values(), key=lambda s: -len(s.literal)):
            text = self._replaced(text, secret, secret.template)
        return text

    def _replaced(self, text: str, secret: Secret, by: str) -> str:
        def in_address(match: re.Match[str]) -> str:
            word = by if match["word"] == secret.literal else match["word"]
            return f"{match['before']}{word}@"

        if secret.literal not in text:
            return text
        text = _CREDENTIALS.sub(in_address, text)
        after_flag = rf"{_BEFORE}{re.escape(secret.literal)}(?![A-Za-z0-9])"
        text = re.sub(after_flag, lambda match: f"{match[1]}{by}", text, flags=re.IGNORECASE)
        if not is_distinctive(secret.literal):
            return text
        found = rf"(?<![A-Za-z0-9]){re.escape(secret.literal)}(?![A-Za-z0-9])"
        return re.sub(found, lambda _: by, text)

    def _variable(self, name: str, path: Path) -> str:
        if name in self.templates:
            return self.templates[name]
        if name in self.made_on_use:
            return self.named_secret(self.made_on_use[name], path)
        return self.parameter(name, path)
