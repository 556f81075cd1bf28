"""What is to be probed and measured in the background. Pure."""

from collections.abc import Mapping

from reconciler.core.comparison import Comparison
from reconciler.model.container import HealthCheck
from reconciler.model.desired import Desired
from reconciler.model.observed import ContainerState, ObservedContainer


def to_probe(
    comparisons: Mapping[str, Comparison],
) -> dict[str, tuple[ObservedContainer, HealthCheck]]:
    """Return everything that runs and has a check, by ref."""
    return {
        seen.ref: (seen, wanted.health)
        for comparison in comparisons.values()
        for name, seen in comparison.current.items()
        for wanted in [comparison.spec.container(name)]
        if wanted is not None
        and wanted.health is not None
        and seen.state is ContainerState.RUNNING
    }


def to_measure(desired: Desired) -> dict[str, tuple[str, ...]]:
    """Return the volumes of every app that has some, whether it runs or not."""
    return {
        app: tuple(volume.name for volume in spec.volumes)
        for app, spec in desired.apps.items()
        if spec.volumes or spec.disk_limit is not None
    }
