"""A new rule of the digest recreates nothing of what an earlier one made."""

import pytest
from builders import app, container, desired, observed, running, situation, told
from msgspec.structs import replace

from reconciler.core import digest
from reconciler.core.lineage import Lineage, Made, as_made, earlier
from reconciler.core.planner import compare_all, plan

# A rule before the present one: what it covered, it told otherwise.
BEFORE = Lineage({"0": lambda c: {"image": c.image, "told": "otherwise"}, **digest.RULES})


def by_the_rule_before(spec):
    """The same app, as a program with the earlier rule would have made it."""
    made = tuple(_before(c) for c in spec.containers)
    spec = replace(spec, containers=made)
    return replace(spec, digest=digest.app_digest(spec, "0"))


def _before(spec):
    found = digest.container_digest(spec, "0", BEFORE.rules)
    name = f"archipelago-{spec.app}-{spec.name}-{digest.short(found)}"
    return replace(spec, digest=found, container_name=name)


WEB = app("web", container("web", "main"), container("web", "db", image="localhost/db:1"))
# `app` leaves the names that its containers were given; here they hold the digest.
WEB = replace(
    WEB,
    containers=tuple(
        replace(c, container_name=f"archipelago-web-{c.name}-{digest.short(c.digest)}")
        for c in WEB.containers
    ),
)
OLD = by_the_rule_before(WEB)


def test_what_an_earlier_rule_made_is_what_is_wanted():
    made = earlier(running(OLD), BEFORE)
    assert made == {Made("web", c.name, c.digest) for c in OLD.containers}
    assert as_made(desired(WEB), made, BEFORE) == desired(OLD)


def test_nothing_is_recreated():
    have = observed(*running(OLD))
    worn = as_made(desired(WEB), earlier(have.containers, BEFORE), BEFORE)
    for want, action in ((desired(WEB), "update"), (worn, "keep")):
        given = situation(want, have)
        ((_, found, _),) = told(plan(given, compare_all(given)))
        assert found == action


def test_what_has_changed_since_is_made_by_the_present_rule():
    other = container("web", "db", image="localhost/db:2")
    changed = app("web", WEB.containers[0], other)
    worn = as_made(desired(changed), earlier(running(OLD), BEFORE), BEFORE).apps["web"]
    assert [digest.version_of(c.digest) for c in worn.containers] == ["0", digest.VERSION]
    assert worn.container("db") == changed.container("db")
    assert worn.digest == digest.app_digest(worn) != OLD.digest


@pytest.mark.parametrize(
    ("why", "seen"),
    [
        ("nothing runs", ()),
        ("the present rule made it", running(WEB)),
        ("another rule made it, which nobody knows", [replace(running(OLD)[0], digest="7-ab")]),
        ("it was made otherwise", [replace(running(OLD)[0], digest="0-ab")]),
        ("another app was made so", [replace(s, app="other") for s in running(OLD)]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_it_wears_its_own_where(why, seen):
    assert as_made(desired(WEB), earlier(seen, BEFORE), BEFORE) == desired(WEB)


def test_a_rule_that_nobody_knows_is_not_gone_through_in_every_pass():
    assert earlier([replace(running(OLD)[0], digest="7-ab")], BEFORE) == frozenset()
