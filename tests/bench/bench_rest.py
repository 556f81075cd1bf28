"""A pass at rest, beside the raw list of the same containers, taken in turns."""

import time

from measuring import box, median, tell, timed
from msgspec.structs import replace

from reconciler import wiring
from reconciler.config import load_settings

ROUNDS = 60
TARGET = 1.5
COLUMNS = ["containers", "raw list ms", "pass ms", "ratio", "our CPU ms", "without Podman ms"]


class Frozen:
    """An engine that saw the world once."""

    def __init__(self, driver):
        self._driver, self._seen = driver, driver.observe()

    def observe(self):
        return self._seen

    def __getattr__(self, name):
        return getattr(self._driver, name)


def measure(it, raw, count):
    settings = load_settings(
        {
            "desired_state": it.desired,
            "catalogue": it.catalogue,
            "state_dir": it.state,
            "instance": it.instance,
            "podman": it.service.url,
            "metrics": None,
        },
        {},
        None,
    )
    with wiring.loop(settings, log=False) as loop:
        look = loop.controller._run_pass  # as the loop calls it
        reconciler = look.__closure__[0].cell_contents
        for _ in range(5):
            look()
            time.sleep(0.1)
        raws, passes, ours = [], [], []
        for _ in range(ROUNDS):
            raws.append(timed(lambda: raw.list(it.instance)))
            cpu = time.thread_time()
            passes.append(timed(look))
            ours.append((time.thread_time() - cpu) * 1000)
        assert not any(c.acts for c in reconciler.preview()[1].changes), "not at rest"
        parts = reconciler._parts
        reconciler._parts = replace(parts, driver=Frozen(parts.driver))
        alone = [timed(look) for _ in range(ROUNDS)]
    ratio = median(passes) / median(raws)
    return [count, median(raws), median(passes), ratio, median(ours), median(alone)]


def main():
    rows = []
    with box() as (it, raw):
        written = 0
        for count in (10, 50, 100):
            for number in range(written, count):
                it.write(f"app{number:03}", command="exec sleep 9999")
            written = count
            it.run("apply", "--timeout", "120s", timeout=150)
            running = len(it.containers(running=True))
            assert running == count, running
            rows.append(measure(it, raw, count))
    tell("a pass at rest", COLUMNS, rows, f"medians of {ROUNDS}, goal: ratio <= {TARGET}")


if __name__ == "__main__":
    main()
