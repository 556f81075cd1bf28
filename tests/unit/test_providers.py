"""Who stands in for a dependency; each row is a box and what becomes of it."""

from dataclasses import dataclass, field

import pytest

from reconciler.core.providers import needs_of
from reconciler.model.manifest.app import AppManifest
from reconciler.model.version_range import VersionError, admits, check_range


def manifest(app, *dependencies, version="1.0", provides=()):
    given = {
        "id": app,
        "name": app,
        "container": {"image": "a"},
        "dependencies": list(dependencies),
        "provides": list(provides),
    }
    return AppManifest.model_validate(given | ({"version": version} if version else {}))


def box(*manifests):
    return {m.id: m for m in manifests}


def default(name):
    return {"name": name, "default": True}


@dataclass
class Case:
    why: str
    wanted: dict
    known: dict = field(default_factory=dict)
    more: tuple = ()
    stands_in: dict = field(default_factory=dict)
    unmet: dict = field(default_factory=dict)
    taken: tuple = ()


CORE = manifest("core", provides=["bitcoin"])
KNOTS = manifest("knots", provides=["bitcoin"])
CASES = [
    Case("nobody needs anything", box(manifest("a"))),
    Case(
        "a dependency that is wanted stands in for itself",
        box(manifest("a", "b"), manifest("b")),
        stands_in={"a": {"b": "b"}, "b": {}},
    ),
    Case(
        "one that is only in the catalogue is taken from there, and so is what it needs",
        box(manifest("a", "b")),
        box(manifest("b", "c"), manifest("c"), manifest("d")),
        more=("b", "c"),
        stands_in={"a": {"b": "b"}, "b": {"c": "c"}, "c": {}},
    ),
    Case(
        "an optional one is not taken from there",
        box(manifest("a", {"app_id": "b", "optional": True})),
        box(manifest("b")),
        stands_in={"a": {}},
    ),
    Case(
        "but is found where somebody else wants it",
        box(manifest("a", {"app_id": "b", "optional": True}), manifest("b")),
        stands_in={"a": {"b": "b"}, "b": {}},
    ),
    Case(
        "what is nowhere is named",
        box(manifest("a", "b")),
        unmet={"a": "requires b, which is neither desired nor in the catalogue"},
    ),
    Case(
        "a wanted app that provides the name stands in",
        box(manifest("lnd", "bitcoin"), KNOTS),
        box(CORE, KNOTS),
        stands_in={"lnd": {"bitcoin": "knots"}, "knots": {}},
    ),
    Case(
        "even beside another that is there for somebody who names it",
        box(manifest("lnd", "bitcoin"), KNOTS, manifest("pool", "core")),
        box(CORE, KNOTS),
        more=("core",),
        stands_in={
            "lnd": {"bitcoin": "knots"},
            "knots": {},
            "pool": {"core": "core"},
            "core": {},
        },
    ),
    Case(
        "even where the catalogue has another default",
        box(manifest("lnd", "bitcoin"), KNOTS),
        box(manifest("core", provides=[default("bitcoin")])),
        stands_in={"lnd": {"bitcoin": "knots"}, "knots": {}},
    ),
    Case(
        "the only one of the catalogue that provides the name is taken",
        box(manifest("lnd", "bitcoin")),
        box(CORE),
        more=("core",),
        stands_in={"lnd": {"bitcoin": "core"}, "core": {}},
    ),
    Case(
        "of several the one that is the default",
        box(manifest("lnd", "bitcoin")),
        box(manifest("core", provides=[default("bitcoin")]), KNOTS),
        more=("core",),
        stands_in={"lnd": {"bitcoin": "core"}, "core": {}},
    ),
    Case(
        "without a default a person has to choose",
        box(manifest("lnd", "bitcoin")),
        box(CORE, KNOTS),
        unmet={"lnd": "requires bitcoin, which is provided by core, knots: install one of them"},
    ),
    Case(
        "two defaults are none",
        box(manifest("lnd", "bitcoin")),
        box(*(manifest(a, provides=[default("bitcoin")]) for a in ("core", "knots"))),
        unmet={"lnd": "requires bitcoin, which is provided by core, knots: install one of them"},
    ),
    Case(
        "what another app needs by its id stands in for the name too, instead of the default",
        box(manifest("lnd", "bitcoin"), manifest("pool", "knots")),
        box(manifest("core", provides=[default("bitcoin")]), KNOTS),
        more=("knots",),
        stands_in={"lnd": {"bitcoin": "knots"}, "pool": {"knots": "knots"}, "knots": {}},
    ),
    Case(
        "a ring through the catalogue ends",
        box(manifest("a", "b")),
        box(manifest("b", "c"), manifest("c", "b")),
        more=("b", "c"),
    ),
    Case(
        "what is wanted but cannot be read stands in, and nothing is taken in its place",
        box(manifest("a", {"app_id": "b", "version": ">=9"})),
        box(manifest("b")),
        taken=("b",),
        stands_in={"a": {"b": "b"}},
    ),
    Case(
        "a version within the range is fine",
        box(
            manifest("a", {"app_id": "b", "version": ">=26.0 <28"}), manifest("b", version="27.1")
        ),
        stands_in={"a": {"b": "b"}, "b": {}},
    ),
    Case(
        "a version outside of it is told with both",
        box(manifest("a", {"app_id": "b", "version": "^2"}), manifest("b", version="1.9")),
        unmet={"a": "requires b ^2, and b is 1.9"},
    ),
    Case(
        "ranges that exclude each other are both told",
        box(
            manifest("a", {"app_id": "b", "version": "^2"}),
            manifest("c", {"app_id": "b", "version": "^1"}),
            manifest("b", version="1.9"),
        ),
        unmet={"a": "requires b ^2, and b is 1.9 (c asks for ^1)"},
    ),
    Case(
        "no version lies in no range",
        box(manifest("a", {"app_id": "b", "version": "^2"}), manifest("b", version=None)),
        unmet={"a": "requires b ^2, and b does not say its version"},
    ),
    Case(
        "of an app that stands in for a name its own version counts",
        box(manifest("a", {"app_id": "bitcoin", "version": ">=26"}), CORE),
        unmet={"a": "requires bitcoin >=26, and core is 1.0"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.why)
def test_who_stands_in(case):
    needs = needs_of(case.wanted, case.known, case.taken)
    assert tuple(sorted(needs.more)) == case.more
    if case.stands_in:
        assert needs.found == case.stands_in
    told = {a: [r.unmet for r in rs if r.unmet] for a, rs in needs.requirements.items()}
    assert {a: told[a] for a in told if told[a]} == {a: [text] for a, text in case.unmet.items()}


def test_the_order_of_what_is_wanted_means_nothing():
    wanted = box(manifest("lnd", "bitcoin"), manifest("pool", "knots"), manifest("x", "lnd"))
    known = box(manifest("core", provides=[default("bitcoin")]), KNOTS)
    turned = dict(reversed(wanted.items()))
    assert needs_of(wanted, known, ()).found == needs_of(turned, known, ()).found


# Ranges


@pytest.mark.parametrize(
    ("text", "version", "inside"),
    [
        (">=26.0", "26.0", True),
        (">= 26.0", "26.1", True),
        (">=26.0", "25.2", False),
        (">=26.0 <28", "27.2", True),
        (">=26.0 <28", "28.0", False),
        (">=26.0,<28", "27.2", True),
        (">=26.0,<28", "28.0", False),
        ("^1.2", "1.9", True),
        ("^1.2", "2.0", False),
        ("~1.2", "1.2.9", True),
        ("~1.2", "1.3", False),
        ("~=1.2", "1.9", True),
        ("==1.2.*", "1.2.5", True),
        ("!=1.2", "1.2", False),
        ("1.x", "1.5.2", True),
        ("1.2 - 2", "1.5", True),
        ("^1 || ^3", "3.1", True),
        ("*", "0.1", True),
        (">=0.18", "0.18.3-beta", True),
        (">=0.18,<1", "0.18.3-beta", True),
        (">=17", "v17.2", True),
        (">=30", "30-fpm", True),
        (">=2024.1", "2024.1", True),
        (">=1", "latest", False),
        (">=1,<2", "latest", False),
        ("==1.5", "1.5-alpine", True),
    ],
)
def test_a_version_lies_in_a_range_or_not(text, version, inside):
    assert admits(text, version) is inside


@pytest.mark.parametrize("text", ["", " ", "zebra", ">=", "^^1", "==", "1,2", "\n", "1" * 300])
def test_what_is_no_range(text):
    with pytest.raises(VersionError) as caught:
        check_range(text)
    assert ">=26.0 <28" in caught.value.hint
