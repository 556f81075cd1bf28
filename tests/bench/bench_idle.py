"""What a loop costs while nothing happens: memory, and the share of one core."""

import os
import sys
import time
from pathlib import Path

from measuring import box, tell

SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")
CHECK = {"type": "tcp", "endpoint": "localhost:8080", "interval": "30s"}


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024


def main():
    counts = [int(word) for word in sys.argv[1:]] or [10, 100]
    rows = []
    for count in counts:
        with box() as (it, _):
            for number in range(count):
                it.write(f"app{number:03}", health_check=CHECK)
            it.start(ARCHIPELAGO_INTERVAL="30")
            it.wait_ready(*(f"app{n:03}" for n in range(count)), patience=300)
            time.sleep(70)  # until all have served for their window, and nothing is left to do
            before, passes = cpu_seconds(it.process.pid), it.status()["pass"]["number"]
            time.sleep(SECONDS)
            used = cpu_seconds(it.process.pid) - before
            made = it.status()["pass"]["number"] - passes
            rows.append([count, resident_mib(it.process.pid), 100 * used / SECONDS, made])
            it.stop()
    columns = ["apps", "resident MiB", "% of a core", "passes"]
    tell("a loop at rest", columns, rows, f"{SECONDS} s, a probe each 30 s")


if __name__ == "__main__":
    main()
