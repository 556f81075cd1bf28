"""
Where Podman 4.3 and Podman 5.4 differ in what this driver uses. Pure.

| | 4.3 | 5.4 | here |
|---|---|---|---|
| create, its image missing | 500 | 404 | refused: the words are the same |
| a pull that fails | 200, and a line says so | 404 or 500 | refused, whichever it is |
| update, no health check | fine | refused if the check's timeout is under 1 s | always one given |
| digest of what came from an index | the index's | the image's | either pins the same image |
| an app's own resolvers | in resolv.conf | asked by the network's name server | either will do |
| a bridge's address | its ports' | pinned by netavark | pinned again: the same |
| a container without its monitor | removed | removed at the second try | tried again |

The version is not asked for: what is here is right for both, and so for those between them, and
for the container that was made under one and lives on under the other.
"""

from reconciler.errors import DriverConflict, DriverError, DriverRejected

# The timeout of a check that is never run.
NO_HEALTH_CHECK: dict[str, object] = {"Test": ["NONE"], "Timeout": 1_000_000_000}
# The same in an update: older containers were made without it. Podman 4 takes no notice.
KEEP_UNCHECKED: dict[str, object] = {"health_timeout": "1s"}

_IMAGE_MISSING = "image not known"


def cannot_create(error: DriverError) -> DriverError:
    """Return what a refused create means: without its image it is refused, and no conflict."""
    if isinstance(error, DriverConflict) and _IMAGE_MISSING in str(error):
        return DriverRejected(str(error))
    return error


def cannot_pull(error: DriverError) -> DriverError:
    """Return what a pull means that was refused at once: what a registry lacks is no conflict."""
    return DriverRejected(str(error)) if isinstance(error, DriverConflict) else error
