"""
A Podman world of its own: `python tests/world.py CMD…` runs CMD in it.

Several test runs share a machine, and the user's containers are never seen or touched. As root,
CMD gets new mount, network and process namespaces: own container storage, own /run, own copy of
/etc/containers, own bridges, ports and firewall tables, loopback only, and no way out. Process 1
of the new namespace is this file; when it ends, however it ends, the kernel ends everything that
was started in there. What a killed world leaves on disk, the next one clears away (`--sweep`).
`--keep DIR CMD…` (root) lives in a directory that outlives it, and ends as a machine without power
does; with the same directory the next one is that machine, booted again.
Without root, Podman's own user namespace does the separating, and CMD gets directories of its own.
CMD's exit code, standard input, working directory and signals are those of this command.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from reconciler.drivers.podman import host  # noqa: E402

PREFIX = "archipelago-world-"
KEEP = "--keep"
BASE = Path(os.environ.get("TMPDIR") or "/var/tmp")
# Everything in /run that a Podman keeps its state in, or takes a running systemd or udevd from:
# both serve the machine's first namespaces only, so in the world there are none.
OWN_RUN = {
    "containers",
    "libpod",
    "netns",
    "crun",
    "runc",
    "podman",
    "systemd",
    "udev",
}
# Where the caller's Podman is has no meaning in here.
FOREIGN = (
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "DOCKER_HOST",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
)
FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1}
SI_KERNEL = 0x80  # from the terminal: then everybody in its process group has got it already

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
MS_BIND, MS_MOVE, MS_REC, MS_SLAVE = 4096, 8192, 16384, 1 << 19
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    if arguments == ["--sweep"]:
        sweep()
        return 0
    if arguments[0] == KEEP:
        return boot(Path(arguments[1]), arguments[2:])
    if os.environ.get("ARCHIPELAGO_TEST_WORLD"):  # in one already
        os.execvp(arguments[0], arguments)
    if reason := why_not():
        print(f"cannot make a Podman world: {reason}", file=sys.stderr)
        os.environ["ARCHIPELAGO_TEST_NO_PODMAN"] = reason
        os.execvp(arguments[0], arguments)
    sweep()
    with directory() as own:
        return run_as_root(own, arguments) if os.geteuid() == 0 else run_as_user(own, arguments)


def boot(own, arguments):
    """Run a world in a directory that stays; what only a running machine has is gone after it."""
    own.mkdir(parents=True, exist_ok=True)
    (own / KEEP).touch()
    try:
        return run_as_root(own, arguments)
    finally:
        end_cgroups(own)


def why_not():
    if shutil.which("podman") is None:
        return "podman is not installed; run `make setup`"
    if os.geteuid() == 0:
        if not host._has_capability(Path("/"), 21):
            return "this root may not make namespaces (CAP_SYS_ADMIN is missing)"
    elif shutil.which("newuidmap") is None:
        return "newuidmap is not installed (package uidmap), so a user cannot run containers"
    return ""


# --- the directory, and what dead worlds left --------------------------------------------------


@contextlib.contextmanager
def directory():
    """A directory whose lock is held for as long as this process lives."""
    own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=BASE))
    lock = (own / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield own
    finally:
        remove(own)
        lock.close()


def sweep():
    """Remove what worlds left that were killed."""
    for left in BASE.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if left.stat().st_uid != os.geteuid():
                continue
            young = time.time() - left.stat().st_mtime < 10  # it may be about to take its lock
            if not (left / "lock").exists():
                if not young:
                    remove(left)
                continue
            with (left / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(left)


def remove(own):
    if os.geteuid() == 0:
        end_cgroups(own)
    else:
        end_user_world(own)
    shutil.rmtree(own, ignore_errors=True)


def end_cgroups(own):
    """Remove the control groups of the world's containers: they outlive its namespaces."""
    for kind in ("overlay-containers", "vfs-containers"):
        try:
            listed = json.loads((own / f"storage/storage/{kind}/containers.json").read_text())
        except (OSError, ValueError):
            continue
        for identity in (entry["id"] for entry in listed):
            found = Path("/sys/fs/cgroup").glob(f"**/libpod_parent/*{identity}*")
            for group in sorted(found, reverse=True):
                for inner, _, _ in os.walk(group, topdown=False):
                    with contextlib.suppress(OSError):
                        Path(inner).rmdir()


# --- as root -------------------------------------------------------------------------------------


def run_as_root(own, arguments):
    """Fork twice: namespaces for processes hold from the first child of whoever made them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    reading, writing = os.pipe()
    us = os.getpid()
    middle = os.fork()
    if middle == 0:
        os.close(reading)
        guarded(lambda: make_namespaces(own, arguments, writing, us))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        first = int(pipe.readline() or 0)
    return code(wait_for(middle, first, forward=first))


def make_namespaces(own, arguments, writing, parent):
    die_with(parent)
    check(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID), "unshare")
    us = os.getpid()
    first = os.fork()
    if first == 0:
        os.close(writing)
        die_with(us, namespace=True)
        return be_process_one(own, arguments)
    os.write(writing, b"%d\n" % first)
    os.close(writing)
    _, status = os.waitpid(first, 0)
    return code(status)


def be_process_one(own, arguments):
    """Furnish the world, run CMD, adopt and bury orphans, clear up."""
    furnish(own)
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    environment["ARCHIPELAGO_TEST_WORLD"] = "1"
    environment["ARCHIPELAGO_STATE_DIR"] = str(own / "state")
    environment["ARCHIPELAGO_DATA_DIR"] = str(own / "data")
    environment.update(host.prepare_host(own, environment))
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        guarded(lambda: execute(arguments, environment))
    status = wait_for(child, forward=child)
    if not (own / KEEP).exists():
        clear(own, environment)
    return code(status)


def execute(arguments, environment):
    try:
        os.execvpe(arguments[0], arguments, environment)
    except OSError as error:
        print(f"cannot run {arguments[0]}: {error.strerror}", file=sys.stderr)
        return 127


def furnish(own):
    mount(None, "/", flags=MS_REC | MS_SLAVE)  # what the machine unmounts, goes here as well
    mount("proc", "/proc", "proc")
    # A fresh /sys shows this network namespace; the control groups stay the machine's.
    for name in ("cgroup", "run", "storage", "etc"):
        (own / name).mkdir(exist_ok=True)
    mount("/sys/fs/cgroup", own / "cgroup", flags=MS_BIND | MS_REC)
    mount("sysfs", "/sys", "sysfs")
    mount(own / "cgroup", "/sys/fs/cgroup", flags=MS_MOVE)
    furnish_run(own / "run")
    mount("tmpfs", "/dev/shm", "tmpfs", data="mode=1777")  # Podman's locks
    if on_overlay(own):  # which cannot carry another overlay
        mount("tmpfs", own / "storage", "tmpfs")
    own_place("/var/lib/containers", own / "storage")
    shutil.copytree(
        "/etc/containers",
        own / "etc",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("networks"),
    )
    own_place("/etc/containers", own / "etc")
    for name in ("subuid", "subgid"):  # with numbers for users of an app's own
        there, ours = Path("/etc", name), own / name
        given = there.read_text() if there.exists() else there.touch() or ""
        ours.write_text(f"{given}containers:2147483648:1073741824\n")
        mount(ours, there, flags=MS_BIND)
    if Path("/etc/cni").is_dir():  # the networks of another age: Podman would only warn of them
        mount("tmpfs", "/etc/cni", "tmpfs")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)


def furnish_run(new):
    """A /run of our own that shows the machine's, except what Podman takes for its own."""
    mount("tmpfs", new, "tmpfs", data="mode=755")
    for entry in Path("/run").iterdir():
        copy = new / entry.name
        if entry.name in OWN_RUN or entry.name.startswith("archipelago"):
            continue
        if entry.is_symlink():
            copy.symlink_to(entry.readlink())
            continue
        if stat.S_ISDIR(entry.stat().st_mode):
            copy.mkdir()
        else:
            copy.touch()
        mount(entry, copy, flags=MS_BIND | MS_REC)
    mount(new, "/run", flags=MS_MOVE)
    for name in OWN_RUN - {"systemd", "udev"}:
        Path("/run", name).mkdir()


def own_place(place, source):
    Path(place).mkdir(parents=True, exist_ok=True)
    mount(source, place, flags=MS_BIND)


def on_overlay(path):
    shown = subprocess.run(
        ["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True, timeout=10
    )
    return shown.stdout.strip() == "overlayfs"


def clear(own, environment):
    """Remove the containers properly; the kernel ends the rest with process 1."""
    if any((own / "storage/storage").glob("*-containers/?*/userdata")):
        quiet(["podman", "rm", "--force", "--all", "--time", "0"], environment)


def wait_for(child, *until, forward):
    """Wait until `child` ends; hand on signals, and reap whatever else has ended here."""
    while True:
        told = signal.sigwaitinfo(FORWARDED | {signal.SIGCHLD})
        if told.si_signo != signal.SIGCHLD:
            if told.si_code != SI_KERNEL and forward:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(forward, told.si_signo)
            continue
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == child:
                    return ended[1]


def guarded(work):
    """Run `work` in a forked child that must never return into its parent's code."""
    status = 70
    try:
        status = work()
    except BaseException as error:  # noqa: BLE001 - the process ends here, whatever it was
        print(f"cannot make a Podman world: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def code(status):
    ended = os.waitstatus_to_exitcode(status)
    return ended if ended >= 0 else 128 - ended


def die_with(parent, *, namespace=False):
    """End when `parent` does; seen from a new process namespace, it has no number."""
    check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
    if os.getppid() not in ({0} if namespace else {parent}):
        os._exit(70)


def mount(source, target, kind=None, *, flags=0, data=None):
    encoded = [
        None if value is None else os.fsencode(str(value)) for value in (source, target, kind)
    ]
    check(_libc.mount(*encoded, flags, data and data.encode()), f"mount {target}")


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# --- as a user -----------------------------------------------------------------------------------


def run_as_user(own, arguments):
    environment = user_environment(own)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        guarded(lambda: execute(arguments, environment))
    return code(wait_for(child, forward=child))


def user_environment(own):
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    places = {
        "XDG_RUNTIME_DIR": own / "run",
        "XDG_DATA_HOME": own / "data",
        "XDG_CONFIG_HOME": own / "config",
    }
    for place in places.values():
        place.mkdir(mode=0o700, exist_ok=True)
    (own / "config/containers").mkdir(exist_ok=True)
    driver = "overlay" if host.detect().native_overlay and not on_overlay(own) else "vfs"
    (own / "config/containers/storage.conf").write_text(
        f'[storage]\ndriver = "{driver}"\n'
        f'graphroot = "{own}/storage"\nrunroot = "{own}/run/storage"\n'
    )
    environment.update({name: str(place) for name, place in places.items()})
    environment["ARCHIPELAGO_TEST_WORLD"] = "1"
    environment.update(host.prepare_host(own, environment))
    return environment


def end_user_world(own):
    """Containers of a user run in no namespace of ours: Podman has to end them."""
    if not (own / "storage").exists():
        return
    environment = user_environment(own)
    quiet(["podman", "rm", "--force", "--all", "--time", "0"], environment)
    quiet(["podman", "unshare", "rm", "-rf", str(own / "storage")], environment)
    for pid_file in own.glob("run/**/pause.pid"):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)


def quiet(command, environment):
    with contextlib.suppress(subprocess.SubprocessError, OSError):
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
