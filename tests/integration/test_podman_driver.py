"""What only a real Podman can show: that what was asked for really holds, and odd leftovers."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from contract.machines import PORT, PodmanMachine, Wakes, podman, until
from msgspec.structs import replace

from reconciler.drivers.podman.apparmor import ENABLED, AppArmor
from reconciler.drivers.podman.apparmor_profile import profile
from reconciler.drivers.podman.driver import Hooks, PodmanDriver, Settings
from reconciler.errors import DriverConflict, DriverRejected, DriverUnavailable
from reconciler.model.container import (
    DeviceSpec,
    FileSpec,
    HealthKind,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PortSpec,
    Resources,
    ShareSpec,
    UlimitSpec,
)
from reconciler.model.desired import VolumeSpec
from reconciler.model.observed import ContainerState
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec

pytestmark = pytest.mark.podman


@pytest.fixture
def machine(busybox_image, podman_socket, tmp_path):
    made = PodmanMachine(busybox_image, tmp_path, podman_socket)
    yield made
    made.close()


def inside(spec, *command):
    return podman("exec", spec.container_name, "busybox", *command).strip()


def cgroup(pid, controller):
    """Where a process's control group is, in either version."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path("/sys/fs/cgroup", controller, path.lstrip("/"))
        if not controllers:
            unified = Path("/sys/fs/cgroup", path.lstrip("/"))
    return unified


def figure(directory, *names):
    return next((directory / n).read_text().strip() for n in names if (directory / n).exists())


# --- what is asked for holds -----------------------------------------------------------------


def test_limits_are_those_of_the_kernel(machine):
    limits = Resources(cpu=0.25, memory=64 << 20, memory_reservation=32 << 20, pids=33)
    seen = machine.running(machine.spec(resources=limits))
    memory = cgroup(seen.pid, "memory")
    assert figure(memory, "memory.max", "memory.limit_in_bytes") == str(64 << 20)
    assert figure(memory, "memory.low", "memory.soft_limit_in_bytes") == str(32 << 20)
    assert figure(cgroup(seen.pid, "pids"), "pids.max") == "33"
    cpu = figure(cgroup(seen.pid, "cpu"), "cpu.max", "cpu.cfs_quota_us")
    assert cpu.split()[0] == "25000"


def test_capabilities_are_dropped_and_only_the_named_come_back(machine):
    plain = machine.running(machine.spec())
    named = machine.running(machine.spec("named", capabilities=("NET_BIND_SERVICE",)))

    def status(pid, key):
        text = Path(f"/proc/{pid}/status").read_text()
        return next(
            v.strip() for k, _, v in (x.partition(":") for x in text.splitlines()) if k == key
        )

    assert int(status(plain.pid, "CapEff"), 16) == 0
    assert int(status(plain.pid, "CapBnd"), 16) == 0
    assert int(status(named.pid, "CapEff"), 16) == 1 << 10
    assert status(plain.pid, "NoNewPrivs") == "1"


def test_a_read_only_root_has_its_writable_places(machine):
    spec = machine.spec(readonly_root=True)
    machine.running(spec)
    for place in ("/tmp", "/run", "/var/tmp"):
        inside(spec, "touch", f"{place}/x")
    with pytest.raises(AssertionError, match="Read-only"):
        inside(spec, "touch", "/x")


def test_a_tmpfs_has_its_size(machine):
    mount = MountSpec(MountKind.TMPFS, "", "/scratch", ("mode=1777",), 1 << 20)
    spec = machine.spec(mounts=(mount,))
    machine.running(spec)
    with pytest.raises(AssertionError, match="No space"):
        inside(spec, "dd", "if=/dev/zero", "of=/scratch/x", "bs=1024", "count=2048")


def test_what_it_gets_of_the_machine_is_seen_inside(machine):
    spec = machine.spec(
        devices=(
            DeviceSpec("/dev/null", "/dev/nothing", "rw"),
            DeviceSpec("/dev/not-here", "/dev/not-here", optional=True),
        ),
        ulimits=(UlimitSpec("nofile", 64, 128),),
        sysctls=(("kernel.msgmax", "4096"), ("net.ipv4.ip_forward", "0")),
        extra_hosts=(("nas.example", "10.9.8.7"),),
        shm_size=2 << 20,
    )
    seen = machine.running(spec)
    assert inside(spec, "sh", "-c", "echo x > /dev/nothing; ls /dev").split().count("nothing") == 1
    limits = Path(f"/proc/{seen.pid}/limits").read_text()
    assert " ".join(limits.partition("Max open files")[2].split()[:2]) == "64 128"
    assert inside(spec, "cat", "/proc/sys/kernel/msgmax") == "4096"
    assert "10.9.8.7" in inside(spec, "cat", "/etc/hosts")
    assert inside(spec, "df", "-k", "/dev/shm").split()[-5] == "2048"


def test_a_file_does_not_keep_the_images_own_out_of_an_empty_volume(machine, tmp_path):
    """Podman fills a volume that is empty when it is first mounted, and only then."""
    (tmp_path / "seed").mkdir()
    (tmp_path / "seed" / "of-the-image").write_text("here")
    (tmp_path / "Containerfile").write_text(f"FROM {machine.image}\nCOPY seed /data\n")
    image = f"localhost/test/{machine.instance}:seed"
    podman("build", "--quiet", "--tag", image, str(tmp_path))
    machine.driver.ensure_volume(machine.volume)
    spec = machine.spec(
        image=image,
        user="1000:1001",
        mounts=(MountSpec(MountKind.VOLUME, machine.volume.name, "/data"),),
        files=(FileSpec("/data", "sub/ours", ("written",)),),
    )
    machine.driver.create(spec)
    machine.driver.write_files(spec.container_name, spec)
    machine.driver.start(spec.container_name)
    assert inside(spec, "cat", "/data/of-the-image", "/data/sub/ours") == "herewritten"
    assert inside(spec, "stat", "-c", "%u:%g %a", "/data/sub/ours") == "1000:1001 644"
    machine.driver.remove(spec.container_name)
    podman("rmi", image)


def test_a_secret_file_is_readable_by_its_user_alone(machine):
    secret = SecretSpec("notes", "key", SecretKind.BASE64)
    machine.secrets.ensure(secret)
    machine.driver.ensure_volume(machine.volume)
    spec = machine.spec(
        user="1000",
        mounts=(MountSpec(MountKind.VOLUME, machine.volume.name, "/data"),),
        files=(FileSpec("/data", "key", (SecretRef("notes", "key"),)),),
    )
    machine.driver.create(spec)
    machine.driver.write_files(spec.container_name, spec)
    machine.driver.start(spec.container_name)
    assert inside(spec, "stat", "-c", "%u:%g %a", "/data/key") == "1000:0 600"
    assert inside(spec, "cat", "/data/key") == machine.secrets.read(SecretRef("notes", "key"))


def sharing(machine, script, path="/data/file", **changes):
    """An app with a volume in which `script` was run, and a container that reads of it."""
    machine.driver.ensure_volume(machine.volume)
    mounts = (MountSpec(MountKind.VOLUME, machine.volume.name, "/data"),)
    node = machine.script(f"{script}; exec busybox sleep 1000", "node", mounts=mounts)
    machine.running(node)
    assert until(lambda: podman("exec", node.container_name, "busybox", "ls", "-A", "/data"))
    share = ShareSpec("notes", "node", path, "/etc/shared/file")
    reader = machine.spec("reader", shares=(share,), readonly_root=True, **changes)
    machine.driver.create(reader)
    return node, reader


@pytest.mark.parametrize("userns", ["host", "auto"])
def test_a_shared_file_is_a_copy_for_its_user_alone_that_follows_in_place(machine, userns):
    node, reader = sharing(machine, "echo one > /data/file", user="1000", userns=userns)
    machine.driver.write_files(reader.container_name, reader)
    machine.driver.start(reader.container_name)
    assert inside(reader, "cat", "/etc/shared/file") == "one"
    assert inside(reader, "stat", "-c", "%u %a", "/etc/shared/file") == "1000 400"
    # As programs do it: another file takes the name.
    inside(node, "sh", "-c", "echo another > /data/new; mv /data/new /data/file")
    machine.driver.write_files(reader.container_name, reader)
    assert inside(reader, "cat", "/etc/shared/file") == "another"
    assert (
        "Read-only"
        in podman(
            "exec",
            reader.container_name,
            "busybox",
            "sh",
            "-c",
            "echo x 2>&1 > /etc/shared/file; :",
        )
        or inside(reader, "cat", "/etc/shared/file") == "another"
    )


def test_a_shared_link_leads_nowhere_on_the_machine(machine):
    _, reader = sharing(machine, "ln -s /etc/shadow /data/file")
    with pytest.raises(DriverRejected, match="/data/file of notes for notes: there is no such"):
        machine.driver.write_files(reader.container_name, reader)


def test_a_shared_folder_and_a_very_large_file_are_refused(machine):
    _, reader = sharing(machine, "mkdir /data/file")
    with pytest.raises(DriverRejected, match="a folder is shared as a whole volume"):
        machine.driver.write_files(reader.container_name, reader)


def test_a_very_large_shared_file_is_refused(machine):
    _, reader = sharing(machine, "dd if=/dev/zero of=/data/file bs=1M count=3")
    assert until(lambda: _refused(machine, reader, "it is larger than"))


def _refused(machine, reader, words):
    try:
        machine.driver.write_files(reader.container_name, reader)
    except DriverRejected as error:
        return words in str(error)
    return False


def test_secrets_stay_out_of_messages(machine):
    machine.secrets.ensure(SecretSpec("notes", "key", SecretKind.HEX32))
    ref = SecretRef("notes", "key")
    spec = machine.spec(
        image="localhost/nowhere:1", secret_environment=(("nowhere:1", ("localhost/", ref)),)
    )
    with pytest.raises(DriverRejected) as caught:
        machine.driver.create(spec)
    assert machine.secrets.read(ref) not in str(caught.value)


def test_a_device_that_is_not_here_is_named(machine):
    spec = machine.spec(devices=(DeviceSpec("/dev/not-here", "/dev/not-here"),))
    with pytest.raises(DriverRejected, match="device /dev/not-here is not here; plug it in"):
        machine.driver.create(spec)


def test_resolvers_are_those_of_the_app(machine):
    machine.driver.ensure_network(machine.network)
    spec = machine.spec(dns=("10.9.8.7",), network=machine.network.name)
    machine.running(spec)
    asked = inside(spec, "cat", "/etc/resolv.conf")
    # Newer ones give it to the network's name server, which then asks it for this container.
    given = Path("/run/containers/networks/aardvark-dns", machine.network.name)
    assert "nameserver 10.9.8.7" in asked or "10.9.8.7" in given.read_text().split()


def test_an_unconfined_and_a_privileged_container(machine):
    def seccomp(seen):
        text = Path(f"/proc/{seen.pid}/status").read_text()
        return text.partition("Seccomp:")[2].split()[0]

    assert seccomp(machine.running(machine.spec())) == "2"
    assert seccomp(machine.running(machine.spec("open", seccomp_profile="unconfined"))) == "0"
    privileged = machine.running(machine.spec("all", privileged=True, no_new_privileges=False))
    text = Path(f"/proc/{privileged.pid}/status").read_text()
    assert int(text.partition("CapEff:")[2].split()[0], 16) & (1 << 21)  # CAP_SYS_ADMIN


def test_the_operators_network_is_joined_and_a_missing_one_is_named(machine):
    spec = machine.spec(network_policy=NetworkPolicy.NAMED, network="lan-of-the-test")
    with pytest.raises(DriverRejected, match="podman network create lan-of-the-test"):
        machine.driver.create(spec)
    podman("network", "create", "lan-of-the-test")
    try:
        seen = machine.running(spec)
        assert seen.networks == ("lan-of-the-test",)
        machine.driver.remove(seen.ref)
    finally:
        podman("network", "rm", "--force", "lan-of-the-test")


def test_memory_is_open_to_the_apps_user_after_a_restart_too(machine):
    spec = machine.spec(
        user="1000",
        readonly_root=True,
        mounts=(
            MountSpec(MountKind.TMPFS, "", "/scratch/deep"),
            MountSpec(MountKind.TMPFS, "", "/bin/closed", ("mode=700",)),
        ),
    )
    for _ in range(3):
        machine.running(spec)
        for place in ("/tmp", "/run", "/scratch/deep"):
            inside(spec, "touch", f"{place}/x")
        machine.driver.stop(spec.container_name, 0)


def test_user_directory_hostname_environment_and_signal_are_those_asked_for(machine):
    text = "trap 'exit 7' USR1; while true; do busybox sleep 0.05; done"
    spec = machine.script(
        text,
        user="1234:5678",
        working_dir="/bin",
        hostname="näme".encode("ascii", "ignore").decode(),
        environment=(("GREETING", "grüß \"dich\"\n'x'"),),
        stop_signal="SIGUSR1",
        init=False,
    )
    machine.running(spec)
    assert inside(spec, "id", "-u") == "1234"
    assert inside(spec, "id", "-g") == "5678"
    assert inside(spec, "pwd") == "/bin"
    assert inside(spec, "hostname") == "nme"
    assert inside(spec, "sh", "-c", 'echo "$GREETING"') == "grüß \"dich\"\n'x'"
    until(lambda: False, 0.3)
    machine.driver.stop(spec.container_name, 8)
    assert machine.see(spec).exit_code == 7


def test_entrypoint_and_command_are_kept_apart(machine):
    spec = machine.spec(entrypoint=("busybox", "echo"), command=("a b", "$c"))
    machine.running(spec)
    assert machine.becomes(spec, ContainerState.EXITED)
    assert list(machine.driver.logs(spec.container_name, tail=None, follow=False)) == ["a b $c"]


def test_podman_neither_restarts_nor_checks_nor_keeps_endless_logs(machine):
    spec = machine.spec()
    machine.made(spec)
    inspected = machine.inspect(spec.container_name)
    assert inspected["HostConfig"]["RestartPolicy"]["Name"] in {"", "no"}
    assert inspected["Config"].get("Healthcheck", {}).get("Test") in (None, ["NONE"])
    assert inspected["HostConfig"]["LogConfig"]["Size"] == "10.49MB"
    assert inspected["HostConfig"]["CgroupMode"] == "private"


def test_ports_are_bound_where_they_were_asked_for(machine):
    machine.driver.ensure_network(machine.network)
    ports = (PortSpec(28432, PORT),)
    spec = machine.serving(network=machine.network.name, ports=ports)
    machine.running(spec)
    assert until(lambda: machine.probe(spec).ok)
    with socket.create_connection(("127.0.0.1", 28432), 5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200" in connection.recv(100)
    bindings = machine.inspect(spec.container_name)["HostConfig"]["PortBindings"]
    assert bindings[f"{PORT}/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "28432"}]


def test_containers_of_an_app_find_each_other_by_every_name(machine):
    machine.driver.ensure_network(machine.network)
    net = {"network": machine.network.name}
    machine.running(machine.serving("web", aliases=("www",), hostname="front", **net))
    client = machine.spec("client", **net)
    machine.running(client)
    for name in ("web", "www", "front"):
        got = until(lambda name=name: _fetched(client, f"http://{name}:{PORT}/index.html"))
        assert got == "well"


def _fetched(spec, url):
    try:
        return inside(spec, "timeout", "2", "busybox", "wget", "-q", "-O", "-", url)
    except AssertionError:
        return ""


@pytest.mark.parametrize("sealed", [True, False])
def test_the_apps_network_has_its_interface_and_is_open_to_rules_or_sealed(machine, sealed):
    machine.driver.ensure_network(replace(machine.network, sealed=sealed))
    network = json.loads(podman("network", "inspect", machine.network.name))[0]
    assert network["dns_enabled"] is True
    assert network.get("options", {}).get("isolate", "false") == str(sealed).lower()
    assert network["network_interface"] == machine.network.interface


def test_the_hosts_network_is_probed_without_entering_anything(machine):
    spec = machine.spec(network_policy=NetworkPolicy.HOST, hostname="host-one")
    machine.running(spec)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert machine.probe(spec, port=server.getsockname()[1]).ok


def test_a_command_over_its_time_is_ended(machine):
    spec = machine.spec()
    machine.running(spec)
    command = ("busybox", "sleep", "4321")
    assert not machine.probe(spec, kind=HealthKind.EXEC, command=command, timeout=0.5).ok
    assert until(lambda: "4321" not in inside(spec, "ps"), 5), inside(spec, "ps")


# --- host paths ------------------------------------------------------------------------------


def test_a_host_path_of_the_app_is_made_and_another_is_refused(machine, tmp_path):
    own = tmp_path / "notes" / "files" / "deep"
    spec = machine.spec(mounts=(MountSpec(MountKind.BIND, str(own), "/files"),))
    machine.running(spec)
    inside(spec, "touch", "/files/x")
    assert (own / "x").exists()
    assert own.stat().st_mode & 0o777 == 0o755
    for source in (tmp_path / "other" / "x", tmp_path / "notes" / ".." / "other"):
        bad = machine.spec("bad", mounts=(MountSpec(MountKind.BIND, str(source), "/x"),))
        with pytest.raises(DriverRejected, match="is not there"):
            machine.driver.create(bad)
        assert not source.resolve().exists()


def test_a_link_does_not_lead_out_of_the_apps_directory(machine, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "link").symlink_to(tmp_path / "elsewhere")
    source = str(tmp_path / "notes" / "link" / "x")
    spec = machine.spec(mounts=(MountSpec(MountKind.BIND, source, "/x"),))
    with pytest.raises(DriverRejected, match="is not there"):
        machine.driver.create(spec)
    assert not (tmp_path / "elsewhere").exists()


# --- processes -------------------------------------------------------------------------------


def test_podman_says_running_for_ever_and_we_say_lost(machine):
    spec = machine.spec()
    machine.running(spec)
    machine.lose(spec)
    assert machine.becomes(spec, ContainerState.LOST)
    assert machine.inspect(spec.container_name)["State"]["Status"] == "running"
    machine.driver.stop(spec.container_name, 5)
    machine.driver.remove(spec.container_name)
    assert machine.state(spec) is None


def test_a_container_without_conmon_runs_on_and_is_running(machine):
    spec = machine.spec()
    machine.running(spec)
    os.kill(machine.inspect(spec.container_name)["State"]["ConmonPid"], signal.SIGKILL)
    until(lambda: False, 0.2)
    assert machine.state(spec) is ContainerState.RUNNING


def test_an_ordinary_end_is_never_taken_for_a_loss(machine):
    specs = [machine.spec(f"c{number}") for number in range(8)]
    for spec in specs:
        machine.running(spec)
    states = set()
    for spec in specs:
        machine.kill(spec)
        while (state := machine.state(spec)) is not ContainerState.EXITED:
            states.add(state)
    assert states <= {ContainerState.RUNNING, ContainerState.ENDING}


def test_the_end_of_a_process_wakes_at_once(machine):
    spec = machine.spec()
    heard = Wakes()
    subscription = machine.driver.subscribe(heard)
    delays = []
    for _ in range(3):
        machine.running(spec)
        pid = machine.see(spec).pid
        heard.quiet()
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert heard.came()
        delays.append(heard.moments[0] - began)
        assert machine.becomes(spec, ContainerState.EXITED)
    subscription.close()
    assert min(delays) < 0.05


# --- leftovers -------------------------------------------------------------------------------


def test_a_container_of_which_only_the_storage_is_left_is_replaced(machine):
    """As a service leaves it that is killed before it wrote the container down."""
    spec = machine.spec()
    root = Path(podman("info", "--format", "{{.Store.GraphRoot}}").strip())
    machine.driver.create(spec)
    saved = [root / "overlay-containers", root / "overlay-layers", root / "overlay"]
    subprocess.run(["cp", "-a", *saved, machine.directory], check=True)
    machine.driver.remove(spec.container_name)
    copies = [machine.directory / directory.name for directory in saved]
    subprocess.run(["cp", "-a", *copies, root], check=True)
    assert machine.see(spec) is None
    assert spec.container_name in podman("ps", "-a", "--external", "--format", "{{.Names}}")
    machine.driver.create(spec)
    machine.driver.start(spec.container_name)
    assert machine.state(spec) is ContainerState.RUNNING


def test_an_initialised_container_is_started(machine):
    spec = machine.spec()
    machine.driver.create(spec)
    podman("init", spec.container_name)
    assert machine.state(spec) is ContainerState.CREATED
    machine.driver.start(spec.container_name)
    assert machine.state(spec) is ContainerState.RUNNING


def test_a_half_made_one_that_is_started_is_cleared_away_for_the_next_try(machine):
    spec = machine.spec()
    machine.half_make(spec)
    with pytest.raises(DriverConflict, match="half-made"):
        machine.driver.start(spec.container_name)
    assert machine.see(spec) is None


def test_what_a_killed_service_leaves_can_always_be_put_right(busybox_image, tmp_path):
    machine = PodmanMachine(busybox_image, tmp_path)
    specs = [machine.spec(f"c{number}") for number in range(4)]
    try:
        for round_ in range(3):
            began = subprocess.Popen(
                ["sh", "-c", f"sleep 0.0{3 + round_ * 4}; kill -9 {machine.process.pid}"],
            )
            for spec in specs:
                _ignoring_outage(machine.driver.create, spec)
                _ignoring_outage(machine.driver.start, spec.container_name)
            began.wait(10)
            machine.process.wait(10)
            machine.begin_service()
        for spec in specs:
            assert until(lambda spec=spec: _put_right(machine, spec))
    finally:
        machine.close()


def _ignoring_outage(verb, *arguments):
    try:
        verb(*arguments)
    except (DriverUnavailable, DriverConflict, DriverRejected):
        return


def _put_right(machine, spec):
    try:
        machine.driver.create(spec)
        machine.driver.start(spec.container_name)
    except DriverConflict:
        return False
    return machine.state(spec) is ContainerState.RUNNING


# --- words and measurements ------------------------------------------------------------------


def test_a_pull_that_fails_is_told_in_words_without_addresses(machine):
    spec = machine.spec(image="localhost:1/nobody/there:1")
    with pytest.raises(DriverRejected) as caught:
        machine.driver.prepare_image(spec, lambda _: None)
    message = str(caught.value)
    assert message.startswith("cannot pull localhost:1/nobody/there:1: ")
    assert "connection refused" in message
    assert "127.0.0.1" not in message


def test_a_program_that_is_not_there_is_named_at_start(machine):
    spec = machine.spec(command=("/no/such/program",))
    machine.driver.create(spec)
    with pytest.raises(DriverRejected, match="/no/such/program"):
        machine.driver.start(spec.container_name)


def test_values_of_the_environment_stay_out_of_messages(machine):
    secret = "correct-horse-battery"
    spec = machine.spec(environment=(("KEY", secret),), user=f"no:{secret}:x", hostname=secret)
    spec = replace(spec, image=f"localhost/{secret}:1")
    with pytest.raises(DriverRejected) as caught:
        machine.driver.create(spec)
    assert secret not in str(caught.value)


def test_every_call_is_measured(busybox_image, podman_socket, tmp_path):
    machine = PodmanMachine(busybox_image, tmp_path, podman_socket)
    calls = []
    hooks = Hooks(observe_call=lambda *call: calls.append(call))
    driver = PodmanDriver(
        machine.instance,
        podman_socket,
        secrets=machine.secrets,
        settings=Settings(data_dir=tmp_path),
        hooks=hooks,
    )
    driver.observe()
    with pytest.raises(DriverRejected):
        driver.create(machine.spec(image="localhost/nowhere:1"))
    assert [(kind, ok) for kind, _, ok in calls] == [
        ("list_containers", True),
        ("list_networks", True),
        ("list_containers", True),
        ("create_container", False),
    ]
    assert all(0 < seconds < 10 for _, seconds, _ in calls)
    machine.close()


def test_a_strict_container_does_its_work_and_nothing_a_service_does_not_need(machine):
    """Even with the capability for it: the filter knows of none."""
    more = {"capabilities": ("SYS_ADMIN", "SYS_PTRACE"), "no_new_privileges": False}
    usual = machine.running(machine.spec("usual", **more))
    spec = machine.spec("strict", seccomp_profile="strict", **more)
    seen = machine.running(spec)
    assert (usual.confinement.seccomp, seen.confinement.seccomp) == (True, True)
    refused = (("mount", "-t", "tmpfs", "none", "/dev/shm"), ("unshare", "-n", "true"))
    for command in refused:
        inside(machine.spec("usual"), *command)
        tried = ["podman", "exec", spec.container_name, "busybox", *command]
        done = subprocess.run(tried, capture_output=True, text=True, check=False)
        assert done.returncode != 0, command
        assert "not permitted" in done.stderr or "permission denied" in done.stderr
    assert inside(spec, "sh", "-c", "(echo a; echo b) | sort -r | head -1") == "b"
    assert machine.see(spec).state is ContainerState.RUNNING


@pytest.mark.skipif(Path("/sys/kernel/security/apparmor").exists(), reason="it has AppArmor")
def test_podman_is_asked_for_the_profile_and_what_the_kernel_forgot_is_loaded(
    machine, tmp_path, monkeypatch
):
    """As far as it goes on a kernel without: Podman looks for exactly the profile we made."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apparmor_parser").write_text(f"#!/bin/sh\ncat > {tmp_path}/loaded\n")
    (tools / "apparmor_parser").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    (tmp_path / ENABLED).parent.mkdir(parents=True)
    (tmp_path / ENABLED).write_text("Y")
    apparmor = AppArmor(tmp_path / "kept", lambda _: None, rootful=True, machine=tmp_path)
    containers = machine.driver._containers
    containers._places = replace(containers._places, apparmor=apparmor)
    spec = machine.spec("profiled", capabilities=("CHOWN",))
    name, text = profile(spec)
    with pytest.raises(DriverRejected, match=f'apparmor profile "{name}" specified'):
        machine.driver.create(spec)
    assert (tmp_path / "loaded").read_text() == text
    assert not machine.has_container(spec.container_name)


def test_users_of_an_apps_own_find_what_is_theirs(machine):
    """Volumes, files, shares, memory and folders that we make; again when it is made anew."""
    volume = VolumeSpec(f"{machine.instance}-kept", "notes")
    machine.driver.ensure_volume(volume)
    own = machine.directory / "notes" / "folder"
    mounts = (
        MountSpec(MountKind.VOLUME, volume.name, "/data"),
        MountSpec(MountKind.BIND, str(own), "/folder"),
        MountSpec(MountKind.TMPFS, "", "/scratch"),
    )
    given = {
        "mounts": mounts,
        "userns": "auto",
        "sysctls": (("net.core.somaxconn", "512"),),
        "readonly_root": True,
        "files": (FileSpec("/data", "conf", ("a\n",)),),
    }
    write = "for d in /data /folder /scratch /tmp; do echo a >> $d/mine || exit 1; done"
    for number, name in enumerate(("first", "second"), start=1):
        spec = machine.spec(name, **given)
        ref = machine.made(spec).ref
        machine.driver.write_files(ref, spec)
        machine.driver.start(ref)
        assert inside(spec, "sh", "-c", f"{write}; cat /data/conf /data/mine") == "\n".join(
            ["a"] * (number + 1)
        )
        assert inside(spec, "stat", "-c", "%u", "/data/conf", "/data/mine", "/folder/mine") == (
            "0\n0\n0"
        )
        assert inside(spec, "cat", "/proc/sys/net/core/somaxconn") == "512"
    first, second = (machine.see(machine.spec(n, **given)).pid for n in ("first", "second"))
    maps = [Path(f"/proc/{pid}/uid_map").read_text().split() for pid in (first, second)]
    assert maps[0] == maps[1]
    assert int(maps[0][1]) >= 2**31
    assert own.stat().st_uid == int(maps[0][1])
