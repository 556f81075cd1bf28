"""What a parser says about broken YAML, in words for the person who wrote it."""

from typing import Final

_INDENTED: Final = "indent with the same number of spaces as the lines around it"
_SENTENCES: Final = {
    "mapping values are not allowed in this context": (
        "a `:` stands where no key can be: the line is indented wrongly, or a text needs quotes",
        'put texts that contain ": " in quotes',
    ),
    "found character that cannot start any token": (
        "a text cannot begin with this character",
        "put the text in quotes",
    ),
    "did not find expected key": (
        "the line fits nowhere: its indentation is wrong, or a bracket or quote above is open",
        _INDENTED,
    ),
    "did not find expected '-' indicator": (
        "the line does not belong to the list above it: its indentation is wrong",
        _INDENTED,
    ),
    "could not find expected ':'": ("the key has no `:` after it", "write `key: value`"),
    "did not find expected ',' or ']'": ("the list that opens with `[` is not closed", "add `]`"),
    "did not find expected ',' or '}'": (
        "the mapping that opens with `{` is not closed",
        "add `}`",
    ),
    "did not find expected node content": (
        "a value is missing: a bracket is open, or a sign stands where no value can begin",
        "close the bracket, or put the text in quotes",
    ),
    "found unknown escape character": (
        'after a backslash within "…" only certain characters may follow',
        "use '…', where a backslash is just a backslash",
    ),
    "block sequence entries are not allowed in this context": (
        "a list cannot begin on the line of its key",
        "begin it on the next line",
    ),
    "did not find expected <document start>": (
        "something follows after the end of the document",
        "divide documents by a line `---`",
    ),
    "did not find expected alphabetic or numeric character": (
        "`&` and `*` begin the name of an anchor, and no name follows",
        "put the text in quotes",
    ),
    "found undefined tag handle": ("tags are not used in manifests", "put the text in quotes"),
}


def sentence(problem: str, context: str, text: str, index: int) -> tuple[str, str]:
    """Return what is wrong at a place of the text, and what would be right."""
    line = text[text.rfind("\n", 0, index) + 1 :].partition("\n")[0]
    if "tab character" in problem or "\t" in line[: len(line) - len(line.lstrip())]:
        return "the line is indented with a tab", "YAML is indented with spaces only"
    if "quoted scalar" in context and "found unexpected" in problem:
        return "the quote that opens here is not closed", "close it"
    if problem in _SENTENCES:
        return _SENTENCES[problem]
    return f"it is not valid YAML ({problem})", ""
