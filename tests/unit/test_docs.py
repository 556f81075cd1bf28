"""What the pages say exists: files, verbs, settings, tests, layers."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from reconciler import __version__
from reconciler.cli.app import build
from reconciler.config import PREFIX, Limits, Settings, load_settings
from reconciler.model.change import Action

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    page
    for page in (
        *CHECKOUT.glob("*.md"),
        *(p for root in ("docs", "reconciler", "apps") for p in (CHECKOUT / root).rglob("*.md")),
    )
)
IDS = [str(page.relative_to(CHECKOUT)) for page in PAGES]
every_page = pytest.mark.parametrize("page", PAGES, ids=IDS)


def page_text(name):
    return (CHECKOUT / name).read_text()


def without_code(text):
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def code(text):
    """Return what stands in code: spans, and lines of blocks without their comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    return [*spans, *(line.partition(" # ")[0] for b in blocks for line in b.splitlines())]


def section(text, heading):
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"there is no section {heading!r}"
    return found[1]


def first_column(table):
    """Return what stands in code in the first cell of each row of a table."""
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")]
    return [(re.findall(r"`([^`]+)`", row[0]), row) for row in rows]


def anchors(text):
    """Return the anchors that a page's headings have."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


# --- links ---------------------------------------------------------------------------------------


@every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{page}: {target} does not exist"
        if anchor:
            assert anchor in anchors(there.read_text()), f"{page}: {target} has no such heading"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_page_that_everybody_looks_for_is_there(name):
    assert CHECKOUT / name in PAGES


# --- the command ---------------------------------------------------------------------------------


def verbs():
    return typer.main.get_command(build()).commands


def unknown(words):
    """Return the first word of a command line that the program does not know, or nothing."""
    command = typer.main.get_command(build())
    for word in words[1:]:
        if word.startswith("-"):
            option = word.partition("=")[0]
            if option not in {o for p in command.params for o in p.opts} | {"--help", "-h"}:
                return word
        elif subcommands := getattr(command, "commands", None):
            if word not in subcommands:
                return word
            command = subcommands[word]
    return ""


def command_lines(text):
    """Return the uses of `archipelago` in code, each as words; what follows | ; & is another's."""
    for snippet in code(text):
        found = re.search(r"(?:^|[\s/;=])(archipelago [a-z-].*)", snippet)
        if found:
            words = re.split(r"[|;&]", found[1])[0].replace("[", " ").replace("]", " ")
            yield shlex.split(words.replace("…", " ").replace("'", " "))


@every_page
def test_verbs_and_options_exist(page):
    for words in command_lines(page.read_text()):
        assert not unknown(words), f"{page}: `{' '.join(words)}`: there is no {unknown(words)}"


@pytest.mark.parametrize("line", ["archipelago audit x", "archipelago plan --now"])
def test_a_verb_that_does_not_exist_is_noticed(line):
    assert all(unknown(words) for words in command_lines(f"Say `{line}`."))
    assert list(command_lines(f"```sh\n$PWD/bin/{line}\n```\n"))


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_every_verb_is_in_the_table(page):
    cells = first_column(section(page_text(page), "The verbs" if page == "README.md" else "Verbs"))
    named = {snippet.split()[0] for snippets, _ in cells for snippet in snippets} - {"archipelago"}
    assert named == set(verbs())


# --- settings ------------------------------------------------------------------------------------


@every_page
def test_variables_exist(page):
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "CONFIG"}
    for name in re.findall(rf"\b{PREFIX}[A-Z][A-Z_]*", page.read_text()):
        assert name in known - {PREFIX + "DEFAULTS"}, f"{page}: there is no variable {name}"


IN_WORDS = {"defaults", "facts", "git", "lan"}  # no default that fits a table


def test_the_table_of_settings_is_complete_and_true():
    rows = first_column(section(page_text("docs/operations.md"), "Settings"))
    told = {snippets[0]: row for snippets, row in rows if snippets}
    assert set(told) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default = told[name][1].strip().strip("`")
        if not field.is_required() and field.default is not None and name not in IN_WORDS:
            assert default == str(field.default or "none").replace("True", "true"), name
        flag = told[name][2].strip().strip("`")
        assert not flag or flag in {o for p in verbs()["run"].params for o in p.opts}, name


def test_the_settings_file_that_is_shown_can_be_read(tmp_path):
    shown = re.search(r"```toml\n(.*?)```", page_text("docs/operations.md"), re.DOTALL)[1]
    assert set(tomllib.loads(shown)["defaults"]) == set(Limits.model_fields)
    file = tmp_path / "archipelago.toml"
    file.write_text(shown)
    assert load_settings({}, {}, file).prune_limit == 1
    assert load_settings({}, {}, None).defaults.pids == 2048  # as the comment says


# --- what the pages say of the code --------------------------------------------------------------


def missing_test(node):
    """Return what is missing of `file::test[row]`, or nothing."""
    file, _, rest = node.partition("::")
    name, _, row = rest.partition("[")
    path = CHECKOUT / file
    if not path.is_file():
        return file
    text = path.read_text()
    if name and f"def {name}(" not in text:
        return name
    return row if row and row.removesuffix("]") not in text else ""


def test_field_failures_name_only_tests_that_exist():
    named = re.findall(r"`(tests/[^`]+)`", page_text("docs/field-failures.md"))
    assert named
    assert [node for node in named if missing_test(node)] == []


@pytest.mark.parametrize(
    "node",
    [
        "tests/unit/test_nothing.py",
        "tests/unit/test_docs.py::test_nothing",
        "tests/unit/test_planner.py::test_the_plan_is[no such row]",
    ],
)
def test_a_test_that_does_not_exist_is_noticed(node):
    assert missing_test(node)


def test_every_field_failure_has_a_row():
    text = page_text("docs/field-failures.md")
    rows = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 46))


def test_the_layers_are_those_that_are_enforced():
    contracts = tomllib.loads(page_text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    house, core = (c["layers"] for c in contracts if c["type"] == "layers")
    told = section(page_text("reconciler/README.md"), "Layers")
    block = re.search(r"^```\n(.*?)^```", told, re.DOTALL | re.MULTILINE)[1]
    assert block.splitlines() == house
    sentence = re.search(r"Within `core`: (.*?)\. ", told, re.DOTALL)[1]
    assert re.findall(r"[a-z]+", sentence.replace("then", "")) == re.findall(
        r"[a-z]+", " ".join(core)
    )


def test_the_actions_are_told():
    row = next(
        line for line in page_text("reconciler/README.md").splitlines() if "| action |" in line
    )
    assert re.search(r"app\": (.*) \|$", row)[1].split(", ") == [str(a) for a in Action]


def test_each_decision_has_its_number_and_its_parts():
    pages = sorted((CHECKOUT / "docs/adr").glob("*.md"))
    assert [int(p.name[:4]) for p in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert re.search(r"^Status: (Draft|Accepted|Superseded)", text, re.MULTILINE)
        for part in ("Context", "Decision", "Consequences"):
            assert section(text, part).strip(), page


def test_this_version_is_in_the_changelog():
    assert f"## [{__version__}]" in page_text("CHANGELOG.md")


@every_page
def test_the_targets_of_make_exist(page):
    targets = set(re.findall(r"^([a-z0-9-]+):", page_text("Makefile"), re.MULTILINE))
    for snippet in code(page.read_text()):
        if found := re.match(r"make ([a-z0-9-]+)", snippet):
            assert found[1] in targets, f"{page}: make {found[1]}"
