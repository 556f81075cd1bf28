"""
The tests are tested: each deliberate bug in `mutants.MUTANTS` has to be noticed by them.

With MUTANTS_SHARE=3 a third of them is planted, another one each day.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from mutants import AT_ONCE, MUTANTS, run

SHARE = int(os.environ.get("MUTANTS_SHARE", "1"))
TODAY = datetime.now(UTC).toordinal()
CHOSEN = [m for number, m in enumerate(MUTANTS) if number % SHARE == TODAY % SHARE]

pytestmark = [pytest.mark.mutants, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def verdicts(request):
    """Begin with all that were asked for: each has a process of its own."""
    chosen = [i.callspec.params["mutant"] for i in request.session.items if _is_mutant(i)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {mutant: pool.submit(run, mutant, mutant.tests) for mutant in chosen}
        pool.shutdown(cancel_futures=True)


def _is_mutant(item):
    return item.path.name == "test_mutants.py" and "mutant" in getattr(item, "fixturenames", ())


@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda m: m.why)
def test_is_noticed_that(verdicts, mutant):
    noticed, told = verdicts[mutant].result()
    assert noticed, f"survived: in {mutant.file}, {mutant.new!r}\n{told[-1000:]}"


@pytest.mark.parametrize("tests", sorted({m.tests for m in CHOSEN}), ids=lambda t: t[0])
def test_without_a_mutant_there_is_nothing_to_notice(tests):
    """Else every mutant would seem to be caught."""
    noticed, told = run(None, tests)
    assert not noticed, told[-3000:]
