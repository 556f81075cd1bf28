"""A running container's address, as the kernel has it: no engine has to be asked."""

import re

from reconciler.drivers.podman.liveness import read_all
from reconciler.model.observed import ObservedContainer

_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")


class Addresses:
    """Remembers what was read, for as long as the same process runs in the same networks."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def of(self, container: ObservedContainer) -> str:
        """Return the first address that is not the loopback's; empty where there is none."""
        run = (container.pid, container.process_start, container.networks)
        known = self._known.get(container.ref)
        if known is not None and known[0] == run:
            return known[1]
        found = address_in(read_all(container.pid, "net/fib_trie"))
        if found:
            self._known[container.ref] = (run, found)
        return found

    def forget(self, refs: frozenset[str]) -> None:
        """Know nothing any more of containers but these."""
        for gone in self._known.keys() - refs:
            self._known.pop(gone, None)


def address_in(table: str) -> str:
    """Return the first address in a routing table of proc(5) that is the container's own."""
    found = (each for each in _LOCAL.findall(table) if not each.startswith("127."))
    return next(found, "")
