"""Visitors of an app that hands over: at every moment of a simulation they want an answer."""

from reconciler.drivers.memory.leading import answering
from reconciler.model.observed import ContainerState


class Visitors:
    """
    Ask at a port before and after each call of the engine, once it was answered at all.

    Whoever answers has somebody connected from then on, until he is drained.
    """

    def __init__(self, box, port=8080):
        self.box, self.port, self.failures, self.served = box, port, [], []
        self.greeted = False

    def __call__(self, moment):
        with self.box.world.lock:
            found = answering(self.box.world, self.port)
            well = found is not None and self.box.world.answer(found).ok
            if well and found.state is ContainerState.RUNNING:
                self.greeted, found.clients = True, 1
                if found.spec.image not in self.served[-1:]:
                    self.served.append(found.spec.image)
            elif self.greeted:
                self.failures.append((moment, found and found.name))

    @property
    def content(self):
        """Whether every one of them was answered to the end."""
        return not self.failures and not self.box.world.cut
