import pytest

from reconciler.core import graph


@pytest.mark.parametrize(
    ("why", "requires", "want"),
    [
        ("no ring", {"a": ["b"], "b": []}, {}),
        ("an app that requires itself", {"a": ["a"]}, {"a": ("a", "a")}),
        (
            "a ring of two, told from its least name",
            {"b": ["a"], "a": ["b"]},
            {"a": ("a", "b", "a"), "b": ("a", "b", "a")},
        ),
        (
            "what is behind a ring is not in it",
            {"a": ["b"], "b": ["a"], "c": ["a"], "d": ["c"]},
            {"a": ("a", "b", "a"), "b": ("a", "b", "a")},
        ),
        (
            "what a ring needs is not in it",
            {"a": ["b", "x"], "b": ["a"], "x": []},
            {"a": ("a", "b", "a"), "b": ("a", "b", "a")},
        ),
        ("names nobody knows make no ring", {"a": ["ghost"]}, {}),
        (
            "two rings",
            {"a": ["a"], "b": ["c"], "c": ["b"]},
            {"a": ("a", "a"), "b": ("b", "c", "b"), "c": ("b", "c", "b")},
        ),
    ],
)
def test_rings(why, requires, want):
    assert graph.rings(requires) == want, why


def test_order_puts_what_is_required_first():
    requires = {"shop": ["db", "cache"], "db": ["disk"], "cache": [], "disk": []}
    order = graph.in_order(requires)
    for name, needs in requires.items():
        assert all(order.index(n) < order.index(name) for n in needs)
    assert order == ("cache", "disk", "db", "shop")


def test_names_of_a_ring_come_last():
    assert graph.in_order({"a": ["b"], "b": ["a"], "c": []}) == ("c", "a", "b")


def test_dependants_are_direct_and_sorted():
    assert graph.dependants({"z": ["db"], "a": ["db", "x"]}) == {"db": ("a", "z"), "x": ("a",)}


def test_closure_reaches_everything_and_ends_in_a_ring():
    assert graph.closure(["a"], {"a": ["b"], "b": ["c", "a"], "d": ["a"]}) == {"a", "b", "c"}
