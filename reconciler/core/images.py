"""Which image a container is made from, and how it comes onto the box. Pure."""

import hashlib
import json
from collections.abc import Mapping

from reconciler.model.container import BuildSpec, PullPolicy
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.origin import Origin, Problem
from reconciler.model.snapshot import BuildContext

Contexts = Mapping[tuple[str, str], BuildContext | Problem]


def build_of(
    container: ContainerManifest,
    origin: Origin,
    contexts: Contexts,
) -> BuildSpec | Problem | None:
    """Return what the image is built from, None where it is pulled, or what is wrong there."""
    if container.build is None:
        return None
    context = contexts[origin.file, container.build.context]
    if isinstance(context, Problem):
        return context
    args = tuple(sorted(container.build.args.items()))
    return BuildSpec(context.path, container.build.containerfile, args, context.content)


def image_of(
    app: str,
    name: str,
    container: ContainerManifest,
    build: BuildSpec | None,
    instance: str,
) -> str:
    """Return the full name: what a short one means must not hang on the engine's settings."""
    if build is not None:
        return _tag(app, name, build, instance)
    return container.image.canonical if container.image else ""


def _tag(app: str, name: str, build: BuildSpec, instance: str) -> str:
    """Return the name of a built image: other content, other name, so it is built exactly once."""
    made_of = json.dumps([build.content, build.containerfile, build.args])
    content = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    return f"localhost/{instance}/{app}-{name}:{content}"


def pull_policy_of(container: ContainerManifest) -> PullPolicy:
    """Return when it is fetched: what has to be signed is fetched like anything else."""
    if container.pull_policy == "verify-signature":
        return PullPolicy.IF_NOT_PRESENT
    return PullPolicy(container.pull_policy)
