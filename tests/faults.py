"""What `chaos.py` does to a box: each fault is a function that returns in what way it was done."""

import os
import signal
import time
from contextlib import suppress

from e2e.box import services
from victim import APPS, SICK


def kill_loop(victim, chance):
    """The reconciler dies at once, and is started again now or when all is mended."""
    if victim.it.process is None:
        return "it is dead already"
    victim.it.stop(signal.SIGKILL)
    if chance.random() < 0.5:
        victim.it.launch()
        return "started again"
    return "left dead"


def kill_service(victim, _):
    """Podman's service dies at once."""
    for pid in services(victim.it):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return ""


def freeze_service(victim, chance):
    """Podman's service takes requests and answers none, for some seconds."""
    for pid in services(victim.it):
        os.kill(pid, signal.SIGSTOP)
        victim.frozen.append(pid)
    seconds = chance.choice([1, 4, 4, 16])  # after the last it has been replaced
    time.sleep(seconds)
    # It answers all the same, unless its loop has just begun and knows nothing yet.
    victim.it.run("status", timeout=60, check=victim.it.status()["pass"]["number"] > 0)
    for pid in victim.frozen:
        with suppress(ProcessLookupError):  # replaced by the loop
            os.kill(pid, signal.SIGCONT)
    victim.frozen.clear()
    return f"{seconds} s"


def drift(victim, chance):
    """Somebody uses Podman by hand. It may be refused, or overtaken by the loop."""
    found = sorted(victim.it.containers().values(), key=lambda c: c["Names"][0])
    if not found:
        return "nothing is there"
    one = chance.choice(found)
    own = f"{victim.it.instance}-{one['Labels']['io.archipelago.app']}"
    how = chance.choice(["rm", "stop", "kill", "disconnect", "connect", "network rm"])
    match how:
        case "rm":
            victim.podman("rm", "-f", "-t", "0", one["Id"], check=False)
        case "stop":
            victim.podman("stop", "-t", "0", one["Id"], check=False)
        case "kill" if one["Pid"]:
            with suppress(ProcessLookupError):
                os.kill(one["Pid"], signal.SIGKILL)
        case "disconnect":
            victim.podman("network", "disconnect", "-f", own, one["Id"], check=False)
        case "connect":
            victim.podman("network", "connect", f"{victim.strange}-net", one["Id"], check=False)
        case "network rm":
            victim.podman("network", "rm", "-f", "-t", "0", own, check=False)
    return how


def edit(victim, chance):
    """Manifests change; some of them twice in a moment."""
    for name in chance.sample(sorted(APPS), chance.randrange(1, 4)):
        if victim.it.desired.exists():
            victim.write(name)
            victim.spoilt.discard(name)
    return ""


def spoil(victim, chance):
    """A manifest is half-written, taken away, or of something that never serves."""
    if not victim.it.desired.exists():
        return "the folder is away"
    name = chance.choice(sorted(APPS))
    how = chance.choice(["half", "nonsense", "delete", "sick", "crash"])
    file = victim.file(name)
    match how:
        case "half" if file.exists():
            text = file.read_text()
            file.write_text(text[: len(text) // 2])
        case "nonsense":
            file.write_text("app: {id: 7, nonsense: [")
        case "delete":
            file.unlink(missing_ok=True)
        case "sick":
            victim.write(name, check=SICK)
        case "crash":
            victim.write(name, command="exit 3")
    victim.spoilt.add(name)
    return how


def vanish(victim, _):
    """The folder is not there for a while, as if it were not mounted; nothing goes with it."""
    if not victim.it.desired.exists():
        return "it is away already"
    victim.it.desired.rename(victim.away)
    time.sleep(1.0)
    here = {c["Labels"]["io.archipelago.app"] for c in victim.it.containers().values()}
    if not victim.spoilt:
        assert here == set(APPS), f"only {here} are left of what was in the folder"
    return ""


def fill_disk(victim, _):
    """Not a byte more can be written into the state folder."""
    if not victim.own_disk:
        return "it has no disk of its own"
    with suppress(OSError), victim.ballast.open("ab", buffering=0) as file:
        while file.write(b"x" * 65536):
            pass
    with suppress(OSError), victim.ballast.open("ab", buffering=0) as file:
        while file.write(b"x"):
            pass
    return ""


def flush_rules(victim, chance):
    """Somebody clears the firewall."""
    table = f"archipelago-{victim.it.instance}"
    how = chance.choice(["flush", "delete"])
    victim.nft(how, "table", "inet", table)
    return how


FAULTS = (
    *(kill_loop, kill_service, freeze_service, drift, drift, edit, spoil, vanish),
    *(fill_disk, flush_rules),
)
