"""The table of rules: loaded in one transaction, listed, and changed for one app of many."""

import subprocess

from measuring import median, tell, timed

from reconciler.drivers.podman import nftables
from reconciler.drivers.podman.firewall import Firewall
from reconciler.model.isolation import IsolationSpec, Passage

COLUMNS = ["apps", "connections", "load ms", "list ms", "read ms", "change one ms"]
EACH = 2  # connections of an app
TIMES = 11


def street(count):
    """Every app is connected to the two after it."""
    bridges = [f"ar{number:010x}" for number in range(count)]

    def passages(number):
        others = sorted((number + k) % count for k in range(1, EACH + 1))
        return tuple(Passage(f"app{o:03}", bridges[o], 8080) for o in others)

    return tuple(IsolationSpec(f"app{n:03}", bridges[n], passages(n)) for n in range(count))


def nft(*arguments, text=""):
    done = subprocess.run(
        ["nft", *arguments], input=text, capture_output=True, text=True, check=True
    )
    return done.stdout


def measure(count):
    specs = street(count)
    text = nftables.script("bench", specs)
    loading = median([timed(lambda: nft("-f", "-", text=text)) for _ in range(TIMES)])
    table = ("-j", "list", "table", "inet", nftables.table_name("bench"))
    listing = median([timed(lambda: nft(*table)) for _ in range(TIMES)])
    listed = nft(*table)
    assert nftables.isolations(listed) == specs
    reading = median([timed(lambda: nftables.isolations(listed)) for _ in range(TIMES)])
    firewall = Firewall("bench")
    changing = median([timed(lambda: firewall.isolate(specs[0])) for _ in range(TIMES)])
    return [count, count * EACH, loading, listing, reading, changing]


def main():
    tell("rules", COLUMNS, [measure(count) for count in (10, 50, 200)], "goal: load 200 in 200 ms")


if __name__ == "__main__":
    main()
