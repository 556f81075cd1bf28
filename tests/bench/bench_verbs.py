"""How long verbs that only look take, as a user feels it: the whole process."""

from measuring import box, median, p90, tell, timed

APPS = 50
ROUNDS = 9
COLUMNS = ["verb", "median ms", "p90 ms", "least ms"]


def main():
    rows = []

    def measure(name, work):
        took = [timed(work) for _ in range(ROUNDS)]
        rows.append([name, median(took), p90(took), min(took)])

    with box() as (it, _):
        for number in range(APPS):
            it.write(f"app{number:02}", command="exec sleep 9999")
        it.run("apply", "--timeout", "120s", timeout=150)
        for loop in (False, True):
            where = "with a loop" if loop else "without a loop"
            if loop:
                it.start()
                it.wait_ready(*(f"app{n:02}" for n in range(APPS)))
            for verb in (
                ["plan"],
                ["status"],
                ["status", "app01"],
                ["status", "--output", "json"],
            ):
                measure(f"{' '.join(verb)}, {where}", lambda v=verb: it.run(*v))
        measure("validate", lambda: it.run("validate", str(it.desired)))
        it.stop()
    tell("verbs", COLUMNS, rows, f"{APPS} apps, goal: less than 500 ms")


if __name__ == "__main__":
    main()
