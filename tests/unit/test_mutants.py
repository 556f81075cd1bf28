"""
The tests are tested: each deliberate bug in `mutants.MUTANTS` has to be noticed by them.

With MUTANTS_SHARE=3 a third of them is planted: another one whenever the code they break changes.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from mutants import AT_ONCE, MUTANTS, part, run, times

CHOSEN = part(int(os.environ.get("MUTANTS_SHARE", "1")))
planted = pytest.mark.mutants
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.why)
def test_the_code_is_there_that_is_broken_so_that(mutant):
    assert times(mutant) == 1, f"{mutant.file} holds {times(mutant)} times, not once: {mutant.old}"


@pytest.fixture(scope="module")
def verdicts(request):
    """Begin with all that were asked for: each has a process of its own."""
    chosen = [i.callspec.params["mutant"] for i in request.session.items if _is_planted(i)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {mutant: pool.submit(run, mutant, mutant.tests) for mutant in chosen}
        pool.shutdown(cancel_futures=True)


def _is_planted(item):
    return item.path.name == "test_mutants.py" and "verdicts" in getattr(item, "fixturenames", ())


@planted
@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda m: m.why)
def test_is_noticed_that(verdicts, mutant):
    noticed, told = verdicts[mutant].result()
    assert noticed, f"survived: in {mutant.file}, {mutant.new!r}\n{told[-1000:]}"


@planted
@pytest.mark.parametrize("tests", sorted({m.tests for m in CHOSEN}), ids=lambda t: t[0])
def test_without_a_mutant_there_is_nothing_to_notice(tests):
    """Else every mutant would seem to be caught."""
    noticed, told = run(None, tests)
    assert not noticed, told[-3000:]
