"""`confirm revision`, and what is told of a git source, without a loop."""

import json
from functools import partial

import pytest
from git_server import Forge
from msgspec.structs import replace
from typer.testing import CliRunner
from unit.test_cli import NOW, box, running_loop, status_of

from reconciler.cli.app import build
from reconciler.model.commit import Commit, SourceStatus
from reconciler.report.places import allowed_commit_path
from reconciler.sources.git_call import Remote
from reconciler.sources.git_checkout import GitRepository

__all__ = ["box"]  # the fixture


@pytest.fixture
def forge(box, tmp_path):
    made = Forge(tmp_path / "forge")
    (tmp_path / "none.toml").write_text(f'[git]\nurl = "{made.tree}"\n')
    box.desired.rmdir()
    box.run = partial(without_a_folder, box)
    return made


def without_a_folder(box, *words, stdin=None):
    """The desired state is not named: it comes from the repository."""
    places = [f"--catalogue={box.root}/apps", f"--state-dir={box.state}"]
    places += ["--config", str(box.root / "none.toml")]
    return CliRunner().invoke(build(), [*words, *places], input=stdin)


def take(box, forge):
    """Have the newest commit in force, as a loop would."""
    repository = GitRepository(box.own("git"), Remote(str(forge.tree), "main"))
    repository.take(repository.commit(repository.fetch()))


def test_nothing_to_confirm(box, forge):
    forge.commit()
    assert "Nothing to confirm" in box.run("confirm", "revision", "--yes").stdout
    take(box, forge)
    forge.commit()
    assert "Nothing to confirm" in box.run("confirm", "revision", "--yes").stdout
    assert not allowed_commit_path(box.own("")).exists()


def test_going_back_is_shown_and_asked_for(box, forge):
    first = forge.commit("The first")
    forge.commit("The second")
    take(box, forge)
    forge.git("reset", "-q", "--hard", first)
    refused = box.run("confirm", "revision", stdin="n\n")
    assert refused.exit_code == 1
    assert "The second (Alice <alice@example.org>)" in refused.stdout
    assert not allowed_commit_path(box.own("")).exists()
    told = box.json("confirm", "revision", "--yes")
    assert (told["commit"], told["confirmed"]) == (first, True)
    assert json.loads(allowed_commit_path(box.own("")).read_text()) == {"commit": first}
    [entry] = [e for e in box.json("audit")["entries"] if e["kind"] == "operator"]
    assert (entry["verb"], entry["message"]) == ("confirm revision", first)


def test_without_a_repository_there_is_nothing_to_confirm(box):
    refused = box.run("confirm", "revision")
    assert refused.exit_code == 1
    assert "no [git] is set" in refused.stderr


def test_status_names_the_commit(box):
    commit = Commit("a" * 40, "Alice <a@example.org>", "Add \x1b[31mweb", signer="alice")
    source = SourceStatus("https://git.example.org/box.git", "main", commit)
    with running_loop(box, status_of(1, source=source)):
        shown = box.run("status").stdout
        assert "https://git.example.org/box.git main at aaaaaaaaaa: Add" in shown
        assert "\x1b" not in shown.partition("Desired state")[2].partition("signed")[0]
        assert box.json("status")["source"]["commit"] == "a" * 40
    with running_loop(box, status_of(1)):
        assert "Desired state of" not in box.run("status").stdout
        assert box.json("status")["source"] is None


def test_status_names_the_last_change_of_an_app(box):
    commit = Commit("a" * 40, "Ada <a@example.org>", "Install [red]web", NOW)
    told = status_of(1)
    told = replace(told, apps=tuple(replace(app, commit=commit) for app in told.apps))
    with running_loop(box, told):
        shown = box.run("status", "app-00").stdout
        assert "aaaaaaaaaa Install [red]web (Ada <a@example.org>), " in shown
        assert box.json("status", "app-00")["changed_by"] == {
            "commit": "a" * 40,
            "author": "Ada <a@example.org>",
            "subject": "Install [red]web",
            "committed_at": "2026-01-01T12:00:00.000Z",
        }
    with running_loop(box, status_of(1)):
        assert "changed by" not in box.run("status", "app-00").stdout
        assert box.json("status", "app-00")["changed_by"] is None
