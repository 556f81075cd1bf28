"""What is remembered of revisions: whole, through losses, and never read twice for nothing."""

import json
from datetime import timedelta

import pytest
from builders import CHECK, NOW, app, container
from msgspec.structs import replace

from reconciler.model.container import Restart, StartCondition
from reconciler.model.desired import Requirement
from reconciler.model.origin import Problem
from reconciler.model.revision import FailedRevision, Revision
from reconciler.security import revisions
from reconciler.security.failures import REMEMBERED, Failures
from reconciler.security.revisions import RevisionFiles
from reconciler.security.spec_json import app_document, parse_app

FAILED = FailedRevision("content", (("main", "sha256:a"), ("db", "")), "ended with exit code 7")
WEB = app("web", container("web", health=CHECK), container("web", "up", restart=Restart.NO))

OTHER = app_document(app("other"))


class Kept:
    def __init__(self, root):
        self.root, self.warnings = root, []
        self.good, self.file = root / "revisions", root / "failed" / "failed.json"

    def open(self):
        warn = self.warnings.append
        return RevisionFiles(self.good, Failures(self.file, warn), warn)


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def test_what_is_rare_comes_back_as_well():
    spec = replace(
        WEB,
        manifest_changed_at=NOW,
        requires=(Requirement("db", optional=True, unmet="no", restart_with=True),),
        stale=Problem(WEB.origin, "bad", app="web"),
        containers=(
            replace(
                WEB.containers[0],
                depends_on=(("up", StartCondition.COMPLETED),),
                command=(),
                pin="sha256:a",
            ),
        ),
    )
    assert parse_app(json.loads(json.dumps(app_document(spec)))) == spec


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("a field of a later version", {"later": 1}),
        ("a number for a text", {"id": 7}),
        ("a truth for a number", {"health_deadline": True}),
        ("a word that is none of those", {"containers": [{"restart": "often"}]}),
        ("a text for a list", {"volumes": "abc"}),
        ("a field that is missing", {"containers": [{}]}),
        ("a pair of three", {"containers": [{"environment": [["a", "b", "c"]]}]}),
        ("a moment that is none", {"manifest_changed_at": "soon"}),
        ("no object", {"origin": 3}),
    ],
)
def test_what_is_understood_in_part_is_not_understood(why, change):
    with pytest.raises(ValueError, match=r"."):
        parse_app({**app_document(WEB), **change})


def test_it_is_there_in_the_next_life(kept):
    it = kept.open()
    it.keep("web", Revision(WEB, proven=False))
    it.fail("web", FAILED)
    again = kept.open()
    assert it.good() == again.good() == {"web": Revision(WEB, proven=False)}
    assert it.failed() == again.failed() == {"web": (FAILED,)}
    it.keep("web", Revision(WEB))
    assert it.good() == again.good() == {"web": Revision(WEB)}
    assert kept.warnings == []


def test_only_its_owner_reads_it(kept):
    it = kept.open()
    it.keep("web", Revision(WEB))
    it.fail("web", FAILED)
    files = [kept.good / "web.json", kept.file]
    assert [f.stat().st_mode & 0o777 for f in files] == [0o600, 0o600]
    assert [f.parent.stat().st_mode & 0o777 for f in files] == [0o700, 0o700]
    assert sorted(f.name for f in kept.root.rglob("*.*")) == ["failed.json", "web.json"]


def test_at_rest_nothing_is_read(kept, monkeypatch):
    it = kept.open()
    for name in ("web", "db", "shop"):
        it.keep(name, Revision(app(name)))
    it.good()
    read = []
    real = revisions.parse_app
    monkeypatch.setattr(revisions, "parse_app", lambda d: read.append(d["id"]) or real(d))
    for _ in range(5):
        assert set(it.good()) == {"web", "db", "shop"}
    assert read == []
    it.keep("db", Revision(app("db"), proven=False))
    assert it.good()["db"].proven is False
    assert read == ["db"]


def test_what_is_forgotten_is_gone(kept):
    it = kept.open()
    it.keep("web", Revision(WEB))
    it.keep("db", Revision(app("db")))
    it.fail("web", FAILED)
    Failures(kept.file).retry(frozenset({"web"}), NOW)
    it.fail("web", FAILED)
    it.forget("web")
    it.forget("never")
    assert set(it.good()) == {"db"}
    assert it.failed() == {}
    assert it.retried() == {}


@pytest.mark.parametrize(
    ("why", "content"),
    [
        ("nothing", ""),
        ("half of it", '{"format": 1, "proven": true, "app": {"id'),
        ("no object", "[]"),
        ("a riddle", "[" * 100_000),
        ("another format", json.dumps({"format": 2, "proven": True, "app": {}})),
        ("no truth", json.dumps({"format": 1, "proven": "yes", "app": app_document(WEB)})),
        (
            "another app's",
            json.dumps({"format": 1, "proven": True, "app": OTHER}),
        ),
        ("not even text", b"\xff\xfe"),
    ],
)
def test_what_cannot_be_read_is_not_known_and_said_once(kept, why, content):
    it = kept.open()
    it.keep("db", Revision(app("db")))
    file = kept.good / "web.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for _ in range(3):
        assert set(it.good()) == {"db"}, why
    assert kept.warnings == [f"cannot read {file}: it is not known what to go back to"]
    it.keep("web", Revision(WEB))
    assert set(it.good()) == {"db", "web"}


def test_a_folder_that_is_taken_away_is_not_missed(kept):
    it = kept.open()
    assert it.good() == {}
    it.keep("web", Revision(WEB))
    assert set(it.good()) == {"web"}
    (kept.good / "web.json").unlink()
    kept.good.rmdir()
    assert it.good() == {}


def test_where_nothing_can_be_written_it_is_known_until_the_end_and_said(kept):
    kept.good.write_text("a file in the way")
    kept.file.parent.write_text("a file in the way")
    it = kept.open()
    for _ in range(2):
        it.keep("web", Revision(WEB))
        it.fail("web", FAILED)
    assert it.good() == {"web": Revision(WEB)}
    assert it.failed() == {"web": (FAILED,)}
    assert len(kept.warnings) == 3
    assert all(w.startswith("cannot write ") and ": " in w for w in kept.warnings)
    kept.good.unlink()
    kept.file.parent.unlink()
    it.keep("web", Revision(WEB))
    it.fail("db", FAILED)
    again = kept.open()
    assert set(again.good()) == {"web"}
    assert set(again.failed()) == {"web", "db"}
    it.forget("web")
    assert set(it.failed()) == {"db"}


def test_a_word_to_try_again_takes_the_failures_away(kept):
    it = kept.open()
    it.fail("web", FAILED)
    it.fail("db", FAILED)
    Failures(kept.file).retry(frozenset({"web"}), NOW)
    assert it.failed() == {"db": (FAILED,)}
    assert it.retried() == {"web": NOW}
    later = NOW + timedelta(seconds=1)
    Failures(kept.file).retry(frozenset({"web", "db"}), later)
    assert it.failed() == {}
    assert it.retried() == {"web": later, "db": later}


def test_of_one_app_the_last_failures_are_remembered(kept):
    it = kept.open()
    for n in range(REMEMBERED + 5):
        it.fail("web", replace(FAILED, content=f"c{n}"))
    it.fail("web", replace(FAILED, content="c20"))
    found = [f.content for f in it.failed()["web"]]
    assert len(found) == REMEMBERED
    assert found[-1] == "c20"
    assert len(set(found)) == REMEMBERED


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": 2, "failed": {}, "retried": {}}',
        '{"format": 1, "failed": {"web": 3}, "retried": {}}',
        '{"format": 1, "failed": {"web": [{}]}, "retried": {}}',
        '{"format": 1, "failed": {}, "retried": {"web": "soon"}}',
        '{"format": 1, "failed": {}, "retried": {"web": "2026-01-01T12:00:00"}}',
        '{"format": 1, "failed": {}}',
    ],
)
def test_failures_that_cannot_be_read_are_none(kept, content):
    kept.file.parent.mkdir()
    kept.file.write_text(content)
    it = kept.open()
    assert (it.failed(), it.retried()) == ({}, {})
    it.fail("web", FAILED)
    assert it.failed() == {"web": (FAILED,)}
