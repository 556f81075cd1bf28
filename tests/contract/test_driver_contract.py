"""What every driver must do: each sentence of `ports.Driver` is a test here, on both machines."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contract.machines import CONFINED, PORT, Wakes, context, until
from msgspec.structs import replace

from reconciler.core.likeness import differences
from reconciler.errors import DriverConflict, DriverRejected, DriverUnavailable, SecretError
from reconciler.model.adoption import Adopted, Adoptions
from reconciler.model.container import (
    BuildSpec,
    DeviceSpec,
    FileSpec,
    HealthKind,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    PullPolicy,
    Resources,
    ShareSpec,
)
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.isolation import Egress, IsolationSpec, Lead, Passage
from reconciler.model.observed import ContainerState, Hits, Observed, ObservedNetwork
from reconciler.model.pin import Pin
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec
from reconciler.model.trial import MACHINE, Reach, Target

CREATED, RUNNING, EXITED = (
    ContainerState.CREATED,
    ContainerState.RUNNING,
    ContainerState.EXITED,
)
ISOLATED = {"network_policy": NetworkPolicy.ISOLATED}
HAS_APPARMOR = Path("/sys/kernel/security/apparmor").exists()


def networked(machine, spec_of, **changes):
    """A container in the app's own network, which is made first."""
    machine.driver.ensure_network(machine.network)
    return spec_of(network=machine.network.name, **changes)


# --- observe ---------------------------------------------------------------------------------


def test_nothing_of_ours_is_an_empty_world(machine):
    assert machine.driver.observe() == Observed()


def test_observe_tells_what_the_labels_carry(machine):
    spec = machine.spec(requires=("db", "mail"), source="notes.yaml", stop_grace_period=2.5)
    seen = machine.made(spec)
    assert (seen.app, seen.container, seen.digest) == (spec.app, spec.name, spec.digest)
    assert (seen.requires, seen.source) == (("db", "mail"), "notes.yaml")
    assert (seen.stop_grace_period, seen.image) == (2.5, spec.image)
    assert seen.image_id
    assert seen.created_at is not None
    assert seen.ref != seen.container_name


def test_observe_is_sorted_by_app_and_container_name(machine):
    for app, name in (("b", "x"), ("a", "y"), ("b", "a"), ("a", "x")):
        container_name = f"{machine.instance}-{app}-{name}"
        machine.driver.create(machine.spec(name, app=app, container_name=container_name))
    for app in ("b", "a"):
        name = f"{machine.instance}-{app}"
        machine.driver.ensure_network(NetworkSpec(name, app, f"{machine.instance[-10:]}-{app}"))
    seen = machine.driver.observe()
    assert [(c.app, c.container) for c in seen.containers] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "a"),
        ("b", "x"),
    ]
    assert [n.app for n in seen.networks] == ["a", "b"]


def test_what_began_later_is_known_within_a_second(machine):
    """Engines tell whole seconds, and an app may have to follow its dependency sooner."""
    first, second = machine.spec("first"), machine.spec("second")
    begun = [machine.running(first).process_start, machine.running(second).process_start]
    assert 0 < begun[0] < begun[1]
    machine.driver.stop(first.container_name, 0)
    assert machine.see(first).process_start == 0
    machine.driver.start(first.container_name)
    assert machine.see(first).process_start > begun[1]


def test_observe_is_complete_after_each_step_of_a_life(machine):
    spec = machine.spec()
    seen = machine.made(spec)
    assert (seen.state, seen.pid, seen.exit_code, seen.started_at) == (CREATED, 0, None, None)
    machine.driver.start(spec.container_name)
    seen = machine.see(spec)
    assert (seen.state, seen.pid > 0, seen.exit_code) == (RUNNING, True, None)
    assert seen.started_at is not None
    assert seen.finished_at is None
    machine.driver.stop(seen.ref, 0)
    seen = machine.see(spec)
    assert (seen.state, seen.pid, seen.exit_code) == (EXITED, 0, 137)
    assert seen.finished_at is not None
    machine.driver.remove(seen.ref)
    assert machine.driver.observe() == Observed()


def test_observe_tells_which_networks_a_container_is_in(machine):
    seen = machine.made(networked(machine, machine.spec))
    assert seen.networks == (machine.network.name,)
    assert machine.made(machine.spec("lone")).networks == ()


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_an_exit_code_is_told(machine, code):
    spec = machine.exiting(code, after=0.05)
    machine.running(spec)
    assert machine.becomes(spec, EXITED)
    seen = machine.see(spec)
    assert seen.exit_code == code
    assert seen.finished_at >= seen.started_at.replace(microsecond=0)


def test_a_command_that_somebody_else_runs_in_it_is_told_and_wakes(machine):
    spec, heard = machine.spec(), Wakes()
    subscription = machine.driver.subscribe(heard)
    machine.running(spec)
    heard.quiet()
    began = datetime.now(UTC)
    assert machine.see(spec).exec_at is None
    machine.exec_by_hand(spec)
    assert heard.came()
    assert until(lambda: machine.see(spec).exec_at)
    assert timedelta() <= machine.see(spec).exec_at - began < timedelta(minutes=1)
    subscription.close()


def test_our_own_checks_are_no_commands_of_somebody_elses(machine):
    spec = machine.spec()
    subscription = machine.driver.subscribe(lambda: None)
    machine.running(spec)
    for command in (("busybox", "true"), ("busybox", "false"), ("/is/not/there",)):
        machine.probe(spec, kind=HealthKind.EXEC, command=command)
    with ThreadPoolExecutor(4) as pool:
        checks = [
            pool.submit(machine.probe, spec, kind=HealthKind.EXEC, command=("busybox", "true"))
            for _ in range(8)
        ]
    assert all(check.result().ok for check in checks)
    other = machine.running(machine.spec("other"))
    machine.exec_by_hand(machine.spec("other"))  # its event comes behind those of our checks
    assert until(lambda: machine.see(machine.spec("other")).exec_at)
    assert other.exec_at is None
    assert machine.see(spec).exec_at is None
    subscription.close()


def test_limits_that_are_hit_are_counted(machine):
    spec = machine.spec(resources=Resources(memory=16 * 2**20, pids=8))
    seen = machine.running(spec)
    if seen.hits is None:
        pytest.skip("the kernel does not tell it to who is not root")
    assert seen.hits == Hits()
    machine.overreach(spec, memory=True)
    assert machine.see(spec).hits.memory > 0
    machine.overreach(spec)
    assert machine.see(spec).hits.pids > 0
    machine.driver.stop(spec.container_name, 0.0)
    assert machine.see(spec).hits is None


def test_who_makes_a_container_learns_its_id(machine):
    spec = machine.spec()
    made = machine.driver.create(spec)
    assert made == machine.see(spec).ref
    assert machine.driver.create(spec) == made


def test_a_process_that_is_killed_is_exited_or_just_ending_and_then_exited(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.kill(spec)
    states = set()

    def ended():
        states.add(machine.state(spec))
        return machine.state(spec) is EXITED

    assert until(ended)
    assert states <= {RUNNING, ContainerState.ENDING, EXITED}
    assert machine.see(spec).exit_code == 137


def test_a_process_that_nobody_watches_is_lost(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.lose(spec)
    assert machine.becomes(spec, ContainerState.LOST)
    with pytest.raises(DriverConflict):
        machine.driver.start(spec.container_name)
    machine.driver.remove(spec.container_name)
    assert machine.see(spec) is None


def test_a_paused_container_is_paused(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.pause(spec)
    assert machine.state(spec) is ContainerState.PAUSED


def test_a_container_that_was_removed_by_hand_is_gone(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.remove_by_hand(spec)
    assert machine.see(spec) is None


# --- images ----------------------------------------------------------------------------------


def test_an_image_that_is_here_is_not_fetched(machine):
    said = []
    for policy in (PullPolicy.IF_NOT_PRESENT, PullPolicy.NEVER):
        machine.driver.prepare_image(machine.spec(pull_policy=policy), said.append)
    assert said == []


def test_an_image_that_may_not_be_fetched_is_refused(machine):
    spec = machine.spec(image="localhost/nowhere:1", pull_policy=PullPolicy.NEVER)
    with pytest.raises(DriverRejected, match=r"^cannot .*localhost/nowhere:1.* never"):
        machine.driver.prepare_image(spec, lambda _: None)


def test_an_image_that_does_not_exist_is_refused(machine):
    said = []
    spec = machine.spec(image="localhost/nowhere:1")
    with pytest.raises(DriverRejected, match=r"^cannot pull localhost/nowhere:1: "):
        machine.driver.prepare_image(spec, said.append)
    assert said


def test_an_image_that_is_always_fetched_is_fetched_although_it_is_here(machine):
    spec = machine.spec(pull_policy=PullPolicy.ALWAYS)
    if machine.kind == "memory":
        machine.world.publish(machine.image, version="2")
        before = machine.world.images[machine.image]
        machine.driver.prepare_image(spec, lambda _: None)
        assert machine.world.images[machine.image] != before
    else:
        with pytest.raises(DriverRejected):  # there is no registry to fetch it from
            machine.driver.prepare_image(spec, lambda _: None)


def built(machine, directory):
    content = hashlib.sha256(machine.instance.encode()).hexdigest()
    image = f"localhost/archipelago/notes-web:{content[:12]}"
    build = BuildSpec(str(directory), "Containerfile", (), content)
    return machine.spec(image=image, build=build)


def test_an_image_is_built_once(machine, tmp_path):
    spec = built(machine, context(tmp_path / "context", "COPY hello.txt /hello.txt"))
    said = []
    machine.driver.prepare_image(spec, said.append)
    assert machine.has_image(spec.image)
    assert said
    said.clear()
    machine.driver.prepare_image(spec, said.append)
    assert said == []


def test_a_build_that_fails_says_why(machine, tmp_path):
    directory = context(tmp_path / "context", "COPY absent.txt /")
    if machine.kind == "memory":
        machine.world.break_build(str(directory), "COPY absent.txt: no such file")
    spec = built(machine, directory)
    with pytest.raises(DriverRejected, match=r"^cannot build .*absent\.txt"):
        machine.driver.prepare_image(spec, lambda _: None)
    assert not machine.has_image(spec.image)


NOWHERE = f"sha256:{'7' * 64}"


def test_what_an_image_was_taken_to_mean_is_written_down_and_told(machine):
    spec = machine.spec(image=machine.loaded("one"))
    machine.driver.prepare_image(spec, lambda _: None)
    pin = machine.ledger.pins()[spec.app, spec.name]
    assert (pin.image, pin.digest[:7]) == (spec.image, "sha256:")
    seen = machine.running(spec)
    assert (seen.image, seen.image_digest) == (spec.image, pin.digest)


def test_an_image_of_this_box_alone_is_not_pinned(machine):
    spec = machine.spec()
    machine.driver.prepare_image(spec, lambda _: None)
    assert machine.ledger.pins() == {}
    assert (machine.made(spec).image, machine.see(spec).image_digest) == (spec.image, "")


def test_a_pin_is_what_is_run_whatever_the_ledger_says(machine):
    spec = machine.spec(image=machine.loaded("one"))
    machine.driver.prepare_image(spec, lambda _: None)
    pin = machine.ledger.pins()[spec.app, spec.name]
    machine.ledger.pin((spec.app, spec.name), Pin(spec.image, NOWHERE))
    pinned = replace(spec, pin=pin.digest)
    machine.driver.prepare_image(pinned, lambda _: None)
    assert machine.made(pinned).image_digest == pin.digest


def test_a_pin_of_another_reference_is_not_run(machine):
    spec = machine.spec(image=machine.loaded("one"))
    machine.ledger.pin((spec.app, spec.name), Pin(spec.image + "2", NOWHERE))
    machine.driver.prepare_image(spec, lambda _: None)
    assert machine.made(spec).image_digest not in {"", NOWHERE}


@pytest.mark.parametrize("policy", [PullPolicy.IF_NOT_PRESENT, PullPolicy.NEVER])
def test_a_pinned_image_that_is_not_to_be_had_is_never_the_tag_instead(machine, policy):
    spec = machine.spec(image=machine.loaded("one"), pin=NOWHERE, pull_policy=policy)
    with pytest.raises(DriverRejected, match="cannot "):
        machine.driver.prepare_image(spec, lambda _: None)
    with pytest.raises(DriverRejected):
        machine.driver.create(spec)
    assert machine.see(spec) is None


def test_a_guarded_image_is_what_its_pin_says(machine):
    spec = machine.spec(image=machine.loaded("one"))
    machine.driver.prepare_image(spec, lambda _: None)
    pin = machine.ledger.pins()[spec.app, spec.name].digest
    guarded = replace(spec, pin=pin, guarded=True)
    machine.driver.prepare_image(guarded, lambda _: None)
    assert machine.running(guarded).image_digest == pin


@pytest.mark.parametrize("policy", PullPolicy)
def test_a_guarded_image_that_nobody_judged_is_not_prepared(machine, policy):
    spec = machine.spec(image=machine.loaded("one"), pull_policy=policy, guarded=True)
    with pytest.raises(DriverRejected, match="nobody has judged"):
        machine.driver.prepare_image(spec, lambda _: None)
    assert machine.ledger.pins() == {}


def test_a_guarded_image_of_this_box_is_never_fetched(machine):
    here = machine.spec(guarded=True, pull_policy=PullPolicy.ALWAYS)
    machine.driver.prepare_image(here, lambda _: None)
    absent = machine.spec(image="localhost/nobody/made:1", guarded=True)
    with pytest.raises(DriverRejected, match="not here"):
        machine.driver.prepare_image(absent, lambda _: None)


def test_a_guarded_container_is_made_of_the_image_that_was_prepared(machine):
    """Another image under a name that was verified is refused, and nothing is made of it."""
    spec = machine.spec(image=machine.loaded("one"))
    machine.driver.prepare_image(spec, lambda _: None)
    pin = machine.ledger.pins()[spec.app, spec.name].digest
    guarded = replace(spec, pin=pin, guarded=True)
    name = parse_image_reference(spec.image).at(pin)
    machine.ledger.recognised(name, "another", made=True)
    for step in (lambda: machine.driver.prepare_image(guarded, lambda _: None), None):
        with pytest.raises(DriverRejected, match="not the one that was prepared"):
            step() if step else machine.driver.create(guarded)
    assert machine.see(guarded) is None


def test_a_guarded_image_that_was_built_is_known_by_its_id(machine, tmp_path):
    spec = built(machine, context(tmp_path / "context", "COPY hello.txt /hello.txt"))
    spec = replace(spec, guarded=True)
    machine.driver.prepare_image(spec, lambda _: None)
    machine.ledger.recognised(spec.image, "another", made=True)
    with pytest.raises(DriverRejected, match="not the one that was prepared"):
        machine.driver.create(spec)


# --- networks and volumes --------------------------------------------------------------------


def test_a_network_is_made_once_and_told_with_its_app(machine):
    for _ in range(2):
        machine.driver.ensure_network(machine.network)
    name = machine.network.name
    seen = ObservedNetwork(name, machine.app, machine.network.interface)
    assert machine.driver.observe().networks == (seen,)


def test_a_network_is_removed_and_absent_is_fine(machine):
    machine.driver.ensure_network(machine.network)
    for _ in range(2):
        machine.driver.remove_network(machine.network.name)
    assert not machine.has_network(machine.network.name)


@pytest.mark.parametrize("started", [True, False])
def test_a_network_in_use_is_a_conflict(machine, started):
    spec = networked(machine, machine.spec)
    machine.driver.create(spec)
    if started:
        machine.driver.start(spec.container_name)
    with pytest.raises(DriverConflict, match="still use it"):
        machine.driver.remove_network(machine.network.name)
    assert machine.has_network(machine.network.name)
    assert machine.see(spec) is not None


def test_a_foreign_network_is_neither_used_nor_told_nor_removed(machine):
    machine.add_foreign_network(machine.network.name)
    with pytest.raises(DriverRejected, match="not ours"):
        machine.driver.ensure_network(machine.network)
    machine.driver.remove_network(machine.network.name)
    assert machine.has_network(machine.network.name)
    assert machine.driver.observe().networks == ()


def test_a_volume_is_made_once(machine):
    for _ in range(2):
        machine.driver.ensure_volume(machine.volume)
    assert machine.has_volume(machine.volume.name)


def test_a_foreign_volume_is_refused(machine):
    machine.add_foreign_volume(machine.volume.name)
    with pytest.raises(DriverRejected, match="not ours"):
        machine.driver.ensure_volume(machine.volume)


def test_volumes_survive_their_container(machine):
    machine.driver.ensure_volume(machine.volume)
    mount = MountSpec(MountKind.VOLUME, machine.volume.name, "/data")
    spec = machine.spec(mounts=(mount,))
    machine.running(spec)
    machine.driver.remove(spec.container_name)
    assert machine.see(spec) is None
    assert machine.has_volume(machine.volume.name)


def test_a_volume_takes_what_is_in_it(machine):
    machine.driver.ensure_volume(machine.volume)
    name, calm = machine.volume.name, threading.Event()
    empty = machine.driver.volume_usage(name, calm)
    assert 0 <= empty < 2**20
    machine.fill(name, "big", 3 * 2**20)
    assert 3 * 2**20 <= machine.driver.volume_usage(name, calm) - empty < 4 * 2**20
    machine.fill(name, "big", 0)
    assert machine.driver.volume_usage(name, calm) < 2**20


def test_a_volume_that_is_not_there_is_not_known(machine):
    assert machine.driver.volume_usage(machine.volume.name, threading.Event()) is None


def test_a_volume_is_not_measured_for_who_has_gone(machine):
    machine.driver.ensure_volume(machine.volume)
    stop = threading.Event()
    stop.set()
    assert machine.driver.volume_usage(machine.volume.name, stop) is None


def test_a_foreign_volume_is_not_measured(machine):
    machine.add_foreign_volume(machine.volume.name)
    with pytest.raises(DriverRejected, match="not ours"):
        machine.driver.volume_usage(machine.volume.name, threading.Event())
    other = machine.make_driver(f"{machine.instance}x")
    other.ensure_volume(VolumeSpec(f"{machine.instance}-other", machine.app))
    with pytest.raises(DriverRejected, match="not ours"):
        machine.driver.volume_usage(f"{machine.instance}-other", threading.Event())


def test_volumes_are_told_with_their_app_their_age_and_what_they_hang_on(machine):
    assert machine.driver.volumes() == ()
    before = datetime.now(UTC)
    machine.driver.ensure_volume(replace(machine.volume, secrets=("key", "password")))
    machine.driver.ensure_volume(VolumeSpec(f"{machine.instance}-cache", "a-first"))
    first, second = machine.driver.volumes()
    assert (first.name, first.app, first.secrets) == (f"{machine.instance}-cache", "a-first", ())
    assert (second.name, second.app) == (machine.volume.name, machine.app)
    assert second.secrets == ("key", "password")
    assert timedelta(0) <= first.created_at - second.created_at < timedelta(minutes=1)
    assert abs(second.created_at - before) < timedelta(minutes=1)


def test_volumes_of_others_are_not_told_and_one_that_is_only_named_so_has_no_app(machine):
    other = machine.make_driver(f"{machine.instance}-x")
    other.ensure_volume(VolumeSpec(f"{machine.instance}-x-data", machine.app))
    machine.add_foreign_volume(f"{machine.instance}strange")
    assert machine.driver.volumes() == ()
    machine.add_foreign_volume(machine.volume.name)
    (seen,) = machine.driver.volumes()
    assert (seen.name, seen.app, seen.secrets) == (machine.volume.name, "", None)


def test_a_volume_is_removed_and_absent_is_fine(machine):
    machine.driver.ensure_volume(machine.volume)
    machine.fill(machine.volume.name, "big", 10)
    for _ in range(2):
        machine.driver.remove_volume(machine.volume.name)
        assert not machine.has_volume(machine.volume.name)
    machine.driver.ensure_volume(machine.volume)
    mount = MountSpec(MountKind.VOLUME, machine.volume.name, "/data")
    assert machine.content(machine.spec(mounts=(mount,)), "/data", "big") is None


def test_a_volume_in_use_is_not_removed_and_who_uses_it_is_named(machine):
    machine.driver.ensure_volume(machine.volume)
    assert machine.driver.volume_users(machine.volume.name) == ()
    ours = machine.spec(mounts=(MountSpec(MountKind.VOLUME, machine.volume.name, "/data"),))
    machine.made(ours)
    stranger = f"{machine.instance}-a-stranger"
    machine.add_foreign_container(stranger, volume=machine.volume.name)
    assert machine.driver.volume_users(machine.volume.name) == (stranger, ours.container_name)
    machine.driver.remove(ours.container_name)
    with pytest.raises(DriverConflict, match=f"{stranger} uses it"):
        machine.driver.remove_volume(machine.volume.name)
    assert machine.has_volume(machine.volume.name)


def test_a_foreign_volume_is_not_removed(machine):
    machine.add_foreign_volume(machine.volume.name)
    with pytest.raises(DriverRejected, match="not ours"):
        machine.driver.remove_volume(machine.volume.name)
    other = machine.make_driver(f"{machine.instance}x")
    other.ensure_volume(VolumeSpec(f"{machine.instance}-other", machine.app))
    with pytest.raises(DriverRejected, match="not ours"):
        machine.driver.remove_volume(f"{machine.instance}-other")
    assert machine.has_volume(f"{machine.instance}-other")
    assert machine.has_volume(machine.volume.name)


# --- create ----------------------------------------------------------------------------------


def test_create_twice_is_create_once(machine):
    spec = machine.spec()
    first = machine.made(spec)
    assert machine.made(spec) == first


def test_create_leaves_one_that_runs_alone(machine):
    spec = machine.spec()
    before = machine.running(spec)
    assert machine.made(spec) == before


def test_create_replaces_a_half_made_one(machine):
    spec = machine.spec()
    machine.half_make(spec)
    assert machine.becomes(spec, ContainerState.BROKEN)  # the kernel takes a moment to end it
    before = machine.see(spec)
    after = machine.made(spec)
    assert after.state is CREATED
    assert after.ref != before.ref
    machine.driver.start(spec.container_name)
    assert machine.state(spec) is RUNNING


def test_create_refuses_a_name_that_somebody_else_has(machine):
    spec = machine.spec()
    machine.add_foreign_container(spec.container_name)
    with pytest.raises(DriverRejected, match=f"{spec.container_name}.*not ours"):
        machine.driver.create(spec)
    assert machine.has_container(spec.container_name)


def test_create_without_its_image_says_so(machine):
    with pytest.raises(DriverRejected, match="localhost/nowhere:1"):
        machine.driver.create(machine.spec(image="localhost/nowhere:1"))


def test_create_without_its_network_is_a_conflict(machine):
    with pytest.raises(DriverConflict, match="network"):
        machine.driver.create(machine.spec(network=machine.network.name))


# --- start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["ref", "container_name"])
def test_start_by_id_or_name_and_twice(machine, by):
    spec = machine.spec()
    ref = getattr(machine.made(spec), by)
    machine.driver.start(ref)
    first = machine.see(spec)
    machine.driver.start(ref)
    assert machine.see(spec) == first
    assert first.state is RUNNING


def test_start_again_after_an_end(machine):
    spec = machine.spec()
    first = machine.running(spec)
    machine.driver.stop(first.ref, 0)
    machine.driver.start(first.ref)
    second = machine.see(spec)
    assert (second.state, second.ref) == (RUNNING, first.ref)
    assert second.pid != first.pid
    assert (second.exit_code, second.finished_at) == (None, None)


def test_start_of_a_paused_one_lets_it_go_on(machine):
    spec = machine.spec()
    before = machine.running(spec)
    machine.pause(spec)
    machine.driver.start(spec.container_name)
    after = machine.see(spec)
    assert (after.state, after.pid) == (RUNNING, before.pid)


def test_start_of_what_is_gone_is_a_conflict(machine):
    with pytest.raises(DriverConflict, match="gone"):
        machine.driver.start("nothing-of-that-name")


def test_a_container_that_exits_at_once_was_started(machine):
    spec = machine.exiting(3)
    machine.driver.create(spec)
    machine.driver.start(spec.container_name)
    assert machine.becomes(spec, EXITED)
    assert machine.see(spec).exit_code == 3


def test_a_job_runs_to_its_end_and_may_run_again(machine):
    spec = machine.exiting(0, after=0.1)
    machine.running(spec)
    assert machine.becomes(spec, EXITED)
    machine.driver.start(spec.container_name)
    assert machine.becomes(spec, EXITED)
    assert machine.see(spec).exit_code == 0


def test_a_port_that_is_taken_is_named(machine):
    ports = (PortSpec(28431, PORT),)
    machine.running(networked(machine, machine.spec, ports=ports))
    second = machine.spec("other", network=machine.network.name, ports=ports)
    machine.driver.create(second)
    with pytest.raises(DriverRejected, match=r"port 28431.* is in use"):
        machine.driver.start(second.container_name)
    assert machine.state(second) is CREATED


# --- stop and remove -------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["stop", "remove"])
def test_stop_and_remove_of_what_is_absent(machine, verb):
    arguments = (0,) if verb == "stop" else ()
    getattr(machine.driver, verb)("nothing-of-that-name", *arguments)
    getattr(machine.driver, verb)("f" * 64, *arguments)


def test_stop_twice_and_of_one_that_never_ran(machine):
    spec = machine.spec()
    machine.driver.create(spec)
    machine.driver.stop(spec.container_name, 0)
    assert machine.state(spec) is CREATED
    machine.driver.start(spec.container_name)
    for _ in range(2):
        machine.driver.stop(spec.container_name, 0)
    assert machine.state(spec) is EXITED


def test_stop_of_a_paused_one(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.pause(spec)
    machine.driver.stop(spec.container_name, 0)
    assert machine.state(spec) is EXITED


def test_stop_asks_before_it_kills(machine):
    text = "trap 'exit 143' TERM; while true; do busybox sleep 0.05; done"
    spec = machine.script(text)
    machine.running(spec)
    until(lambda: False, 0.3)  # until the shell has set its trap
    machine.driver.stop(spec.container_name, 8)
    assert machine.see(spec).exit_code == 143


def test_remove_of_one_that_runs(machine):
    spec = machine.spec()
    machine.running(spec)
    for _ in range(2):
        machine.driver.remove(spec.container_name)
    assert machine.see(spec) is None
    assert not machine.has_container(spec.container_name)


def test_remove_of_one_that_is_half_made(machine):
    spec = machine.spec()
    machine.half_make(spec)
    machine.driver.remove(machine.see(spec).ref)
    assert machine.see(spec) is None


# --- what is not ours ------------------------------------------------------------------------


# --- what somebody else made -----------------------------------------------------------------


def by_hand(machine, spec):
    """Have somebody make what a spec asks for; return its id and name."""
    name = f"{machine.instance}-by-hand"
    return machine.add_container_like(spec, name), name


def as_ours(machine, spec):
    """Have it made by somebody and adopted; return its id and name."""
    ref, name = by_hand(machine, spec)
    told = Adopted(spec.app, spec.name, spec.digest, spec.image, requires=("db",), source="x.yml")
    machine.adopt(Adoptions({ref: told}))
    return ref, name


LIKE = {
    "nothing more": {},
    "how it runs": {
        "user": "1000",
        "working_dir": "/bin",
        "hostname": "notes",
        "init": True,
        "environment": (("A", "b"), ("EMPTY", "")),
        "stop_signal": "SIGINT",
    },
    "what it may": {
        "capabilities": ("NET_BIND_SERVICE", "CHOWN"),
        "readonly_root": True,
        "devices": (DeviceSpec("/dev/null", "/dev/nothing", "r"),),
        "seccomp_profile": "unconfined",
        "no_new_privileges": False,
    },
    "as good as root": {"privileged": True, "no_new_privileges": False},
    "how much": {
        "resources": Resources(
            cpu=0.5, memory=64 * 2**20, memory_reservation=32 * 2**20, pids=100
        ),
        "shm_size": 8 * 2**20,
    },
    "where": {
        "mounts": (
            MountSpec(MountKind.BIND, "/usr/share", "/share", ("ro",)),
            MountSpec(MountKind.TMPFS, "", "/scratch", size=2**20),
            MountSpec(MountKind.TMPFS, "", "/tmp"),
            MountSpec(MountKind.VOLUME, "VOLUME", "/data"),
        ),
    },
    "who finds it": {
        "network_policy": NetworkPolicy.ISOLATED,
        "network": "NETWORK",
        "ports": (PortSpec(18123, 80), PortSpec(18124, 53, "udp", "0.0.0.0")),
        "extra_hosts": (("db", "192.0.2.7"),),
        "dns": ("192.0.2.53",),
    },
    "the machine's network": {"network_policy": NetworkPolicy.HOST},
}


@pytest.mark.parametrize("what", LIKE)
def test_what_is_made_as_a_spec_asks_shows_no_difference(machine, what):
    changes = {"network_policy": NetworkPolicy.NONE, **LIKE[what]}
    if "network" in changes:
        machine.driver.ensure_network(machine.network)
        changes["network"] = machine.network.name
    if "mounts" in changes:
        machine.driver.ensure_volume(machine.volume)
        changes["mounts"] = tuple(
            replace(m, source=machine.volume.name) if m.source == "VOLUME" else m
            for m in changes["mounts"]
        )
    spec = machine.spec(**changes)
    ref, name = by_hand(machine, spec)
    (facts,) = machine.driver.examine((name, "nobody"))
    assert (facts.ref, facts.name, facts.instance) == (ref, name, "")
    assert differences(spec, facts) == ()
    assert machine.driver.examine((ref,)) == (facts,)
    assert machine.driver.observe().containers == ()


def test_ours_is_told_as_ours_to_who_examines(machine):
    spec = machine.spec()
    machine.made(spec)
    (facts,) = machine.driver.examine((spec.container_name,))
    assert facts.instance == machine.instance
    assert machine.driver.examine(()) == ()


def test_what_was_adopted_is_observed_as_ours_as_it_runs(machine):
    spec = machine.spec()
    ref, name = as_ours(machine, spec)
    (seen,) = machine.driver.observe().containers
    assert (seen.ref, seen.container_name, seen.state) == (ref, name, RUNNING)
    assert (seen.app, seen.container, seen.digest) == (spec.app, spec.name, spec.digest)
    assert (seen.image, seen.requires, seen.source) == (spec.image, ("db",), "x.yml")
    assert machine.make_driver(machine.instance).observe().containers[0].ref == ref


def test_what_was_adopted_is_stopped_started_and_removed_as_ours(machine):
    ref, name = as_ours(machine, machine.spec())
    driver = machine.driver
    driver.stop(ref, 0)
    assert driver.observe().containers[0].state is EXITED
    driver.start(name)
    assert driver.observe().containers[0].state is RUNNING
    driver.remove(ref)
    assert not machine.has_container(name)
    assert driver.observe().containers == ()
    assert machine.driver.examine((name,)) == ()


def test_what_somebody_made_is_not_touched_by_what_was_adopted(machine):
    as_ours(machine, machine.spec())
    name = f"{machine.instance}-stranger"
    ref = machine.add_container_like(machine.spec(), name)
    for touch in (machine.driver.remove, lambda r: machine.driver.stop(r, 0)):
        touch(ref)
        touch(name)
    (facts,) = machine.driver.examine((name,))
    assert facts.ref == ref
    assert [c.ref for c in machine.driver.observe().containers] != [ref]


def test_another_instances_container_is_not_ours_whatever_the_inventory_says(machine):
    name = f"{machine.instance}-other"
    machine.add_foreign_container(name, f"{machine.instance}x")
    (facts,) = machine.driver.examine((name,))
    machine.adopt(Adoptions({facts.ref: Adopted("notes", "web", "1-x", machine.image)}))
    assert machine.driver.observe() == Observed()
    machine.driver.remove(facts.ref)
    assert machine.has_container(name)


def test_a_volume_that_was_adopted_is_ours(machine):
    name = machine.volume.name
    machine.add_foreign_volume(name)
    machine.adopt(Adoptions(volumes={name: machine.app}))
    machine.driver.ensure_volume(machine.volume)
    assert [(v.name, v.app) for v in machine.driver.volumes()] == [(name, machine.app)]
    assert machine.driver.volume_usage(name, threading.Event()) is not None
    machine.driver.remove_volume(name)
    assert not machine.has_volume(name)
    machine.add_foreign_volume(name)
    with pytest.raises(DriverRejected, match="is not ours"):
        machine.driver.ensure_volume(machine.volume)


def test_a_foreign_container_is_never_touched(machine):
    name = f"{machine.instance}-foreign"
    machine.add_foreign_container(name)
    assert machine.driver.observe() == Observed()
    with pytest.raises(DriverConflict):
        machine.driver.start(name)
    machine.driver.stop(name, 0)
    machine.driver.remove(name)
    with pytest.raises(DriverConflict):
        machine.driver.logs(name, tail=None, follow=False)
    assert machine.has_container(name)


def test_two_instances_never_see_each_other(machine):
    other = machine.make_driver(f"{machine.instance}-other")
    spec = networked(machine, machine.spec)
    machine.running(spec)
    machine.driver.ensure_volume(machine.volume)
    assert other.observe() == Observed()
    other.stop(spec.container_name, 0)
    other.remove(spec.container_name)
    other.remove_network(machine.network.name)
    with pytest.raises(DriverConflict):
        other.start(spec.container_name)
    for refused in (
        lambda: other.create(spec),
        lambda: other.ensure_network(machine.network),
        lambda: other.ensure_volume(VolumeSpec(machine.volume.name, machine.app)),
    ):
        with pytest.raises(DriverRejected, match="not ours"):
            refused()
    assert machine.state(spec) is RUNNING


def test_an_instance_whose_name_begins_like_ours_is_another(machine):
    machine.add_foreign_container(f"{machine.instance}-x", f"{machine.instance}x")
    assert machine.driver.observe() == Observed()


# --- probes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["none", "isolated"])
def test_probes_of_a_server_that_is_well(machine, where):
    spec = networked(machine, machine.serving) if where == "isolated" else machine.serving()
    machine.running(spec)
    http = {"kind": HealthKind.HTTP, "path": "/index.html"}
    assert until(lambda: machine.probe(spec, **http).ok), machine.probe(spec, **http)
    assert machine.probe(spec).ok
    assert machine.probe(spec, kind=HealthKind.EXEC, command=("busybox", "true")).ok


def test_a_server_that_answers_badly_is_not_well(machine):
    spec = machine.serving()
    machine.running(spec)
    assert until(lambda: machine.probe(spec).ok)
    machine.answers(spec, ok=False, message="answers 404")
    result = machine.probe(spec, kind=HealthKind.HTTP, path="/absent")
    assert (result.ok, result.message) == (False, "answers 404")


def test_nobody_who_listens_is_not_well(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.answers(spec, ok=False, message="connection refused")
    for kind in (HealthKind.HTTP, HealthKind.TCP):
        result = machine.probe(spec, kind=kind)
        assert (result.ok, result.message) == (False, "connection refused")


def test_a_command_that_fails_tells_its_last_line(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.answers(spec, ok=False, message="exit code 3: worse")
    script = ("busybox", "sh", "-c", "echo bad; echo worse; exit 3")
    result = machine.probe(spec, kind=HealthKind.EXEC, command=script)
    assert (result.ok, result.message) == (False, "exit code 3: worse")


def test_a_command_over_its_time_is_not_well(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.answers(spec, ok=False, message="no answer within 0.5 s")
    result = machine.probe(
        spec,
        kind=HealthKind.EXEC,
        command=("busybox", "sleep", "77"),
        timeout=0.5,
    )
    assert (result.ok, result.message) == (False, "no answer within 0.5 s")


@pytest.mark.parametrize("kind", list(HealthKind))
def test_a_container_that_does_not_run_is_not_well(machine, kind):
    spec = machine.spec()
    machine.running(spec)
    seen = machine.see(spec)
    machine.driver.stop(seen.ref, 0)
    assert not machine.probe(spec, kind=kind, command=("busybox", "true")).ok
    machine.driver.remove(seen.ref)
    check = {"kind": kind, "command": ("busybox", "true")}
    machine.see = lambda _: seen  # as a prober that was told before it went
    assert not machine.probe(spec, **check).ok


# --- logs ------------------------------------------------------------------------------------


def test_logs_are_lines(machine):
    spec = machine.printing("one", "two ü", "three")
    machine.running(spec)
    assert machine.becomes(spec, EXITED)
    read = list(machine.driver.logs(spec.container_name, tail=None, follow=False))
    assert read == ["one", "two ü", "three"]
    assert list(machine.driver.logs(spec.container_name, tail=2, follow=False)) == read[1:]
    assert list(machine.driver.logs(spec.container_name, tail=0, follow=False)) == []


def test_logs_that_are_followed_end_with_the_container(machine):
    spec = machine.printing("one", "two")
    machine.running(spec)
    found = []
    reader = threading.Thread(
        target=lambda: found.extend(
            machine.driver.logs(spec.container_name, tail=None, follow=True),
        ),
    )
    reader.start()
    reader.join(15)
    assert not reader.is_alive()
    assert found == ["one", "two"]


def test_logs_that_are_followed_come_as_they_are_printed(machine):
    spec = machine.printing("one", "two", then_ends=False)
    machine.running(spec)
    lines = machine.driver.logs(spec.container_name, tail=None, follow=True)
    assert [next(lines), next(lines)] == ["one", "two"]
    assert machine.state(spec) is RUNNING
    lines.close()


def test_logs_of_what_is_gone_are_a_conflict(machine):
    with pytest.raises(DriverConflict, match="gone"):
        list(machine.driver.logs("nothing-of-that-name", tail=None, follow=False))


# --- subscribe -------------------------------------------------------------------------------


@pytest.fixture
def wakes(machine):
    """Wake-ups of a subscription that is at rest."""
    heard = Wakes()
    subscription = machine.driver.subscribe(heard)
    heard.quiet()
    yield heard
    subscription.close()


def test_a_start_wakes(machine, wakes):
    spec = machine.spec()
    machine.driver.create(spec)
    wakes.quiet()
    machine.driver.start(spec.container_name)
    assert wakes.came()


def test_the_end_of_a_process_wakes(machine, wakes):
    spec = machine.spec()
    machine.running(spec)
    wakes.quiet()
    machine.kill(spec)
    assert wakes.came()


def test_a_removal_by_hand_wakes(machine, wakes):
    spec = machine.spec()
    machine.running(spec)
    wakes.quiet()
    machine.remove_by_hand(spec)
    assert wakes.came()


def test_no_wake_up_comes_after_close(machine):
    heard = Wakes()
    subscription = machine.driver.subscribe(heard)
    spec = machine.spec()
    machine.running(spec)
    assert heard.came()
    subscription.close()
    heard.moments.clear()
    machine.kill(spec)
    machine.driver.remove(spec.container_name)
    assert not heard.came(0.4)
    subscription.close()


def test_a_wake_up_may_close_its_own_subscription_and_others(machine):
    count, subscriptions = [], []

    def wake():
        count.append(1)
        for subscription in subscriptions:
            subscription.close()

    heard = Wakes()
    first = machine.driver.subscribe(heard)
    heard.quiet()  # the first connection wakes as well
    first.close()
    heard.moments.clear()
    subscriptions.append(machine.driver.subscribe(lambda: subscriptions and wake()))
    subscriptions.append(machine.driver.subscribe(lambda: len(subscriptions) > 1 and wake()))
    machine.running(machine.spec())
    assert until(lambda: count, 5)
    # Both may have been woken at once, and then each waits for the other for a while.
    until(lambda: len(count) > 1, 0.1 if machine.kind == "memory" else 3.0)
    before = len(count)
    machine.driver.remove(machine.spec().container_name)
    assert not until(lambda: len(count) > before, 0.4)
    assert not heard.moments
    if machine.kind == "memory":
        assert before == 1


def test_two_wake_ups_that_close_each_other_s_subscription_both_end(machine):
    inside, ended, subscriptions = threading.Barrier(2, timeout=10), [], []

    def closing(other):
        if len(subscriptions) == 2 and not ended and not inside.broken:
            inside.wait()  # each holds what the other wants
            subscriptions[other].close()
            ended.append(other)

    subscriptions.append(machine.driver.subscribe(lambda: closing(1)))
    subscriptions.append(machine.driver.subscribe(lambda: closing(0)))
    if machine.kind == "memory":  # whose changes wake one after the other
        for subscription in subscriptions:
            threading.Thread(target=subscription.wake, daemon=True).start()
    else:
        machine.running(machine.spec())
    assert until(lambda: sorted(ended) == [0, 1])


# --- all at once, and nobody there -----------------------------------------------------------


def test_verbs_at_the_same_time(machine):
    specs = [networked(machine, machine.spec, name=f"c{number}") for number in range(6)]

    def live(spec):
        for _ in range(2):
            machine.driver.create(spec)
            machine.driver.start(spec.container_name)
            machine.driver.observe()
            machine.driver.ensure_network(machine.network)
            machine.driver.stop(spec.container_name, 0)
        machine.driver.start(spec.container_name)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(live, specs))
        assert {machine.state(spec) for spec in specs} == {RUNNING}
        list(pool.map(lambda spec: machine.driver.remove(spec.container_name), specs))
    assert machine.driver.observe().containers == ()


def test_the_same_verb_at_the_same_time(machine):
    spec = machine.spec()

    def attempt(verb, *arguments):
        try:
            verb(*arguments)
        except DriverConflict:
            return "conflict"
        return "done"

    with ThreadPoolExecutor(4) as pool:
        assert "done" in pool.map(lambda _: attempt(machine.driver.create, spec), range(4))
        name = spec.container_name
        assert set(pool.map(lambda _: attempt(machine.driver.start, name), range(4))) == {"done"}
        assert machine.state(spec) is RUNNING
        assert set(pool.map(lambda _: attempt(machine.driver.remove, name), range(4))) == {"done"}
    assert machine.see(spec) is None


def test_an_engine_that_is_gone_is_unavailable_and_comes_back(frail_machine):
    machine = frail_machine
    spec = machine.spec()
    before = machine.running(spec)
    machine.end_service()
    for verb in (
        machine.driver.observe,
        lambda: machine.driver.prepare_image(spec, lambda _: None),
        lambda: machine.driver.ensure_network(machine.network),
        lambda: machine.driver.ensure_volume(machine.volume),
        lambda: machine.driver.create(spec),
        lambda: machine.driver.start(spec.container_name),
        lambda: machine.driver.stop(spec.container_name, 1),
        lambda: machine.driver.remove(spec.container_name),
        lambda: machine.driver.remove_network(machine.network.name),
        lambda: list(machine.driver.logs(spec.container_name, tail=1, follow=False)),
    ):
        with pytest.raises(DriverUnavailable, match=r"^cannot "):
            verb()
    machine.begin_service()
    assert machine.see(spec) == before


def test_an_engine_that_comes_back_wakes(frail_machine):
    machine = frail_machine
    heard = Wakes()
    subscription = machine.driver.subscribe(heard)
    heard.quiet()
    machine.end_service()
    machine.begin_service()
    assert heard.came(15)
    heard.quiet(1.0)
    machine.driver.create(machine.spec())
    assert heard.came()
    subscription.close()


# --- secrets and files -----------------------------------------------------------------------

PASSWORD = SecretSpec("notes", "db-password", SecretKind.BCRYPT)
REF = SecretRef("notes", "db-password")


def with_files(machine, *files, **changes):
    """A container with a volume, and files for it."""
    machine.driver.ensure_volume(machine.volume)
    mounts = (MountSpec(MountKind.VOLUME, machine.volume.name, "/data"),)
    return machine.spec(mounts=mounts, files=files, **changes)


def test_a_secret_is_made_once_and_kept(machine):
    machine.secrets.ensure(PASSWORD)
    value = machine.secrets.read(REF)
    machine.secrets.ensure(PASSWORD)
    assert machine.secrets.read(REF) == value
    assert machine.secrets.read(replace(REF, hashed=True)) != value


def test_a_secret_that_was_never_made_is_named_and_stops_the_creation(machine):
    spec = machine.spec(secret_environment=(("A", (REF,)),))
    with pytest.raises(SecretError, match="cannot read the secret db-password of notes"):
        machine.driver.create(spec)
    assert machine.see(spec) is None


def test_secrets_are_variables_inside_and_names_outside(machine):
    machine.secrets.ensure(PASSWORD)
    spec = machine.spec(
        environment=(("PLAIN", "p"),),
        secret_environment=(("URL", ("pg://u:", REF, "@db")),),
        secrets=("db-password",),
    )
    seen = machine.running(spec)
    assert machine.variable(spec, "URL") == f"pg://u:{machine.secrets.read(REF)}@db"
    assert machine.variable(spec, "PLAIN") == "p"
    assert seen.secrets == ("db-password",)


def test_files_are_there_before_the_start_and_after_each(machine):
    machine.secrets.ensure(PASSWORD)
    file = FileSpec("/data", "etc/app.conf", ("password=", REF, "\n"))
    spec = with_files(machine, file)
    machine.driver.create(spec)
    machine.driver.write_files(spec.container_name, spec)
    machine.driver.write_files(spec.container_name, spec)
    told = f"password={machine.secrets.read(REF)}\n"
    assert machine.content(spec, "/data", "etc/app.conf") == told
    machine.driver.start(spec.container_name)
    assert machine.state(spec) is RUNNING
    machine.driver.stop(spec.container_name, 0)
    changed = replace(spec, files=(replace(file, content=("new",)),))
    machine.driver.write_files(spec.container_name, changed)
    machine.driver.start(spec.container_name)
    assert machine.content(spec, "/data", "etc/app.conf") == "new"


def test_a_file_that_is_the_apps_own_is_left_alone(machine):
    spec = with_files(machine, FileSpec("/data", "a", ("first",), overwrite=False))
    machine.driver.create(spec)
    machine.driver.write_files(spec.container_name, spec)
    again = replace(spec, files=(FileSpec("/data", "a", ("second",), overwrite=False),))
    machine.driver.write_files(spec.container_name, again)
    assert machine.content(spec, "/data", "a") == "first"


def test_files_of_a_container_that_is_gone_are_a_conflict(machine):
    spec = with_files(machine, FileSpec("/data", "a", ("x",)))
    with pytest.raises(DriverConflict):
        machine.driver.write_files(spec.container_name, spec)


# --- files of other apps ---------------------------------------------------------------------

COOKIE = ShareSpec("bitcoin", "main", "/data/.cookie", "/bitcoin/.cookie")


def bitcoin(machine, text):
    name = f"{machine.instance}-bitcoin"
    machine.driver.ensure_volume(VolumeSpec(f"{name}-data", "bitcoin"))
    mounts = (MountSpec(MountKind.VOLUME, f"{name}-data", "/data"),)
    files = (FileSpec("/data", ".cookie", (text,)),)
    return machine.spec("main", app="bitcoin", container_name=name, mounts=mounts, files=files)


def test_a_file_of_an_app_that_does_not_run_cannot_be_read(machine):
    spec = machine.spec(shares=(COOKIE,))
    machine.driver.create(spec)
    with pytest.raises(DriverRejected, match=r"cannot read /data/.cookie of bitcoin"):
        machine.driver.write_files(spec.container_name, spec)


def test_a_file_of_an_app_that_runs_is_there_at_the_start(machine):
    node = bitcoin(machine, "secret")
    machine.driver.create(node)
    machine.driver.write_files(node.container_name, node)
    machine.driver.start(node.container_name)
    spec = machine.spec(shares=(COOKIE,))
    machine.driver.create(spec)
    machine.driver.write_files(spec.container_name, spec)
    machine.driver.start(spec.container_name)
    assert machine.state(spec) is RUNNING


# --- isolation -------------------------------------------------------------------------------


def rules(machine, *passages, app="notes", egress=Egress.INTERNET):
    return IsolationSpec(app, f"i-{app}"[-15:], passages, egress)


def test_rules_are_told_replaced_and_forgotten_each_app_on_its_own(machine):
    to_db = Passage("db", "i-db", 5432)
    also = Passage("db", "i-db", 53, "udp")
    machine.driver.isolate(rules(machine, to_db))
    machine.driver.isolate(rules(machine, app="db"))
    found = (rules(machine, app="db"), rules(machine, to_db))
    assert machine.driver.observe().isolation == found
    assert machine.driver.observe().unenforceable == ""
    machine.driver.isolate(rules(machine, also, to_db))
    assert machine.driver.observe().isolation == (found[0], rules(machine, also, to_db))
    machine.driver.forget_isolation("db")
    assert machine.driver.observe().isolation == (rules(machine, also, to_db),)
    machine.driver.forget_isolation("db")
    machine.driver.forget_isolation("notes")
    assert machine.driver.observe() == Observed()


def test_the_way_out_is_told_and_replaced(machine):
    for egress in (Egress.NONE, Egress.LAN, Egress.INTERNET, Egress.NONE):
        machine.driver.isolate(rules(machine, egress=egress))
        assert machine.driver.observe().isolation == (rules(machine, egress=egress),)
    machine.driver.forget_isolation("notes")


def test_an_app_that_left_only_rules_is_still_known(machine):
    machine.driver.isolate(rules(machine))
    assert machine.driver.observe().apps() == {"notes"}


def test_rules_of_another_instance_are_not_ours(machine):
    other = machine.make_driver(f"{machine.instance}b")
    other.isolate(rules(machine))
    assert machine.driver.observe() == Observed()
    machine.driver.forget_isolation("notes")
    assert other.observe().isolation == (rules(machine),)
    other.forget_isolation("notes")


def test_rules_that_were_flushed_are_missed_and_come_back_together(machine):
    machine.driver.isolate(rules(machine))
    machine.driver.isolate(rules(machine, app="db"))
    machine.flush_rules()
    assert machine.driver.observe().isolation == ()
    machine.driver.isolate(rules(machine))
    assert rules(machine) in machine.driver.observe().isolation


def test_flushing_rules_wakes(machine):
    machine.driver.isolate(rules(machine))
    wakes = Wakes()
    subscription = machine.driver.subscribe(wakes)
    assert machine.driver.observe().isolation
    wakes.quiet()
    machine.flush_rules()
    assert wakes.came()
    assert until(lambda: machine.driver.observe().isolation == ())
    subscription.close()


def test_a_sealed_network_is_told_and_stays_sealed(machine):
    machine.driver.ensure_network(replace(machine.network, sealed=True))
    machine.driver.ensure_network(machine.network)
    (network,) = machine.driver.observe().networks
    assert network == ObservedNetwork(
        machine.network.name, machine.app, machine.network.interface, sealed=True
    )


def test_a_container_keeps_its_address(machine):
    spec = networked(machine, machine.spec, **ISOLATED, place=1)
    first = machine.running(spec).address
    assert first
    machine.driver.stop(spec.container_name, 0)
    assert machine.see(spec).address == ""
    machine.driver.start(spec.container_name)
    assert machine.see(spec).address == first


def test_names_are_known_from_the_start_and_changed_while_it_runs(machine):
    machine.driver.isolate(rules(machine, Passage("db", "i-db", 5432)))
    spec = networked(machine, machine.spec, **ISOLATED, place=1)
    names = (("db", "10.9.8.7"), ("main.db", "10.9.8.7"))
    machine.driver.create(spec)
    machine.driver.start(spec.container_name, names)
    assert machine.see(spec).names == names
    machine.driver.write_names(spec.container_name, (("db", "10.9.8.8"),))
    assert machine.see(spec).names == (("db", "10.9.8.8"),)
    machine.driver.write_names(spec.container_name, ())
    assert machine.see(spec).names == ()
    machine.driver.stop(spec.container_name, 0)
    machine.driver.write_names(spec.container_name, names)
    machine.driver.start(spec.container_name)
    assert machine.see(spec).names == ()
    machine.driver.write_names(f"{machine.instance}-gone", names)
    machine.driver.forget_isolation("notes")


# --- ports that are led ----------------------------------------------------------------------


LED = PortSpec(28433, PORT)


def two_revisions(machine, port=LED):
    """Return two running containers that ask for one port, and what leads it to either."""
    specs = [
        networked(
            machine,
            machine.serving,
            container_name=f"{machine.instance}-notes-web-{number}",
            ports=(port,),
            led=True,
        )
        for number in (1, 2)
    ]
    seen = [machine.running(spec) for spec in specs]

    def lead(number):
        to = seen[number - 1]
        led = Lead(to.ref, port.bind, port.host, machine.see(specs[number - 1]).address, PORT)
        machine.driver.isolate(IsolationSpec("notes", machine.network.interface, lead=led))
        return led

    for spec in specs:
        assert until(lambda s=spec: machine.probe(s).ok)
    return (*specs, lead)


def test_a_port_leads_to_whom_the_rules_say_while_both_run(machine):
    one, two, lead = two_revisions(machine)
    assert machine.see(one).address != machine.see(two).address
    assert machine.answering(LED.host) == ""
    for spec, number in ((one, 1), (two, 2), (one, 1)):
        led = lead(number)
        assert machine.answering(LED.host) == spec.container_name
        (rules,) = machine.driver.observe().isolation
        assert rules.lead == led
    machine.driver.isolate(IsolationSpec("notes", machine.network.interface))
    assert machine.answering(LED.host) == ""
    machine.driver.forget_isolation("notes")


def test_who_is_connected_stays_so_when_the_port_leads_to_another(machine):
    one, two, lead = two_revisions(machine)
    lead(1)
    with machine.client(one, LED.host):
        lead(2)
        assert machine.answering(LED.host) == two.container_name
        assert machine.connected(one)
    machine.driver.drain(machine.see(one).ref, 5.0, threading.Event())
    assert not machine.connected(one)
    machine.driver.stop(one.container_name, 0)
    assert machine.answering(LED.host) == two.container_name
    machine.driver.forget_isolation("notes")


def test_a_lead_comes_back_with_the_rules_of_any_app(machine):
    one, _, lead = two_revisions(machine)
    led = lead(1)
    machine.flush_rules()
    assert machine.answering(LED.host) == ""
    assert machine.driver.observe().isolation == ()
    machine.driver.isolate(rules(machine, app="db"))
    if machine.kind == "memory":  # it remembers nothing that was flushed
        lead(1)
    assert {i.app: i.lead for i in machine.driver.observe().isolation}["notes"] == led
    assert machine.answering(LED.host) == one.container_name
    for each in ("notes", "db"):
        machine.driver.forget_isolation(each)


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
def test_a_port_at_which_somebody_listens_is_not_led(machine, bind):
    taken = networked(machine, machine.spec, app="db", ports=(LED,))
    machine.running(taken)
    led = Lead("a" * 64, bind, LED.host, "10.0.0.2", PORT)
    with pytest.raises(DriverRejected, match=r"cannot lead port 28433 to notes: it is in use"):
        machine.driver.isolate(replace(rules(machine), lead=led))
    machine.driver.stop(taken.container_name, 0)
    assert machine.becomes(taken, EXITED)
    machine.driver.isolate(replace(rules(machine), lead=led))
    machine.driver.forget_isolation("notes")


def test_what_the_app_itself_has_published_may_be_led_elsewhere(machine):
    """So begins an app to hand over."""
    before = networked(machine, machine.serving, name="web", ports=(LED,))
    machine.running(before)
    assert until(lambda: machine.probe(before).ok)
    _, two, lead = two_revisions(machine)
    lead(2)
    assert machine.answering(LED.host) == two.container_name
    machine.driver.forget_isolation("notes")


@pytest.mark.parametrize(("bind", "other"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_a_port_leads_to_one_app(machine, bind, other):
    led = Lead("a" * 64, bind, LED.host, "10.0.0.2", PORT)
    machine.driver.isolate(replace(rules(machine), lead=led))
    second = replace(rules(machine, app="db"), lead=replace(led, ref="b" * 64, bind=other))
    with pytest.raises(DriverRejected, match="cannot lead port 28433 to db: it leads to notes"):
        machine.driver.isolate(second)
    machine.driver.isolate(replace(second, lead=replace(second.lead, host=28434)))
    assert [i.lead.host for i in machine.driver.observe().isolation] == [28434, 28433]
    for each in ("notes", "db"):
        machine.driver.forget_isolation(each)


def test_nobody_is_waited_for_where_nobody_is_connected(machine):
    spec = machine.spec()
    machine.driver.create(spec)
    for ref in (spec.container_name, "f" * 64):
        machine.driver.drain(ref, 60.0, threading.Event())
    machine.driver.start(spec.container_name)
    machine.driver.drain(spec.container_name, 60.0, threading.Event())
    assert machine.state(spec) is RUNNING


# --- what apps reach -----------------------------------------------------------------------------


def neighbours(machine):
    """Two apps, each in a network of its own; return their specs, and who reaches what of whom."""
    specs = []
    for app in ("notes", "db"):
        network = NetworkSpec(f"{machine.instance}-{app}", app, f"{machine.instance[-10:]}-{app}")
        machine.driver.ensure_network(network)
        name = f"{machine.instance}-{app}"
        spec = machine.serving(app=app, container_name=name, network=network.name)
        machine.running(spec)
        specs.append(spec)

    def isolate(spec, *ports, egress=Egress.INTERNET):
        bridge = {s.app: f"{machine.instance[-10:]}-{s.app}" for s in specs}
        other = next(s.app for s in specs if s is not spec)
        passages = tuple(Passage(other, bridge[other], port) for port in ports)
        machine.driver.isolate(IsolationSpec(spec.app, bridge[spec.app], passages, egress))

    return (*specs, isolate)


def arrives(machine, spec, *targets):
    found = machine.driver.reach(machine.see(spec).ref, targets)
    return [reach.arrived for reach in found]


def test_what_an_app_reaches_is_what_its_rules_say(machine):
    notes, db, isolate = neighbours(machine)
    itself, there = Target("127.0.0.1", 9), Target(machine.see(db).address, PORT)
    other, us = Target(there.address, PORT + 1), Target(MACHINE, 9)
    back = Target(machine.see(notes).address, PORT)
    assert arrives(machine, notes, itself, there, other, us) == [True] * 4
    isolate(notes)
    isolate(db)
    assert arrives(machine, notes, itself, there, other, us) == [True, False, False, False]
    isolate(notes, PORT)
    assert arrives(machine, notes, itself, there, other, us) == [True, True, False, False]
    assert arrives(machine, db, itself, back, us) == [True, False, False]
    assert arrives(machine, notes, Target(back.address, PORT + 1)) == [True]
    machine.driver.stop(db.container_name, 0)
    assert arrives(machine, notes, there) == [False]
    for app in ("notes", "db"):
        machine.driver.forget_isolation(app)


@pytest.mark.parametrize(
    ("egress", "address"),
    [
        (Egress.NONE, "192.0.2.1"),
        (Egress.NONE, "192.168.1.1"),
        (Egress.INTERNET, "192.168.1.1"),
        (Egress.INTERNET, "169.254.169.254"),
        (Egress.LAN, "169.254.169.254"),
    ],
)
def test_a_way_out_that_is_shut_is_refused(machine, egress, address):
    notes, _, isolate = neighbours(machine)
    isolate(notes, egress=egress)
    ref = machine.see(notes).ref
    # A kernel says only so often that it refuses, to one address; without a route, half as often.
    asked = (Target(address, 80),)
    assert until(lambda: machine.driver.reach(ref, asked) == (Reach.SHUT,) or time.sleep(4), 30)
    machine.driver.forget_isolation("notes")


def test_from_what_does_not_run_nothing_is_reached(machine):
    spec = machine.spec()
    with pytest.raises(DriverConflict, match="cannot try what"):
        machine.driver.reach(spec.container_name, ())
    ref = machine.made(spec).ref
    with pytest.raises(DriverConflict, match="it does not run"):
        machine.driver.reach(ref, (Target("127.0.0.1", 9),))


# --- what others changed, put right in place ---------------------------------------------------


def test_a_container_is_put_back_into_its_network_and_out_of_others(machine):
    spec = networked(machine, machine.serving, **ISOLATED, place=1)
    other = NetworkSpec(f"{machine.instance}-other", "other", f"o{machine.instance}"[-15:])
    machine.driver.ensure_network(other)
    before = machine.running(spec)
    machine.connect_by_hand(spec, other.name)
    assert machine.see(spec).networks == tuple(sorted((spec.network, other.name)))
    for _ in range(2):
        machine.driver.detach(before.ref, other.name)
    assert machine.see(spec).networks == (spec.network,)
    machine.disconnect_by_hand(spec, spec.network)
    assert machine.see(spec).networks == ()
    for _ in range(2):
        machine.driver.attach(before.ref, spec)
    after = machine.see(spec)
    assert (after.networks, after.address) == ((spec.network,), before.address)
    assert after.started_at == before.started_at
    assert until(lambda: machine.probe(spec).ok)
    machine.driver.detach(f"{machine.instance}-gone", other.name)
    machine.driver.attach(f"{machine.instance}-gone", spec)


@pytest.mark.parametrize(
    ("changes", "kernel"),
    [
        ({}, {}),
        ({"capabilities": ("NET_RAW", "CHOWN")}, {"capabilities": ("CHOWN", "NET_RAW")}),
        (
            {"capabilities": ("NET_RAW",), "user": "1000", "readonly_root": True},
            {"capabilities": ("NET_RAW",)},
        ),
        ({"no_new_privileges": False}, {"no_new_privileges": False}),
        ({"seccomp_profile": "unconfined"}, {"seccomp": False}),
        ({"network_policy": NetworkPolicy.HOST}, {"shared": ("net",)}),
        ({"userns": "auto"}, {"own_users": True}),
        (
            {"userns": "auto", "capabilities": ("CHOWN",)},
            {"own_users": True, "capabilities": ("CHOWN",)},
        ),
    ],
    ids=lambda given: " ".join(given) or "nothing",
)
def test_what_confines_a_process_is_read_from_the_kernel(machine, changes, kernel):
    seen = machine.running(machine.spec(**changes))
    assert replace(seen.confinement, label="") == replace(CONFINED, **kernel)


@pytest.mark.skipif(HAS_APPARMOR, reason="this kernel has AppArmor")
@pytest.mark.parametrize("profile", ["required", "mine"])
def test_what_requires_a_profile_is_not_made_where_there_is_none(machine, profile):
    spec = machine.spec(apparmor_profile=profile)
    with pytest.raises(DriverRejected, match=f"`{profile}`, and this kernel has no AppArmor"):
        machine.driver.create(spec)
    assert not machine.has_container(spec.container_name)
    usual = machine.running(machine.spec("usual", apparmor_profile="unconfined"))
    assert usual.confinement.label == ""


def test_what_runs_without_confinement_is_seen_to(machine):
    seen = machine.running(machine.spec(privileged=True, no_new_privileges=False))
    assert {"SYS_ADMIN", "SYS_MODULE", "NET_RAW"} <= {*seen.confinement.capabilities}
    assert {"/proc/sys", "/sys"} <= {*seen.confinement.open}
    assert (seen.confinement.seccomp, seen.confinement.no_new_privileges) == (False, False)


def test_a_container_that_only_looks_like_ours_is_seen_as_it_is(machine):
    spec = machine.spec(capabilities=("CHOWN",))
    assert machine.running(spec).confinement.capabilities == ("CHOWN",)
    machine.widen_by_hand(spec, "CHOWN", "SYS_ADMIN")
    seen = machine.see(spec)
    assert (seen.digest, seen.confinement.capabilities) == (spec.digest, ("CHOWN", "SYS_ADMIN"))
    assert machine.made(machine.spec("idle")).confinement is None


def test_limits_are_those_of_the_kernel_and_are_set_in_place(machine):
    limits = Resources(cpu=0.5, memory=64 << 20, pids=40)
    spec = machine.spec(resources=limits)
    before = machine.running(spec)
    assert before.limits == limits
    machine.limit_by_hand(spec, Resources(cpu=0.25, memory=48 << 20, pids=40))
    driver = machine.make_driver(machine.instance)  # which remembers nothing
    (seen,) = driver.observe().containers
    assert seen.limits == Resources(cpu=0.25, memory=48 << 20, pids=40)
    driver.set_limits(before.ref, spec)
    (seen,) = driver.observe().containers
    assert (seen.limits, seen.started_at) == (limits, before.started_at)
    driver.set_limits(f"{machine.instance}-gone", spec)
    assert machine.made(machine.spec("idle")).limits is None
