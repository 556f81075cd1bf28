"""Variables mean what Compose says they mean; what has no value stays open, and is never empty."""

import pytest

from reconciler.importing.interpolation import (
    InterpolationError,
    Variables,
    expand_all,
    fill,
    open_variables,
)

KNOWN = {"A": "one", "EMPTY": ""}


@pytest.mark.parametrize(
    ("why", "text", "want"),
    [
        ("a text without variables is itself", "plain", "plain"),
        ("a variable is its value", "$A/${A}", "one/one"),
        ("two dollars are one", "$$A ${A}$$", "$A one$"),
        ("a name ends where no letter can be", "$A-x", "one-x"),
        ("an unset variable stays open", "a ${B} $C", "a <B> <C>"),
        ("an empty variable is empty", "[$EMPTY]", "[]"),
        ("a default is taken where nothing is set", "${B:-b}", "b"),
        ("a default may be empty", "[${B:-}]", "[]"),
        ("a value goes before the default", "${A:-b}", "one"),
        ("`:-` takes the default for an empty value", "${EMPTY:-b}", "b"),
        ("`-` keeps an empty value", "[${EMPTY-b}]", "[]"),
        ("a default may hold a variable", "${B:-x${A}y}", "xoney"),
        ("a default may hold an unset variable", "${B:-${C}}", "<C>"),
        ("a default may hold colons and dashes", "${B:-http://a-b:1/-}", "http://a-b:1/-"),
        ("a default may hold a closed brace of its own variable", "${B:-${C:-d}}e", "de"),
        ("`:?` leaves an unset variable open", "${B:?set it}", "<B>"),
        ("`:?` leaves an empty one open", "${EMPTY:?set it}", "<EMPTY>"),
        ("`?` keeps an empty value", "[${EMPTY?set it}]", "[]"),
        ("`:?` gives a value that is there", "${A:?set it}", "one"),
        ("`:+` gives the other text where a value is", "${A:+b}", "b"),
        ("`:+` gives nothing where none is", "[${B:+b}${EMPTY:+b}]", "[]"),
        ("`+` counts an empty value", "${EMPTY+b}", "b"),
        ("a dollar before no name is a dollar", "$2a$10 5$", "$2a$10 5$"),
    ],
)
def test_a_text_is_expanded(why, text, want):
    expanded = Variables(KNOWN).expand(text)
    assert fill(expanded, lambda name: f"<{name}>") == want, why


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${A", "not closed"),
        ("${A:-${B}", "not closed"),
        ("${}", "no name follows"),
        ("${1}", "no name follows"),
        ("${A!b}", "is not a variable"),
        ("a\0b", "NUL"),
        ("${A:-" * 1 + "${B:-" * 20 + "}" * 21, "nested deeper than 16"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(InterpolationError, match=message.replace("$", r"\$")):
        Variables({}).expand(text)


def test_what_a_variable_is_for_is_remembered():
    variables = Variables({})
    variables.expand("${KEY:?get one at example.org} ${KEY:?again} ${OTHER?}")
    assert variables.questions == {"KEY": "get one at example.org"}


def test_open_variables_are_told_once_in_the_order_of_the_text():
    assert open_variables(Variables({}).expand("$B $A ${B:?x}")) == ["B", "A"]


def test_data_is_expanded_and_what_cannot_be_is_told_with_its_path():
    told = []
    data = {"a": ["$A", {"b": "${"}], "$A": None}
    found = expand_all(data, ("top",), Variables(KNOWN), lambda p, m: told.append((p, m)))
    assert found == {"a": ["one", {"b": None}], "$A": None}
    assert [path for path, _ in told] == [("top", "a", 1, "b")]
