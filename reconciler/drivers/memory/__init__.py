"""
A complete container engine in memory: the fake that tests and demonstrations run against.

`World` is the machine and outlives every `MemoryDriver`, so that a test can end a reconciler and
begin another one on what the first one left. It passes the same contract tests as Podman.
"""

from reconciler.drivers.memory.driver import MemoryDriver
from reconciler.drivers.memory.waking import Call, Moment
from reconciler.drivers.memory.world import World

__all__ = ["Call", "MemoryDriver", "Moment", "World"]
