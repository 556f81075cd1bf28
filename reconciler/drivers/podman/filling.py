"""Secrets are filled in at the last moment: what is revealed goes to Podman and nowhere else."""

from msgspec.structs import replace

from reconciler.model.container import ContainerSpec
from reconciler.model.secret import SecretText
from reconciler.ports import Secrets


def revealed(container: ContainerSpec, secrets: Secrets) -> ContainerSpec:
    """Return the container with its secret variables among the others. Raises SecretError."""
    secret = tuple((key, reveal(text, secrets)) for key, text in container.secret_environment)
    environment = tuple(sorted((*container.environment, *secret)))
    return replace(container, environment=environment, secret_environment=())


def reveal(text: SecretText, secrets: Secrets) -> str:
    """Return the text with its secrets. Raises SecretError."""
    return "".join(piece if isinstance(piece, str) else secrets.read(piece) for piece in text)
