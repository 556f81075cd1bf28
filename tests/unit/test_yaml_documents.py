"""YAML becomes plain data with places, in bounded time, and changes no value silently."""

import time

import pytest

from reconciler.model.manifest.scalars import PlainScalar
from reconciler.sources.yaml_documents import MAX_DOCUMENTS, MAX_SYNTAX_ERRORS, parse


def only(text: str):
    nodes, problems = parse(text.encode(), "f.yml")
    assert problems == []
    assert len(nodes) == 1
    return nodes[0]


AS_WRITTEN = "yes no on off y true 0o777 0777 1:30 1.10 1e3 .inf 2001-01-01 0x1f 1_000 = ~x"


@pytest.mark.parametrize("raw", AS_WRITTEN.split())
def test_a_plain_scalar_keeps_its_text(raw):
    value = only(f"a: {raw}").data["a"]
    assert isinstance(value, PlainScalar)
    assert value == raw


@pytest.mark.parametrize("raw", ["'no'", '"no"', "!!str no", "|\n  no", ">\n  no"])
def test_a_quoted_scalar_is_text(raw):
    value = only(f"a: {raw}").data["a"]
    assert type(value) is str
    assert value.strip() == "no"


@pytest.mark.parametrize("raw", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_nothing(raw):
    assert only(f"a: {raw}").data == {"a": None}


def test_places_count_from_one():
    node = only("a:\n  - b: 1\n    c: [x, y]\n")
    assert node.data == {"a": [{"b": "1", "c": ["x", "y"]}]}
    assert node.key_positions["a",] == (1, 1)
    assert node.positions["a", 0] == (2, 5)
    assert node.key_positions["a", 0, "c"] == (3, 5)
    assert node.positions["a", 0, "c", 1] == (3, 12)


def test_an_alias_is_expanded():
    assert only("a: &x [1, 2]\nb: *x\n*x2 : 3\n".replace("*x2 ", "c")).data["b"] == ["1", "2"]


def test_documents_know_their_lines():
    text = "# head\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n"
    nodes, problems = parse(text.encode(), "f")
    assert problems == []
    assert [(n.data, n.start_line, n.end_line) for n in nodes] == [
        ({"a": "1"}, 1, 2),
        ({"b": "2"}, 5, 7),
        ({"c": "3"}, 8, 9),
    ]


@pytest.mark.parametrize("text", ["", "# only this\n", "---\n", "---\n---\n", "\ufeff"])
def test_an_empty_file_holds_nothing(text):
    assert parse(text.encode(), "f") == ([], [])


def test_line_ends_of_other_systems_are_understood():
    nodes, problems = parse("\ufeffa: 1\r\n---\r\nb: 2\r\n".encode(), "f")
    assert problems == []
    assert [(n.data, n.start_line) for n in nodes] == [({"a": "1"}, 1), ({"b": "2"}, 2)]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a:\n\tb: 1", 2, 1, "indented with a tab"),
        ("a: |\n x\n\ty", 3, 1, "indented with a tab"),
        ('a: "x\nb: 1\n', 1, 4, "the quote that opens here is not closed"),
        ("a: 'x\n", 1, 4, "the quote that opens here is not closed"),
        ("a: [1, 2\nb: 3", 1, 4, "the list that opens with `[`"),
        ("a: {b: 2\nc: 3", 1, 4, "the mapping that opens with `{`"),
        ("a: [", 2, 1, "a value is missing"),
        ("a: b: c", 1, 5, "a `:` stands where no key can be"),
        ("a: 1\n b: 2", 2, 3, "a `:` stands where no key can be"),
        ("a:\n  - b\n c: 1", 3, 2, "the line fits nowhere"),
        ("a: 1\nb", 2, 1, "the key has no `:`"),
        ("a: @b", 1, 4, "cannot begin with this character"),
        ("a: `b`", 1, 4, "cannot begin with this character"),
        ("a: *", 1, 5, "`&` and `*` begin the name of an anchor"),
        ("a: - b", 1, 4, "a list cannot begin on the line of its key"),
        ('a: "\\q"', 1, 4, "after a backslash"),
        ("a: !x!y z", 1, 4, "tags are not used"),
        ("a: 1\na: 2", 2, 1, "the key `a` is given twice: first in line 1"),
        ("a: {b: 1, b: 2}", 1, 11, "the key `b` is given twice"),
        ("8080: 80", 1, 1, "the key `8080` is not a text"),
        ("true: 1", 1, 1, "the key `true` is not a text"),
        ("? [a]\n: 1", 1, 3, "a key is a list or a mapping"),
        ("null: 1", 1, 1, "a key is nothing"),
        ("<<: {a: 1}", 1, 1, "merge keys (`<<`) are not available"),
        ("a: !!python/object:os.system x", 1, 4, "the tag `tag:yaml.org,2002:python/object:os"),
        ("a: !!map {b: 1}", 1, 4, "the tag"),
        ("a: !mine [1]", 1, 4, "the tag `!mine`"),
        ("a: *b", 1, 4, "`*b` stands for nothing"),
        ("a: &b [*b]", 1, 8, "`*b` stands for nothing"),
        ("a: \x00", 1, 4, "the control character '\\x00'"),
        ("a: 1\nb: \x1b[0m", 2, 4, "the control character '\\x1b'"),
        ("%YAML 3.0\n---\na: 1", 1, 1, "it is not valid YAML (found incompatible YAML document)"),
    ],
)
def test_a_problem_has_a_place_and_a_sentence(text, line, column, message):
    _, problems = parse(text.encode(), "f")
    assert [(p.origin.line, p.origin.column) for p in problems] == [(line, column)]
    assert message in problems[0].message
    assert problems[0].message.startswith("cannot read ")


def test_all_problems_of_a_document_are_told_at_once():
    _, problems = parse(b"a: 1\na: 2\n8: 3\nb: *x\n<<: {}\n", "f")
    assert [p.origin.line for p in problems] == [2, 3, 4, 5]


def test_the_first_of_two_equal_keys_stays():
    nodes, _ = parse(b"a: 1\na: 2\n", "f")
    assert nodes[0].data == {"a": "1"}
    assert nodes[0].sound is False


def test_a_syntax_error_spares_the_other_documents():
    text = b"a: 1\n---\nb: 'open\n---\nc: 3\n---\nd: {\n---\ne: 5\n"
    nodes, problems = parse(text, "f")
    assert [(n.data, n.start_line, n.end_line) for n in nodes] == [
        ({"a": "1"}, 1, 1),
        ({"c": "3"}, 4, 5),
        ({"e": "5"}, 8, 9),
    ]
    assert [p.origin.line for p in problems] == [3, 8]


def test_syntax_errors_are_told_up_to_a_bound():
    _, problems = parse(b"a: {\n---\n" * 100, "f")
    assert len(problems) == MAX_SYNTAX_ERRORS


def test_the_app_of_a_broken_document_is_known():
    _, problems = parse(b"app:\n  id: lnd\n  name: 'x\n", "f")
    assert problems[0].app == "lnd"
    _, problems = parse(b"app:\n  id: Not An Id\n  name: 'x\n", "f")
    assert problems[0].app is None


def test_text_that_is_not_utf8_has_a_place():
    _, problems = parse(b"a: 1\nb: \xff\n", "f")
    assert (problems[0].origin.line, problems[0].origin.column) == (2, 4)
    assert "UTF-8" in problems[0].message


BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * (1024 * 1024 + 1), "1048577 bytes, 1048576 are the most"),
        ("- a\n" * 260_000, "more than 20000 values"),
        (BILLION, "more than 20000 values"),
        ("[" * 100_000, "nested deeper than 64"),
        ("{a: " * 200_000, "nested deeper than 64"),
        ("- " * 500_000, "nested deeper than 64"),
        ("---\n" * (MAX_DOCUMENTS + 50), "more than 256 documents"),
        ("a: *x\n" * 30_000, "`*x` stands for nothing"),
        ("a: 1\n" * 30_000, "is given twice"),
        ("a: {\n---\n" * 100_000, "a value is missing"),
    ],
)
def test_what_is_too_much_is_refused_at_once(text, message):
    begin = time.perf_counter()
    _, problems = parse(text.encode(), "f")
    assert time.perf_counter() - begin < 2  # far above what it takes, far below a hang
    assert message in problems[0].message


def test_an_alias_within_bounds_is_no_bomb():
    assert only("a: &a [1, 2, 3]\nb: [*a, *a]\n").data["b"] == [["1", "2", "3"], ["1", "2", "3"]]


# --- what is no manifest -------------------------------------------------------------------------


def foreign(text: str):
    return parse(text.encode(), "f.yml", foreign=True)


def test_merges_bring_what_a_mapping_has_not():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}\nd: {y: 4, <<: *a}\n"
    nodes, problems = foreign(text)
    assert problems == []
    assert nodes[0].data["c"] == {"z": "3", "x": "1", "y": "1"}
    assert nodes[0].data["d"] == {"y": "4", "x": "1"}


def test_a_merge_of_a_merge_brings_both():
    nodes, problems = foreign("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n")
    assert problems == []
    assert nodes[0].data["c"] == {"y": "2", "x": "1"}


def test_a_quoted_merge_key_is_a_key():
    assert foreign('{"<<": a}')[0][0].data == {"<<": "a"}


def test_only_mappings_can_be_merged():
    _, (problem,) = foreign("a: 1\nb:\n  <<: text\n")
    assert "takes a mapping" in problem.message
    assert problem.origin.line == 3


def test_merges_are_bounded_like_aliases():
    text = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(500)) + "}\n"
    nodes, (problem,) = foreign(text + "".join(f"b{n}: {{<<: *a}}\n" for n in range(100)))
    assert nodes == []
    assert "more than 20000 values" in problem.message


def test_keys_that_look_like_numbers_are_texts():
    nodes, problems = foreign("80: a\n1.5: b\ntrue: c\n")
    assert problems == []
    assert nodes[0].data == {"80": "a", "1.5": "b", "true": "c"}


def test_a_manifest_still_has_no_merges():
    _, problems = parse(b"a: &a {x: 1}\nb: {<<: *a}\n", "f.yml")
    assert "merge keys" in problems[0].message
