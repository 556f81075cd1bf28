"""
Throws faults at a box on a real Podman, again and again, and sees whether it always comes right.

`make chaos` runs it in a world of its own: for CHAOS_SECONDS (600), with CHAOS_SEED (printed
first). Each round does one to four things to the box, mends what only a person could, leaves the
loop alone, and waits until desired equals observed. Clocks are not touched: the machine has one
for all; jumps of it are played in `property/test_anything_goes.py`.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from conftest import build_busybox, run_podman  # noqa: E402
from e2e.box import Box  # noqa: E402
from faults import FAULTS  # noqa: E402
from victim import APPS, Victim  # noqa: E402


class Chaos:
    """Rounds of faults, each followed by rest."""

    def __init__(self, box, seed, say=print):
        self.victim, self.chance, self.say = Victim(box), random.Random(seed), say
        self.seconds = {}  # until all was well again, by fault

    def run(self, seconds):
        """Do it for so long, then edit everything once more and compare all there is."""
        victim = self.victim
        ends = time.monotonic() + seconds
        try:
            victim.begin()
            number = 0
            while time.monotonic() < ends:
                number += 1
                self._round(number)
            self._last_edit()
        except BaseException:
            self.say(victim.told())
            raise
        finally:
            victim.end()
        self._table()
        return self.seconds

    def _round(self, number):
        victim, chance, done = self.victim, self.chance, []
        for fault in chance.sample(FAULTS, chance.randrange(1, 5)):
            told = fault(victim, chance)
            done.append((fault.__name__, told))
            time.sleep(chance.choice([0.0, 0.1, 0.5, 1.5]))
        self.say(f"{number:4}  " + ", ".join(f"{n} ({t})" if t else n for n, t in done))
        began = time.monotonic()
        victim.mend()
        victim.wait()
        took = time.monotonic() - began
        victim.assert_whole()
        for name, _ in done:
            self.seconds.setdefault(name, []).append(took)
        self.say(f"{'':4}  … well again after {took:.1f} s")

    def _last_edit(self):
        """From here on nothing stands in the way of telling: each app's change is told."""
        victim = self.victim
        before = victim.events()
        for name in APPS:
            victim.write(name)
        victim.wait()
        victim.assert_whole()
        victim.assert_told(before)

    def _table(self):
        self.say(
            "\nfault              rounds   median      max   (seconds until all was well again)"
        )
        for name, taken in sorted(self.seconds.items()):
            middle = statistics.median(taken)
            self.say(f"{name:18} {len(taken):6} {middle:8.1f} {max(taken):8.1f}")


def main():
    seconds = float(os.environ.get("CHAOS_SECONDS") or 600)
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
    print(f"CHAOS_SEED={seed} CHAOS_SECONDS={seconds:.0f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="archipelago-chaos-") as folder:
        (Path(folder) / "busybox").mkdir()
        build_busybox(Path(folder) / "busybox")
        box = Box(Path(folder) / "box", run_podman)
        Chaos(box, seed, lambda line: print(line, flush=True)).run(seconds)


if __name__ == "__main__":
    main()
