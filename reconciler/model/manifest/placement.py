"""
Where the keys of a container are written: at itself, or at the app where it is the only one.

One answer for both readers: what a container has in the end, and which place to name in an error.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from reconciler.model.manifest.complaint import Complaint, Path
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.security import AppSecurityManifest

MAIN: Final = "main"
APP_LEVEL: Final = (
    "ports",
    "volumes",
    "environment",
    "security",
    "resources",
    "devices",
    "health_check",
)


class Placement(Struct, frozen=True):
    """The containers as written, and the app-level keys that belong to one of them."""

    container: ContainerManifest | None
    containers: Mapping[str, ContainerManifest]
    app_level: Mapping[str, Any]

    def path(self, name: str, key: str) -> Path:
        """Return where a container's key is written."""
        if key in self.app_level and len(self._written()) == 1:
            return (key,)
        return (*self._prefix(name), key)

    def merged(self) -> Mapping[str, ContainerManifest]:
        """Return the containers with everything that belongs to them."""
        written = self._written()
        alone = len(written) == 1
        return MappingProxyType({name: self._whole(c, alone) for name, c in written.items()})

    def complaints(self) -> Iterator[Complaint]:
        """Tell which app-level keys have no container, or one that has the key itself."""
        written = self._written()
        for key in self.app_level:
            if len(written) != 1:
                message = f"`{key}` belongs to one container, and this app has several"
                hint = f"move it to `app.containers.<name>.{key}`"
                yield Complaint((key,), message, hint, at_key=True)
                continue
            (name, container) = next(iter(written.items()))
            if key in container.model_fields_set:
                there = ".".join(("app", *map(str, self._prefix(name)), key))
                message = f"`app.{key}` and `{there}` say the same twice"
                yield Complaint((key,), message, f"keep `{there}`", at_key=True)
        yield from self._complaints_about_users()

    def _complaints_about_users(self) -> Iterator[Complaint]:
        merged = self.merged()
        for name, container in self._written().items():
            if container.user is not None and merged[name].security.user is not None:
                path = (*self.path(name, "security"), "user")
                message = "`user` is given twice, by the container and under `security`"
                yield Complaint(path, message, "remove one", at_key=True)

    def _written(self) -> Mapping[str, ContainerManifest]:
        return self.containers if self.container is None else {MAIN: self.container}

    def _prefix(self, name: str) -> Path:
        return ("containers", name) if self.container is None else ("container",)

    def _whole(self, container: ContainerManifest, alone: bool) -> ContainerManifest:
        more: dict[str, Any] = {}
        for key, value in self.app_level.items() if alone else ():
            more[key] = value.of_container() if isinstance(value, AppSecurityManifest) else value
        security = more.get("security", container.security)
        if container.user is None and security.user is not None:
            more["user"] = security.user
        return container.model_copy(update=more) if more else container
