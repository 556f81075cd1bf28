"""The audit log: entries through to the disk, and the reading of all of them."""

import shutil
import tempfile
from pathlib import Path

from measuring import tell, timed

from reconciler.clock import SystemClock
from reconciler.model.change import Action, Change, Outcome, Reason, Result
from reconciler.report.audit import files
from reconciler.report.audit.box_key import verifier_of
from reconciler.report.audit.log import AuditLog
from reconciler.report.audit.verify import verify

COLUMNS = ["entries", "written per second", "opened again ms", "verified ms"]
CHANGE = Change("web", Action.INSTALL, Reason.NOT_INSTALLED, "because", "v1:" + "a" * 64)
GOAL = "goal: 1,000 entries a second, each through to the disk"


def acts(log, count):
    now = SystemClock().now()
    for _ in range(count // 2):
        log.begins(CHANGE)
        log.ended(Outcome(CHANGE, Result.APPLIED, "", now, now, 3))


def measure(count):
    # Not where files are in memory only, which the system's own folder for them may be.
    folder = Path(tempfile.mkdtemp(prefix="archipelago-bench-", dir=Path.cwd()))
    try:
        log = AuditLog(folder, "box/archipelago/bench", SystemClock())
        took = timed(lambda: acts(log, count))
        log.close()
        opened = timed(lambda: AuditLog(folder, "box", SystemClock()).note({"kind": "operator"}))
        note = (folder / files.CHECKPOINT).read_text()
        checked = timed(lambda: verify(folder, verifier_of(folder), note))
        return [count, count / (took / 1000), opened, checked]
    finally:
        shutil.rmtree(folder)


def main():
    tell("audit", COLUMNS, [measure(count) for count in (1_000, 10_000)], GOAL)


if __name__ == "__main__":
    main()
