"""Secrets in memory, for worlds that are not real. Implements `ports.Secrets`."""

from reconciler.errors import SecretError
from reconciler.model.secret import SecretRef, SecretSpec, SecretText


class MemorySecrets:
    """Each secret gets another value, which says whose it is."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}
        self.made = 0

    def ensure(self, secret: SecretSpec) -> None:
        """Have it."""
        if (secret.app, secret.name) not in self.values:
            self.made += 1
            self.values[secret.app, secret.name] = f"value-{self.made}"

    def read(self, ref: SecretRef) -> str:
        """Return it, or its hash."""
        if (ref.app, ref.name) not in self.values:
            raise SecretError(f"cannot read the secret {ref.name} of {ref.app}: it is not there")
        value = self.values[ref.app, ref.name]
        return f"hash-of-{value}" if ref.hashed else value

    def reveal(self, text: SecretText) -> str:
        """Return a text with its secrets."""
        return "".join(p if isinstance(p, str) else self.read(p) for p in text)
