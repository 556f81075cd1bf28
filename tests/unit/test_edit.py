"""Documents cut out of files, and files added: nothing else may change."""

import os
import stat
from datetime import UTC, datetime

import pytest

from reconciler.errors import ConfigurationError
from reconciler.model.desired import Suspension
from reconciler.sources import edit


def app(name):
    return f"app:\n  id: {name}\n  name: {name}\n  version: 1.0.0\n  container:\n    image: x:1\n"


FIRST = "# about web\n" + app("web")
SECOND = "---\n# about db\n" + app("db")
THIRD = "---\n" + app("cache") + "# the end\n"

CUTS = [
    ("the first", "web", SECOND + THIRD),
    ("one between", "db", FIRST + THIRD),
    ("the last", "cache", FIRST + SECOND),
]


@pytest.mark.parametrize(("who", "rest"), [c[1:] for c in CUTS], ids=[c[0] for c in CUTS])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "dos"])
def test_everything_else_stays_byte_for_byte(tmp_path, who, rest, ending):
    file = tmp_path / "all.yml"
    file.write_bytes((FIRST + SECOND + THIRD).replace("\n", ending).encode())
    assert edit.remove_app(file, who) == edit.Edit(file)
    assert file.read_bytes() == rest.replace("\n", ending).encode()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "text",
    [
        FIRST,
        "# a note\n---\n# nothing yet\n" + "---\n" + app("web"),
        "%YAML 1.1\n---\n" + app("web") + "...\n",
        "\ufeff" + FIRST,
        FIRST.rstrip("\n"),
    ],
    ids=[
        "plain",
        "after an empty document",
        "marked",
        "with a byte order mark",
        "without a last line end",
    ],
)
def test_a_file_with_nothing_left_is_deleted(tmp_path, text):
    file = tmp_path / "web.yml"
    file.write_text(text)
    assert edit.remove_app(file, "web") == edit.Edit(file, deleted=True)
    assert not file.exists()


def test_what_could_not_be_read_is_not_lost(tmp_path):
    file = tmp_path / "all.yml"
    broken = "---\napp:\n  id: broken\n  imgae: x\n"
    file.write_text(FIRST + broken)
    assert edit.remove_app(file, "web") == edit.Edit(file)
    assert file.read_text() == broken


def test_another_app_is_not_touched(tmp_path):
    file = tmp_path / "web.yml"
    file.write_text(FIRST)
    assert edit.remove_app(file, "db") is None
    assert file.read_text() == FIRST


def test_mode_and_link_are_kept(tmp_path):
    real = tmp_path / "real"
    real.write_text(FIRST + SECOND)
    real.chmod(0o640)
    link = tmp_path / "all.yml"
    link.symlink_to(real)
    edit.remove_app(link, "web")
    assert link.is_symlink()
    assert real.read_text() == SECOND
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_suspend_writes_a_file_and_resume_takes_it_away(tmp_path):
    file = edit.suspend(tmp_path, "web")
    assert file == tmp_path / "web.suspend.yml"
    assert "suspend:\n  app: web\n" in file.read_text()
    assert edit.resume(file, "db") is None
    assert edit.resume(file, "web") == edit.Edit(file, deleted=True)
    assert list(tmp_path.iterdir()) == []


def test_a_suspension_of_ones_own_is_written_over_and_nothing_else(tmp_path):
    file = edit.suspend(tmp_path, "")
    assert file == tmp_path / "_all.suspend.yml"
    ends = datetime(2026, 12, 1, 10, tzinfo=UTC)
    edit.suspend(tmp_path, "", Suspension(ends, keep_running=True))
    assert file.read_text() == (
        "# Leaves all apps alone. Written by `archipelago suspend --all`;\n"
        "# `archipelago resume --all` takes this file away.\n"
        "suspend:\n  all: true\n  until: 2026-12-01T10:00:00Z\n  keep_running: true\n"
    )
    assert edit.resume(file, "web") is None
    for text in ("suspend: {app: web}\n", "suspend: {all: true}\n---\nsuspend: {\n"):
        file.write_text(text)
        with pytest.raises(ConfigurationError, match="says something else"):
            edit.suspend(tmp_path, "")
        assert file.read_text() == text


def test_resume_leaves_the_app_itself(tmp_path):
    file = tmp_path / "web.yml"
    file.write_text(FIRST + "---\nsuspend:\n  app: web\n")
    edit.resume(file, "web")
    assert file.read_text() == FIRST


def test_a_file_of_that_name_that_says_something_else_is_kept(tmp_path):
    (tmp_path / "web.suspend.yml").write_text(FIRST)
    with pytest.raises(ConfigurationError, match="says something else"):
        edit.suspend(tmp_path, "web")
    assert (tmp_path / "web.suspend.yml").read_text() == FIRST


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file or directory"):
        edit.suspend(tmp_path / "gone", "web")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="permission denied"):
        edit.suspend(tmp_path, "web")


@pytest.mark.parametrize(
    ("text", "spans", "rest"),
    [
        ("a\nb\nc\n", [(2, 2)], "a\nc\n"),
        ("a\nb\nc", [(3, 3)], "a\nb\n"),
        ("a\r\nb\rc\u2028d", [(2, 3)], "a\r\nd"),
        ("a\nb\nc\nd\n", [(1, 1), (3, 4)], "b\n"),
        ("a\x0bb\nc\n", [(2, 2)], "a\x0bb\n"),
        ("", [(1, 1)], ""),
    ],
)
def test_lines_are_those_of_yaml(text, spans, rest):
    assert edit.cut(text, spans) == rest
