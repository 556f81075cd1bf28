"""The texts of a container (commands, variables, files) with their templates filled in. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.core.filling import Scope, fill, fill_plain
from reconciler.model.container import ContainerSpec, FileSpec
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.files import home
from reconciler.model.secret import SecretRef, SecretText, is_plain, plain


def filled_in(
    spec: ContainerSpec,
    manifest: AppManifest,
    container: ContainerManifest,
    scope: Scope,
) -> ContainerSpec:
    """Return the spec with the texts of its container. Raises FillingError."""
    variables = _variables(container, scope)
    files = _files(spec.name, manifest, scope)
    texts = (*variables.values(), *(file.content for file in files))
    named = {p for text in texts for p in text if isinstance(p, SecretRef)}
    return replace(
        spec,
        command=_words(container.command, scope),
        entrypoint=_words(container.entrypoint, scope),
        environment=tuple(sorted((k, plain(v)) for k, v in variables.items() if is_plain(v))),
        secret_environment=tuple(sorted((k, v) for k, v in variables.items() if not is_plain(v))),
        files=files,
        secrets=tuple(sorted({ref.name for ref in named if ref.app == spec.app})),
    )


def _words(words: tuple[str, ...] | None, scope: Scope) -> tuple[str, ...] | None:
    return None if words is None else tuple(fill_plain(word, scope) for word in words)


def _variables(container: ContainerManifest, scope: Scope) -> Mapping[str, SecretText]:
    variables = {key: fill(value, scope) for key, value in container.environment.items()}
    variables |= {derived.key: fill(derived.template, scope) for derived in container.derived_env}
    hidden = {v.key: (SecretRef(scope.app, v.secret),) for v in container.secret_env}
    return {**variables, **hidden}


def _files(name: str, manifest: AppManifest, scope: Scope) -> tuple[FileSpec, ...]:
    """A file belongs to the container whose volume it lies in."""
    if not manifest.files:
        return ()
    containers = manifest.container_map()
    files: list[FileSpec] = []
    for file in manifest.files:
        place = home(file.path, containers)
        if place is not None and place[0] == name:
            below = file.path.removeprefix(place[1].rstrip("/") + "/")
            content = fill(file.content, scope)
            files.append(FileSpec(place[1], below, content, file.overwrite))
    return tuple(sorted(files, key=lambda f: (f.mount, f.path)))
