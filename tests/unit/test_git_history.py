"""The last change of each app, by commit: on real git; what is not known is not told."""

import json
from datetime import timedelta

import pytest
from builders import NOW, app, desired, situation
from git_server import Forge
from msgspec.structs import replace
from unit.test_basis import began
from unit.test_git_source import Follow
from unit.test_resolve import document

from reconciler.core.last_commits import last_commits
from reconciler.core.planner import plan
from reconciler.looking_back import LookBack
from reconciler.model.commit import Commit
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import SuspendManifest
from reconciler.model.origin import Origin
from reconciler.sources import git_history
from reconciler.sources.git_call import Git
from reconciler.sources.git_history import ChangesFile, last_changes, of_tree
from reconciler.sources.work_tree import around

OLD, NEW = (Commit(c * 40, "A", "s", NOW + timedelta(days=d)) for c, d in (("a", 0), ("b", 1)))


@pytest.fixture
def forge(tmp_path):
    return Forge(tmp_path / "forge")


def found(forge, below="", **more):
    head = forge.git("rev-parse", "HEAD")
    told = last_changes(Git(forge.tree / ".git"), head, below, **more)
    return {path: commit.id for path, commit in told.items()}


def test_each_file_has_the_newest_commit_that_changed_it(forge):
    forge.write("box/web.yml", "1")
    forge.write("box/deep/db.yaml", "1")
    forge.write("box/notes.txt", "1")
    first = forge.commit("Add both")
    forge.write("box/web.yml", "2")
    second = forge.commit("Change web")
    forge.write("elsewhere.yml", "1")
    forge.commit("Elsewhere")
    assert found(forge, "box") == {"web.yml": second, "deep/db.yaml": first}
    assert set(found(forge)) == {"box/web.yml", "box/deep/db.yaml", "elsewhere.yml"}
    assert found(forge, "nothing") == {}


def test_a_change_on_a_branch_counts_not_its_merge(forge):
    forge.write("web.yml", "1")
    forge.commit()
    forge.git("checkout", "-q", "-b", "side")
    forge.write("web.yml", "2")
    side = forge.commit("On the side")
    forge.git("checkout", "-q", "main")
    forge.write("other.yml", "1")
    forge.commit()
    forge.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    assert found(forge)["web.yml"] == side


def test_what_anybody_may_write_is_data(forge):
    forge.write("web.yml", "1")
    name = "Eve \x1b[31m[bold]"
    made = forge.commit("Red \x1b[31m" + "x" * 500 + "\n\nbody", GIT_AUTHOR_NAME=name)
    told = last_changes(Git(forge.tree / ".git"), made, "")["web.yml"]
    assert told.subject.startswith("Red \N{REPLACEMENT CHARACTER}[31mxxx")
    assert len(told.subject) == 200
    assert told.author == "Eve \N{REPLACEMENT CHARACTER}[31m[bold] <alice@example.org>"
    assert told.committed_at is not None


def test_a_file_named_as_a_commit_or_with_a_line_end_misleads_nobody(forge):
    forge.write("a" * 40, "x")
    forge.write(":100644 x\n.yml", "x")
    forge.write("web.yml", "x")
    made = forge.commit()
    assert found(forge) == {"web.yml": made, ":100644 x\n.yml": made}


def test_a_long_history_is_not_gone_through_to_its_end(forge, monkeypatch):
    forge.write("old.yml", "1")
    forge.commit()
    forge.write("web.yml", "1")
    made = forge.commit()
    monkeypatch.setattr(git_history, "COMMITS", 1)
    assert found(forge) == {"web.yml": made}


# --- a work tree of somebody's ---


def look_at(forge, tmp_path, folder, commit=""):
    commit = commit or forge.git("rev-parse", "HEAD", at=folder)
    return of_tree(around(folder), tmp_path / "borrowed.git", folder, commit)


def test_nothing_of_a_work_tree_runs_and_nothing_is_written_there(forge, tmp_path):
    forge.key("eve")
    forge.write("box/web.yml", "1")
    made = forge.commit(key="eve")
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 >> {ran}\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "gpg.ssh.program", "core.pager", "diff.external"):
        forge.git("config", name, str(program))
    forge.git("config", "log.showSignature", "true")
    before = sorted(str(f) for f in (forge.tree / ".git").rglob("*"))
    told = look_at(forge, tmp_path, forge.tree / "box")
    assert {file: by.id for file, by in told.items()} == {str(forge.tree / "box/web.yml"): made}
    assert not ran.exists()
    assert sorted(str(f) for f in (forge.tree / ".git").rglob("*")) == before


def test_a_shallow_clone_does_not_say_what_its_first_commit_changed(forge, tmp_path):
    forge.write("old.yml", "1")
    forge.commit()
    forge.write("web.yml", "1")
    forge.commit()
    forge.write("db.yml", "1")
    made = forge.commit()
    clone = tmp_path / 'a "clone": here'
    forge.git("clone", "-q", "--depth=2", f"file://{forge.tree}", str(clone), at=tmp_path)
    told = look_at(forge, tmp_path, clone)
    assert {file: by.id for file, by in told.items()} == {str(clone / "db.yml"): made}


def test_what_cannot_be_read_is_not_known(forge, tmp_path):
    forge.write("web.yml", "1")
    forge.commit()
    assert look_at(forge, tmp_path, forge.tree, "f" * 40) == {}
    (tmp_path / "file").write_text("")
    assert of_tree(around(forge.tree), tmp_path / "file" / "x", forge.tree, "f" * 40) == {}


def test_a_look_back_is_made_once_for_a_commit_and_wakes():
    asked, woken, bugs = [], [], []

    def find(commit):
        asked.append(commit.id)
        if commit is NEW:
            raise ValueError
        return {"web.yml": commit}

    back = LookBack(find, lambda: woken.append(1), bugs.append)
    assert back.of(None) == {}
    assert back.of(OLD) == {}
    back.close()
    assert back.of(OLD) == {"web.yml": OLD}
    assert (asked, woken) == ([OLD.id], [1])
    assert back.of(NEW) == {}
    back.close()
    assert back.of(NEW) == {}
    assert (asked, len(bugs)) == ([OLD.id, NEW.id], 1)


# --- of a git source ---


def test_who_follows_tells_it_also_in_the_next_life(forge, tmp_path):
    forge.write("box/web.yml", "1")
    first = forge.commit("Add web")
    box = Follow(tmp_path, forge.tree, below="box")
    file = str(box.folder / "current" / "web.yml")
    assert box.look().changes[file].id == first
    forge.write("box/db.yml", "1")
    forge.commit("Add db")
    told = box.look()
    assert (told.changes[file].subject, len(told.changes)) == ("Add web", 2)
    known = ChangesFile(box.folder, "box")
    assert known.known(told.commit.id) == told.changes
    assert known.known("f" * 40) == {}
    assert ChangesFile(box.folder, "").known(told.commit.id) == {}
    (box.folder / "changes.json").write_text(json.dumps({"commit": told.commit.id}))
    forge.tree.rename(forge.root / "gone")
    again = Follow(tmp_path, forge.tree, below="box")
    assert again.follower.status().changes == {}
    assert again.look().changes == told.changes  # found anew, from the mirror
    assert again.woken == 1


def test_a_commit_is_taken_though_nobody_knows_who_changed_what(forge, tmp_path, monkeypatch):
    forge.write("web.yml", "1")
    made = forge.commit()
    (tmp_path / "git" / "changes.json").mkdir(parents=True)
    told = Follow(tmp_path, forge.tree).look()
    assert (told.commit.id, told.changes, told.told) == (made, {}, "")


# --- whose change it is ---


@pytest.mark.parametrize("order", [1, -1])
def test_an_app_has_the_newest_of_its_files(order):
    documents = [
        document("web", file="a.yml"),
        document("web", file="b.yml"),
        document("db", file="a.yml"),
        document("new", file="c.yml"),
        Document(SuspendManifest.model_validate({"all": True}), Origin("a.yml")),
    ][::order]
    assert last_commits(documents, {"a.yml": OLD, "b.yml": NEW}) == {"web": NEW, "db": OLD}


def test_of_commits_without_a_time_it_is_always_the_same_one():
    two = [replace(OLD, committed_at=None), replace(NEW, committed_at=None)]
    documents = [document("web", file=f"{n}.yml") for n in (0, 1)]
    for commits in (two, two[::-1]):
        changes = {f"{n}.yml": commit for n, commit in enumerate(commits)}
        assert last_commits(documents, changes)["web"].id == NEW.id


def test_what_is_done_is_on_record_with_the_commit_that_asked_for_it():
    change = plan(replace(situation(desired(app("web"))), commits={"web": NEW})).of("web")
    assert began(change)["changed_by"] == NEW.id
    assert "changed_by" not in began(plan(situation(desired(app("web")))).of("web"))
