"""Hundreds of real files: each imports, validates and resolves, and no value of it is lost."""

import copy
import random
import re
from functools import cache
from pathlib import Path

import pytest

from reconciler.core.resolve import Platform, resolve
from reconciler.importing.addon import import_addon
from reconciler.importing.compose import Beside, import_compose
from reconciler.importing.emit import manifest_text
from reconciler.importing.ledger import Fate
from reconciler.model.manifest.scalars import PlainScalar
from reconciler.model.snapshot import Snapshot
from reconciler.sources.manifests import load_documents
from reconciler.sources.yaml_documents import parse

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
GOAL = 0.95
LOOKED_AT = 6  # values of each file that are changed, to see whether anybody notices
SETS = {
    "casaos": ("*/docker-compose.yml", 160),
    "bigbear": ("*/docker-compose.yml", 240),
    "home-assistant-addons": ("*/config.yaml", 24),
}
every_set = pytest.mark.parametrize("name", SETS)


@cache
def files(name):
    pattern, least = SETS[name]
    found = tuple(sorted((CORPORA / name).glob(pattern)))
    if not found:
        pytest.skip(f"the corpus {name} is not beside this checkout, in {CORPORA}")
    assert len(found) >= least
    return found


@cache
def read(file):
    nodes, problems = parse(file.read_bytes(), file.name, foreign=True)
    assert problems == [], file
    return nodes[0].data


def draft(file, data):
    if file.name == "config.yaml":
        return import_addon(data)
    return import_compose(data, Beside(file.parent.name))


@cache
def imported(file):
    return draft(file, read(file))


def resolves(file):
    """Tell whether the manifest is good, and the app made of it with all questions answered."""
    app = copy.deepcopy(imported(file).app)
    for parameter in app.get("parameters", []):
        if parameter.pop("required", False):
            parameter["default"] = {"url": "http://x.org", "number": 1, "boolean": True}.get(
                parameter["type"], parameter.get("options", ["a@example.org"])[0]
            )
    loaded = load_documents(manifest_text(app, "x").encode(), f"{app.get('id')}.yml")
    found = resolve(Snapshot(documents=loaded.documents), Snapshot(), Platform())
    return (
        not loaded.problems
        and [p for p in found.problems if "not desired" not in p.message] == []
        and list(found.apps) == [app["id"]]
    )


def is_valid(file):
    text = manifest_text(imported(file).app, "x")
    return not imported(file).refusals and not load_documents(text.encode(), "m.yml").problems


@every_set
def test_nearly_all_import_validate_and_resolve(name):
    all_files = files(name)
    for step in (lambda file: not imported(file).refusals, is_valid, resolves):
        failed = [file.parent.name for file in all_files if not step(file)]
        assert len(failed) <= (1 - GOAL) * len(all_files), failed


def walk(data, path=()):
    """Yield each value that holds no other: not the importer's own way to look at it."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from walk(value, (*path, key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from walk(value, (*path, index))
    else:
        yield path


def said(draft, path):
    """Return what was said of a value, or of something around it."""
    return {draft.ledger.fates.get(path[:length]) for length in range(len(path) + 1)} - {None}


@every_set
def test_each_value_is_carried_told_or_without_meaning(name):
    for file in files(name):
        made = imported(file)
        paths = list(walk(read(file)))
        silent = [path for path in paths if not said(made, path)]
        assert silent == [], file
        told = {note.path for note in made.ledger.notes}
        for path, fate in made.ledger.fates.items():
            assert fate is not Fate.NOT_CARRIED or path in told, (file, path)
        assert made.carried + made.neutral + made.not_carried == len(paths), file


def value_at(data, path):
    for step in path:
        data = data[step]
    return data


def with_another(data, path):
    """Return the data with one value changed to something like it."""
    changed = copy.deepcopy(data)
    inner = value_at(changed, path[:-1])
    old = inner[path[-1]]
    if old in {"true", "false"}:
        new = "false" if old == "true" else "true"
    else:
        more = "/x" if old.startswith("/") else "x"
        new = str(int(old) + 1) if old.isdecimal() else old + more
    inner[path[-1]] = PlainScalar(new) if isinstance(old, PlainScalar) else new
    return changed


def outcome(made):
    notes = sorted((str(note.path), note.kind, note.message) for note in made.ledger.notes)
    return repr(made.app), repr(made.refusals), notes


_GONE = re.compile("the literal in|it is asked")


def is_expected(path, made):
    """A literal that became a secret is gone; patience of wget and of a check is bounded."""
    if path[-2:-1] == ("retries",) or path[-1] == "retries" or "test" in path:
        return True
    return any(note.path == path and _GONE.search(note.message) for note in made.ledger.notes)


@every_set
def test_what_is_carried_makes_a_difference(name):
    choice = random.Random(0)
    unnoticed = []
    for file in files(name):
        data, made = read(file), imported(file)
        carried = [
            path
            for path in walk(data)
            if made.ledger.fate_of(path) is Fate.CARRIED
            and isinstance(value_at(data, path), str)
            and not is_expected(path, made)
        ]
        unnoticed += [
            (file.parent.name, path)
            for path in choice.sample(carried, min(LOOKED_AT, len(carried)))
            if outcome(draft(file, with_another(data, path))) == outcome(made)
        ]
    assert unnoticed == []


def is_secret_told(file):
    """Tell whether a literal that became a secret still stands in the report."""
    made = imported(file)
    told = " ".join(note.message + note.hint for note in made.ledger.notes)
    literals = [
        str(value_at(read(file), note.path)).rpartition("=")[2]
        for note in made.ledger.notes
        if "the literal in" in note.message
    ]
    return any(len(literal) > 12 and literal in told for literal in literals if "_" not in literal)


@every_set
def test_no_secret_is_told(name):
    assert [file.parent.name for file in files(name) if is_secret_told(file)] == []
