"""An image's name is taken apart exactly, or refused with the character that is wrong."""

import pytest

from reconciler.model.image_reference import (
    ImageReference,
    ImageReferenceError,
    parse_image_reference,
)

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "parts", "canonical"),
    [
        ("alpine", ("", "alpine", None, None), "docker.io/library/alpine:latest"),
        ("owner/app:1.2", ("", "owner/app", "1.2", None), "docker.io/owner/app:1.2"),
        (
            "docker.io/alpine",
            ("docker.io", "alpine", None, None),
            "docker.io/library/alpine:latest",
        ),
        ("localhost/app:1", ("localhost", "app", "1", None), "localhost/app:1"),
        (
            "localhost:5000/a/b/c",
            ("localhost:5000", "a/b/c", None, None),
            "localhost:5000/a/b/c:latest",
        ),
        ("r.example/a__b-c.d", ("r.example", "a__b-c.d", None, None), "r.example/a__b-c.d:latest"),
        (
            "r.example:65535/a@" + SHA,
            ("r.example:65535", "a", None, SHA),
            f"r.example:65535/a@{SHA}",
        ),
        ("[::1]:5000/a:T_1", ("[::1]:5000", "a", "T_1", None), "[::1]:5000/a:T_1"),
        (f"a:1@{SHA}", ("", "a", "1", SHA), f"docker.io/library/a:1@{SHA}"),
        ("UPPER.example/a", ("UPPER.example", "a", None, None), "UPPER.example/a:latest"),
        ("a---b/c", ("", "a---b/c", None, None), "docker.io/a---b/c:latest"),
        ("a@sha384:" + "b" * 96, ("", "a", None, "sha384:" + "b" * 96), None),
        ("a@other+x:" + "b" * 40, ("", "a", None, "other+x:" + "b" * 40), None),
    ],
)
def test_a_reference_has_parts(text, parts, canonical):
    reference = parse_image_reference(text)
    assert reference == ImageReference(*parts)
    assert str(reference) == text
    if canonical is not None:
        assert reference.canonical == canonical
        assert parse_image_reference(canonical).canonical == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty text names no image"),
        ("alpine; rm -rf /", "`;` at position 7"),
        ("alpine`id`", "position 7"),
        ("$(id)/a", "`$` at position 1"),
        ("a|b", "`|` at position 2"),
        ("a&b", "`&` at position 2"),
        ("a>b", "`>` at position 2"),
        ("a\\b", "`\\` at position 2"),
        ("a'b", "`'` at position 2"),
        ('a"b', '`"` at position 2'),
        ("a b", "a space at position 2"),
        (" a", "a space at position 1"),
        ("a\tb", "a tab at position 2"),
        ("a\n", "a line break at position 2"),
        ("a\x07", "'\\x07' at position 2"),
        ("{{image}}", "`{` at position 1"),
        ("ünder/a", "`ü` at position 1"),
        ("owner/App:1", "upper-case letter `A` at position 7"),
        ("r.example/Owner/app", "upper-case letter `O` at position 11"),
        ("Alpine", "upper-case letter `A` at position 1"),
        ("a//b", "empty"),
        ("/a", "empty"),
        ("a/", "empty"),
        ("r.example/", "empty"),
        ("a:", "the tag after `:` is missing"),
        ("a:-x", "must begin with"),
        ("a:" + "t" * 129, "at most 128"),
        ("a:b+c", "`+` at position 4"),
        ("a+b", "`+` at position 2"),
        ("a:b:c", "`:` at position 2"),
        ("a@", "digest"),
        ("a@sha256:abc", "digest"),
        ("a@" + SHA + "00", "digest"),
        ("a@b@" + SHA, "digest"),
        ("-a/b", "must begin and end"),
        ("a-/b", "must begin and end"),
        ("a..b", "must begin and end"),
        ("a___b", "must begin and end"),
        ("https://r.example/a", "an address"),
        ("r..example/a", "not the name of a registry"),
        ("-r.example/a", "not the name of a registry"),
        ("r.example:0/a", "0 in"),
        ("r.example:65536/a", "65536 in"),
        ("r.example:x/a", "not the name of a registry"),
        ("a/" + "b" * 254, "256 characters, 255 are the most"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(ImageReferenceError) as error:
        parse_image_reference(text)
    assert message in str(error.value)
    assert error.value.hint


def test_the_longest_name_is_allowed():
    assert parse_image_reference("a/" + "b" * 253).repository == "a/" + "b" * 253


def test_a_long_text_is_shown_short():
    with pytest.raises(ImageReferenceError) as error:
        parse_image_reference("A" * 500)
    assert len(str(error.value)) < 300
