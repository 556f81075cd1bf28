"""What is shared while one file is imported."""

from collections.abc import Callable

from msgspec import Struct, field

from reconciler.importing.asking import Asked
from reconciler.importing.ledger import Ledger
from reconciler.importing.names import unlike, volume_name
from reconciler.importing.tree import Section


class Work(Struct):
    """One import: what it says, asks and makes."""

    ledger: Ledger
    asked: Asked
    app: Section
    current: str = ""  # the container that is being made
    own_names: frozenset[str] = frozenset()  # by which folders of other systems call the app
    names: dict[str, str] = field(default_factory=dict[str, str])  # container of each service
    volumes: dict[str, str] = field(default_factory=dict[str, str])  # name of each source
    binds: dict[str, str] = field(default_factory=dict[str, str])  # named, and a folder in truth
    contents: dict[str, str] = field(default_factory=dict[str, str])  # of configs, by their name
    has_folder: Callable[[str], bool] = lambda _: False  # beside the file
    holders: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def volume(self, source: str, wanted: str) -> str:
        """Return the name of the volume for a source: the same for the same source."""
        if source not in self.volumes:
            self.volumes[source] = unlike(volume_name(wanted), set(self.volumes.values()))
        return self.volumes[source]


def template_problem(text: str) -> str:
    """Say why a text cannot stand where templates are filled in; nothing where it can."""
    if "{{" in text or "}}" in text:
        return "`{{` and `}}` mark templates in a manifest, and cannot be written as text"
    return ""
