"""What was adopted, in a world of memory."""

from reconciler.errors import DriverRejected
from reconciler.model.adoption import Adoptions


class MemoryInventory:
    """Implements `ports.Inventory`. While `broken` says why, it cannot be read."""

    def __init__(self) -> None:
        self.broken = ""
        self._known = Adoptions()

    def adoptions(self) -> Adoptions:
        """Return all of it."""
        if self.broken:
            raise DriverRejected(self.broken)
        return self._known

    def adopt(self, more: Adoptions) -> None:
        """Remember these besides."""
        self._known = Adoptions(
            {**self._known.containers, **more.containers},
            {**self._known.volumes, **more.volumes},
        )

    def forget(self, ref: str) -> None:
        """Know nothing any more of what is gone."""
        containers = {k: v for k, v in self._known.containers.items() if k != ref}
        volumes = {k: v for k, v in self._known.volumes.items() if k != ref}
        self._known = Adoptions(containers, volumes)
