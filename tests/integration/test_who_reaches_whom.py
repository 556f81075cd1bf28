"""For any apps and connections: what is reached from inside is what is declared, exactly."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from builders import app, desired, observed, situation
from contract.machines import PodmanMachine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from integration.street import OTHER, PORT, Street
from msgspec.structs import replace

from reconciler.core.relations import Surroundings, isolation_of
from reconciler.model.desired import Connection
from reconciler.model.isolation import Egress
from reconciler.model.trial import MACHINE, Target

pytestmark = pytest.mark.podman

APPS = ("a", "b", "c", "d", "e")
PORTS = (PORT, OTHER)
OURSELVES = Target(MACHINE, 22)


@pytest.fixture(scope="module")
def street(busybox_image, podman_socket, tmp_path_factory):
    machine = PodmanMachine(busybox_image, tmp_path_factory.mktemp("street"), podman_socket)
    made = Street(machine)
    for each in APPS:
        made.build(each)
    yield made
    for each in APPS:
        machine.driver.forget_isolation(each)
    machine.close()


PAIRS = [(a, b, port) for a in APPS for b in APPS if a != b for port in PORTS]


@given(
    declared=st.sets(st.sampled_from(PAIRS), max_size=8),
    egress=st.fixed_dictionaries({a: st.sampled_from(Egress) for a in APPS}),
    there=st.sets(st.sampled_from(APPS), min_size=2),
)
@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.generate,),  # each takes seconds: nobody waits for a smaller one
    suppress_health_check=list(HealthCheck),
)
def test_what_is_reached_is_what_is_declared(street, declared, egress, there):
    declared = {(a, b, port) for a, b, port in declared if {a, b} <= there}
    enforce(street, declared, egress, there)
    with ThreadPoolExecutor(len(APPS)) as pool:
        measured = list(pool.map(lambda a: measure(street, a, there), sorted(there)))
    assert set().union(*(reached for reached, _ in measured)) == declared
    assert not any(machine for _, machine in measured)


def enforce(street, declared, egress, there):
    """What the core makes of documents is what is loaded."""
    specs = []
    for each in sorted(there):
        ports = {b: tuple(p for a, o, p in declared if (a, o) == (each, b)) for b in APPS}
        connections = tuple(Connection(b, found) for b, found in ports.items() if found)
        spec = app(each, connections=connections, egress=egress[each])
        specs.append(replace(spec, network=replace(spec.network, interface=f"{each}-br")))
    around = Surroundings(situation(desired(*specs), observed()))
    for gone in set(APPS) - there:
        street.machine.driver.forget_isolation(gone)
    for spec in specs:
        street.machine.driver.isolate(isolation_of(spec, around))


def measure(street, each, there):
    """Return whom an app reaches, and whether it reaches the machine."""
    asked = [(each, b, port) for b in sorted(there) if b != each for port in PORTS]
    targets = [Target(street.address(b), port) for _, b, port in asked]
    ref = street.machine.see(street.houses[each]).ref
    machine, *found = street.machine.driver.reach(ref, (OURSELVES, *targets))
    reached = {pair for pair, reach in zip(asked, found, strict=True) if reach.arrived}
    return reached, machine.arrived
