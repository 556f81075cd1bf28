"""What a folder says, while people and tools write in it. Real files, a clock of our own."""

import os
import shutil

import pytest
from full_disk import full_disk
from simulation import ManualClock

from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.origin import Problem
from reconciler.model.permission import permission_hash
from reconciler.sources.directory import SETTLE_SECONDS, VANISH_SECONDS, DirectorySource
from reconciler.sources.last_good import LastGood
from reconciler.sources.tree import is_catalogue_manifest, is_manifest

GOOD = "app: {{id: {0}, name: {0}, container: {{image: localhost/test:1}}}}\n"


class Folder:
    def __init__(self, root, **more):
        self.root = root
        self.clock = ManualClock()
        self.source = DirectorySource(root, self.clock, **more)

    def write(self, name, text=None, age=1.0):
        """Write a file that was last touched `age` seconds ago."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GOOD.format(path.stem) if text is None else text)
        at = self.clock.now().timestamp() - age
        os.utime(path, (at, at))
        return path

    def apps(self):
        return sorted(d.app for d in self.source.read().documents)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "desired"
    root.mkdir()
    return Folder(root)


def test_files_in_folders_are_read(folder):
    folder.write("a.yml")
    folder.write("deep/er/b.yaml")
    assert folder.apps() == ["a", "b"]


@pytest.mark.parametrize(
    "name",
    [
        ".a.yml",
        "a.yml~",
        ".#a.yml",
        "#a.yml#",
        "a.yml.swp",
        "a.yml.bak",
        "a.tmp",
        "4913",
        ".git/a.yml",
        "..data/a.yml",
        "README.md",
        "~a.yml",
    ],
)
def test_leftovers_of_editors_and_tools_are_no_manifests(folder, name):
    folder.write(name, GOOD.format("a"))
    assert folder.apps() == []


def test_a_file_that_was_away_while_it_was_read_is_read_when_it_is_back(tmp_path):
    """A folder that is moved away and back has the same files, as far as can be seen."""
    away = []

    def wanted(name):
        for path, elsewhere in away:
            path.rename(elsewhere)
        away.clear()
        return is_manifest(name)

    folder = Folder(tmp_path, wanted=wanted)
    path, elsewhere = folder.write("a.yml"), tmp_path / "elsewhere"
    away.append((path, elsewhere))
    (problem,) = folder.source.read().problems
    assert problem.message == "cannot be read: no such file or directory"
    elsewhere.rename(path)
    assert folder.apps() == ["a"]
    assert folder.source.read().problems == ()


def test_a_file_that_was_just_written_is_taken_when_it_is_quiet(folder):
    folder.write("a.yml", age=0)
    snapshot = folder.source.read()
    assert snapshot.documents == ()
    assert 0 < snapshot.settle_seconds <= SETTLE_SECONDS
    folder.clock.advance(SETTLE_SECONDS)
    assert folder.apps() == ["a"]


def test_a_half_written_file_keeps_its_last_version_until_it_is_quiet(folder):
    folder.write("a.yml")
    assert folder.apps() == ["a"]
    folder.clock.advance(60)
    for text in ("app: {id: a", "app: {id: a, name: A, conta"):
        folder.write("a.yml", text, age=0)
        snapshot = folder.source.read()
        assert [d.app for d in snapshot.documents] == ["a"]
        assert snapshot.problems == ()
        folder.clock.advance(SETTLE_SECONDS / 2)
    folder.write("a.yml", GOOD.format("b"), age=0)
    assert folder.apps() == ["a"]
    folder.clock.advance(SETTLE_SECONDS)
    assert folder.apps() == ["b"]


def test_a_file_dated_in_the_future_is_taken_when_it_is_quiet(folder):
    folder.write("a.yml", age=-3600)
    assert folder.apps() == []
    folder.clock.advance(SETTLE_SECONDS)
    assert folder.apps() == ["a"]


def test_a_file_that_vanishes_for_a_moment_was_never_gone(folder):
    """Editors delete and write anew; so do tools that check out."""
    path = folder.write("a.yml")
    folder.apps()
    path.unlink()
    assert folder.apps() == ["a"]
    folder.clock.advance(VANISH_SECONDS / 2)
    assert folder.apps() == ["a"]
    folder.write("a.yml")
    folder.clock.advance(VANISH_SECONDS)
    assert folder.apps() == ["a"]


def test_a_file_that_stays_away_is_gone(folder):
    path = folder.write("a.yml")
    folder.apps()
    path.unlink()
    assert folder.source.read().settle_seconds == pytest.approx(VANISH_SECONDS)
    folder.clock.advance(VANISH_SECONDS)
    assert folder.apps() == []


def test_a_tree_that_is_rewritten_file_by_file_loses_nothing_meanwhile(folder):
    for name in "abc":
        folder.write(f"{name}.yml")
    folder.apps()
    shutil.rmtree(folder.root)
    folder.root.mkdir()
    for name in "abc":
        assert folder.apps() == ["a", "b", "c"]
        folder.clock.advance(VANISH_SECONDS * 0.8)
        folder.write(f"{name}.yml", age=0)
    folder.clock.advance(VANISH_SECONDS)
    assert folder.apps() == ["a", "b", "c"]


def test_a_renamed_file_is_never_absent(folder):
    path = folder.write("a.yml")
    folder.apps()
    path.rename(folder.root / "b.yml")
    snapshot = folder.source.read()
    assert "a" in {d.app for d in snapshot.documents}
    folder.clock.advance(VANISH_SECONDS)
    assert folder.apps() == ["a"]


def test_a_missing_folder_is_not_an_empty_one(folder):
    folder.write("a.yml")
    folder.apps()
    shutil.rmtree(folder.root)
    snapshot = folder.source.read()
    assert not snapshot.complete
    assert str(folder.root) in snapshot.incomplete_because
    assert [d.app for d in snapshot.last_good] == ["a"]
    assert [d.app for d in snapshot.documents] == []


def test_a_folder_that_is_swapped_by_a_link_is_followed(tmp_path):
    """The way git-sync tools publish a revision."""
    folder = Folder(tmp_path / "current")
    for rev in ("one", "two"):
        path = tmp_path / rev / "app.yml"
        path.parent.mkdir()
        path.write_text(GOOD.format(rev))
        os.utime(path, (0, 0))
    (tmp_path / "current").symlink_to("one")
    assert folder.apps() == ["one"]
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "current")
    assert folder.apps() == ["two"]


def test_links_within_the_folder_are_followed_and_rings_end(folder):
    real = folder.write("..data/a.yml")
    (folder.root / "a.yml").symlink_to(real)
    (folder.root / "loop").symlink_to(folder.root)
    (folder.root / "nowhere.yml").symlink_to("/does/not/exist")
    assert folder.apps() == ["a"]


def test_a_broken_file_has_its_place_and_its_last_good_version(folder):
    folder.write("a.yml")
    folder.write("b.yml")
    folder.apps()
    folder.clock.advance(10)
    folder.write("a.yml", "app:\n  id: a\n  name: [unclosed\n")
    snapshot = folder.source.read()
    assert [d.app for d in snapshot.documents] == ["b"]
    assert [d.app for d in snapshot.last_good] == ["a"]
    (problem,) = snapshot.problems
    assert problem.origin.file == str(folder.root / "a.yml")
    assert problem.origin.line >= 3
    folder.clock.advance(10)
    folder.write("a.yml")
    assert folder.source.read().problems == ()


def test_what_is_suspended_by_a_file_stays_so_while_that_is_broken(folder):
    folder.write("web.yml")
    folder.write("web.suspend.yml", "suspend: {app: web}\n")
    folder.source.read()
    folder.write("web.suspend.yml", "suspend: {app: web\n", age=0.9)
    snapshot = folder.source.read()
    assert [str(d.origin.file) for d in snapshot.documents] == [f"{folder.root}/web.yml"]
    assert [d.app for d in snapshot.last_good] == ["web"]


def test_what_was_approved_in_a_file_stays_so_while_that_is_broken(folder):
    text = "approve: {app: web, by: ada, at: 2026-11-24T10:00:00Z, permissions: [], hash: "
    folder.write("web.yml")
    folder.write("web.suspend.yml", "suspend: {app: web}\n")
    folder.write("web.approve.yml", f"{text}{permission_hash([])}}}\n")
    assert len(folder.source.read().documents) == 3
    folder.write("web.approve.yml", f"{text}another}}\n", age=0.9)
    snapshot = folder.source.read()
    assert len(snapshot.documents) == 2
    assert [type(d.manifest) for d in snapshot.last_good] == [ApproveManifest]


def test_the_last_good_version_survives_a_restart(tmp_path):
    root, kept = tmp_path / "desired", LastGood(tmp_path / "state")
    root.mkdir()
    folder = Folder(root, last_good=kept)
    folder.write("a.yml")
    folder.apps()
    folder.clock.advance(10)
    folder.write("a.yml", "app: [")
    again = Folder(root, last_good=kept)
    again.clock.advance(20)
    assert [d.app for d in again.source.read().last_good] == ["a"]


def test_losing_the_state_directory_is_no_reason_to_stop(tmp_path):
    root = tmp_path / "desired"
    root.mkdir()
    (tmp_path / "file").write_text("in the way")
    folder = Folder(root, last_good=LastGood(tmp_path / "file" / "state"))
    folder.write("a.yml")
    assert folder.apps() == ["a"]
    folder.clock.advance(10)
    folder.write("b.yml", "app: [")
    assert folder.source.read().last_good == ()


def test_one_bad_document_does_not_lose_the_others_of_its_file(folder):
    folder.write("two.yml", GOOD.format("a") + "---\n" + GOOD.format("b"))
    assert folder.apps() == ["a", "b"]
    folder.clock.advance(10)
    folder.write("two.yml", GOOD.format("a") + "---\napp: {id: b, nam: b}\n")
    snapshot = folder.source.read()
    assert [d.app for d in snapshot.documents] == ["a"]
    assert [d.app for d in snapshot.last_good] == ["b"]
    assert {p.app for p in snapshot.problems} == {"b"}


def test_nothing_is_parsed_twice(folder):
    folder.write("a.yml")
    first = folder.source.read().documents
    assert folder.source.read().documents[0] is first[0]


def test_the_catalogue_reads_only_what_is_called_manifest(tmp_path):
    folder = Folder(tmp_path, wanted=is_catalogue_manifest)
    folder.write("a/manifest.yml", GOOD.format("a"))
    folder.write("a/compose.yml", "services: {}")
    assert folder.apps() == ["a"]


def test_a_build_context_changes_with_its_content_and_not_with_its_place(folder, tmp_path):
    text = "app: {id: a, name: a, container: {build: img}}\n"
    folder.write("a.yml", text)
    folder.write("img/Containerfile", "FROM scratch\n")
    key = (str(folder.root / "a.yml"), "img")
    first = folder.source.read().contexts[key]
    assert first.path == str(folder.root / "img")
    folder.write("img/Containerfile", "FROM scratch\nUSER 1\n", age=0.5)
    second = folder.source.read().contexts[key]
    assert second.content != first.content
    other = Folder(tmp_path / "elsewhere")
    other.write("a.yml", text)
    other.write("img/Containerfile", "FROM scratch\nUSER 1\n")
    moved = other.source.read().contexts[(str(other.root / "a.yml"), "img")]
    assert moved.content == second.content


def test_a_missing_build_context_is_told_where_it_is_written(folder):
    folder.write("a.yml", "app: {id: a, name: a, container: {build: img}}\n")
    found = folder.source.read().contexts[(str(folder.root / "a.yml"), "img")]
    assert isinstance(found, Problem)
    assert "cannot build from img" in found.message
    assert found.app == "a"


BUILDS = "app: {id: a, name: a, container: {build: .}}\n"


def test_an_edited_manifest_is_no_other_image(folder):
    folder.write("a/a.yml", BUILDS)
    folder.write("a/Containerfile", "FROM scratch\n")
    key = (str(folder.root / "a/a.yml"), ".")
    os.utime(folder.root / "a", (0, 0))
    first = folder.source.read().contexts[key].content
    folder.clock.advance(10)
    folder.write("a/a.yml", BUILDS + "# a comment\n")
    assert folder.source.read().contexts[key].content == first


def test_a_context_that_is_being_written_keeps_its_last_content(folder):
    folder.write("a/a.yml", BUILDS)
    folder.write("a/Containerfile", "FROM scratch\n")
    key = (str(folder.root / "a/a.yml"), ".")
    first = folder.source.read().contexts[key].content
    folder.clock.advance(10)
    folder.write("a/Containerfile", "FROM scra", age=0)
    snapshot = folder.source.read()
    assert snapshot.contexts[key].content == first
    assert snapshot.settle_seconds is not None
    folder.write("a/Containerfile", "FROM scratch\nUSER 1\n", age=0)
    folder.clock.advance(SETTLE_SECONDS + 0.01)
    assert folder.source.read().contexts[key].content != first


def test_a_context_that_nobody_has_read_yet_makes_its_app_wait(folder):
    folder.write("a/a.yml", BUILDS)
    folder.write("a/Containerfile", "FROM scra", age=0)
    snapshot = folder.source.read()
    assert snapshot.documents == ()
    assert not snapshot.complete
    folder.clock.advance(SETTLE_SECONDS + 0.01)
    assert folder.apps() == ["a"]
    assert folder.source.read().complete


def test_an_app_whose_folder_goes_away_is_gone_without_a_complaint(folder):
    folder.write("a/a.yml", BUILDS)
    folder.write("a/Containerfile", "FROM scratch\n")
    folder.apps()
    folder.clock.advance(10)
    shutil.rmtree(folder.root / "a")
    snapshot = folder.source.read()
    assert not [c for c in snapshot.contexts.values() if isinstance(c, Problem)]
    assert [d.app for d in snapshot.documents] == ["a"]
    folder.clock.advance(VANISH_SECONDS)
    assert folder.apps() == []


def test_hidden_files_and_links_are_part_of_a_context(folder):
    folder.write("a/a.yml", BUILDS)
    folder.write("a/Containerfile", "FROM scratch\n")
    key = (str(folder.root / "a/a.yml"), ".")
    contents = {folder.source.read().contexts[key].content}
    for change in (
        lambda: folder.write("a/.profile", "x"),
        lambda: (folder.root / "a/link").symlink_to("Containerfile"),
        lambda: (folder.root / "a/Containerfile").chmod(0o755),
    ):
        change()
        folder.clock.advance(10**9)
        contents.add(folder.source.read().contexts[key].content)
    assert len(contents) == 4


def test_a_full_disk_leaves_no_halves_of_what_was_last_good(tmp_path):
    kept = LastGood(tmp_path / "state")
    kept.save("web.yml", b"one")
    with full_disk():
        kept.save("web.yml", b"two")
    assert kept.load("web.yml") == b"one"
    assert len(list((tmp_path / "state").iterdir())) == 1
