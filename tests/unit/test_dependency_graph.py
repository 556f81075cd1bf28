"""The picture of who needs whom."""

import json
import shutil

import pytest
from builders import app, desired, problem
from msgspec.structs import replace

from reconciler.model.dependency_graph import dot, graph_of
from reconciler.model.desired import Connection, Requirement

DB = replace(app("db"), requested=False, version="16")
WEB = replace(
    app("web"),
    requires=(
        Requirement("db"),
        Requirement("mail", unmet="requires mail ^2, and mail is 1"),
        Requirement("tor", optional=True),
    ),
)


def drawn(*apps, **more):
    return graph_of(desired(*apps, **more))


def test_needs_are_sorted_and_what_is_optional_and_not_there_is_left_out():
    assert [n.app for n in drawn(WEB, DB).needs("web")] == ["db", "mail"]
    assert [n.label() for n in drawn(WEB, DB, app("tor")).needs("web")] == [
        "db",
        "mail (requires mail ^2, and mail is 1)",
        "tor (optional)",
    ]
    assert drawn(WEB).needs("nobody") == ()


def test_it_begins_with_what_nobody_needs():
    assert drawn(WEB, DB, app("alone")).roots() == ("alone", "web")


REACHING = replace(
    WEB,
    requires=WEB.requires[:1],
    connections=(Connection("db", (5432,)), Connection("tor", (9050, 9051))),
)


def test_ports_are_told_of_what_is_needed_and_of_what_is_only_reached():
    it = drawn(REACHING, DB)
    assert [n.label() for n in it.needs("web")] == ["db (reached on 5432)"]
    assert [n.label() for n in it.reaches("web")] == ["tor (reached on 9050, 9051)"]
    assert it.reaches("nobody") == ()
    assert drawn(REACHING, DB, app("tor")).roots() == ("tor", "web")
    assert it.document()["connections"] == [
        {"from": "web", "to": "db", "ports": [5432]},
        {"from": "web", "to": "tor", "ports": [9050, 9051]},
    ]
    text = dot(it)
    assert '"web" -> "db" [label="5432", color=blue];' in text
    assert '"tor" [label="tor [not there]"];' in text


def test_a_ring_begins_with_its_first():
    assert drawn(app("b", requires=("a",)), app("a", requires=("b",)), DB).roots() == ("db", "a")


def test_what_is_to_be_said_of_an_app():
    it = drawn(WEB, DB, broken={"odd": problem("odd")})
    assert it.label("db") == "db 16 [installed as a dependency]"
    assert it.label("odd") == "odd [its manifest is broken]"
    assert it.label("mail") == "mail [not there]"
    assert it.label("web") == "web 1"
    assert "odd" in it.roots()


def test_the_document():
    assert drawn(replace(WEB, requires=WEB.requires[:1]), DB).document() == {
        "apps": [
            {"id": "db", "version": "16", "requested": False},
            {"id": "web", "version": "1", "requested": True},
        ],
        "broken": [],
        "needs": [{"from": "web", "to": "db", "optional": False, "unmet": ""}],
        "connections": [],
    }


def test_graphviz_language():
    text = dot(drawn(WEB, DB, app("tor"), broken={"odd": problem("odd")}))
    assert '"db" [label="db 16 [installed as a dependency]", style=dashed];' in text
    assert '"odd" [label="odd [its manifest is broken]", style=filled];' in text
    assert '"web" -> "db";' in text
    assert '"web" -> "mail" [color=red];' in text
    assert '"web" -> "tor" [style=dotted];' in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed here")
def test_graphviz_can_read_it():
    from reconciler.cli.graph import _drawn

    assert "<svg" in _drawn(dot(drawn(WEB, DB)))


def test_the_same_graph_is_the_same_text():
    assert json.dumps(drawn(WEB, DB).document()) == json.dumps(drawn(DB, WEB).document())
