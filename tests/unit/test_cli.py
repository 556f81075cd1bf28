"""The verbs, on an engine of memory: what they print, what they change, how they end."""

import fcntl
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from reconciler import parts, wiring
from reconciler.cli import install
from reconciler.cli.app import build
from reconciler.drivers.memory import MemoryDriver
from reconciler.errors import DriverRejected, DriverUnavailable, RegistryError
from reconciler.model.anomaly import Anomaly, AnomalyKind
from reconciler.model.change import Action
from reconciler.model.health import HealthState
from reconciler.model.isolation import IsolationSpec
from reconciler.model.origin import Origin, Problem
from reconciler.model.pin import Pin, Signer, Told
from reconciler.model.revision import FailedRevision
from reconciler.model.signature import Findings, Signature, SignatureFormat, Subject
from reconciler.model.status import (
    AppStatus,
    Condition,
    ConditionType,
    ContainerStatus,
    PassStatus,
    Status,
)
from reconciler.model.trial import MACHINE, Target
from reconciler.model.trust import Mode, Scope, Trust, TrustedKey
from reconciler.ports import Clock
from reconciler.registry.ledger import FileLedger
from reconciler.registry.past import PastFile
from reconciler.report.event import Event, EventKind
from reconciler.report.journal import Journal
from reconciler.report.status_json import status_document
from reconciler.security.evidence import confirmed_removals
from reconciler.security.failures import Failures
from reconciler.sources.manifests import load_documents

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def manifest(name, needs=""):
    dependency = f"  dependencies:\n    - app_id: {needs}\n" if needs else ""
    return (
        f"app:\n  id: {name}\n  name: {name}\n  version: 1.0.0\n{dependency}"
        "  container:\n    image: localhost/x:1\n"
    )


class Box:
    """A desired directory, a state directory, an engine of memory, and the command line."""

    def __init__(self, root):
        self.root = root
        self.desired = root / "desired"
        self.state = root / "state"
        self.desired.mkdir()
        self.engine = MemoryDriver("archipelago", SteadyClock())

    def write(self, file, text):
        (self.desired / file).write_text(text)

    def run(self, *arguments, stdin=None):
        places = [f"--desired-state={self.desired}", f"--catalogue={self.root}/apps"]
        places += [f"--state-dir={self.state}", "--config", str(self.root / "none.toml")]
        return CliRunner().invoke(build(), [*arguments, *places], input=stdin)

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--output", "json").stdout)

    def own(self, file):
        return self.state / "archipelago" / file


class SteadyClock(Clock):
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


@pytest.fixture
def box(tmp_path, monkeypatch):
    made = Box(tmp_path)
    (tmp_path / "none.toml").write_text("")

    @contextmanager
    def driver(_settings):
        yield made.engine, "an engine of memory"

    monkeypatch.setattr(wiring, "driver", driver)
    return made


def status_of(count, **more):
    conditions = tuple(
        Condition(kind, kind is ConditionType.READY, "Serving", "", NOW) for kind in ConditionType
    )
    apps = tuple(
        AppStatus(
            f"app-{number:02}",
            "1.0",
            Action.KEEP,
            "InSync",
            "",
            conditions,
            "1-abc",
            HealthState.HEALTHY,
            (ContainerStatus("main", "c" * 64, "x:1", "running", NOW, HealthState.HEALTHY),),
            (),
        )
        for number in range(count)
    )
    return Status(apps, PassStatus(7, 0.01, NOW), **more)


@contextmanager
def running_loop(box, status):
    """Have a loop of this instance at work, as far as others can see."""
    box.own("").mkdir(parents=True, exist_ok=True)
    box.own("status.json").write_text(json.dumps(status_document(status)))
    with box.own("archipelago.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("process 4711 since yesterday\n")
        lock.flush()
        yield


# --- plan ---


def test_plan_tells_every_change_and_begins_none(box):
    box.write("all.yml", manifest("web", "db") + "---\n" + manifest("db"))
    told = box.run("plan")
    assert told.exit_code == 0
    assert "db   install  NotInstalled" in told.stdout
    assert "web  hold     DependencyNotReady" in told.stdout
    assert "1 app to change, 1 held, 2 in all." in told.stdout
    assert box.engine.observe().containers == ()


@pytest.mark.parametrize(
    ("why", "text", "code"), [("something to do", manifest("web"), 2), ("nothing", "", 0)]
)
def test_the_detailed_exit_code_of_plan(box, why, text, code):
    box.write("web.yml", text)
    if not text:
        (box.desired / "web.yml").unlink()
    assert box.run("plan", "--detailed-exitcode").exit_code == code, why


def test_plan_for_machines(box):
    box.write("web.yml", manifest("web"))
    document = box.json("plan")
    [change] = document["changes"]
    assert (change["app"], change["action"], change["reason"]) == (
        "web",
        "install",
        "NotInstalled",
    )
    assert change["steps"][0] == "fetching localhost/x:1"
    assert document["problems"] == []


def test_an_engine_that_does_not_answer_is_one_sentence(box, monkeypatch):
    def gone(_settings):
        raise DriverUnavailable("cannot reach Podman: nobody answers; start it")

    monkeypatch.setattr(wiring, "driver", gone)
    told = box.run("plan", "--detailed-exitcode")
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == "cannot reach Podman: nobody answers; start it\n"


def test_a_mistake_of_ours_is_no_traceback(box, monkeypatch):
    def broken(_settings):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(wiring, "driver", broken)
    told = box.run("plan")
    assert told.exit_code == 1
    assert "cannot go on: an unexpected ZeroDivisionError: oh at " in told.stderr
    assert "Traceback" not in told.stderr


def test_ctrl_c_is_quiet(box, monkeypatch):
    def interrupted(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(wiring, "driver", interrupted)
    told = box.run("plan")
    assert (told.exit_code, told.stdout, told.stderr) == (130, "", "")


# --- status ---


def test_status_without_a_loop_is_a_look_of_its_own(box):
    box.write("web.yml", manifest("web"))
    told = box.run("status")
    assert told.exit_code == 0
    assert "web  Reconciling NotInstalled" in told.stdout
    assert "No loop is running" in told.stdout
    assert box.json("status")["apps"][0]["reason"] == "NotInstalled"


def test_status_with_a_loop_is_what_the_loop_told(box):
    problem = Problem(Origin("a.yml", 3, 4), "cannot read [this] \x1b[31m", "mend it")
    with running_loop(box, status_of(100, problems=(problem,), notices=("polled",))):
        told = box.run("status")
        document = box.json("status")
    lines = told.stdout.splitlines()
    assert sum(line.startswith("app-") for line in lines) == 100
    assert "app-99  Ready      x:1    healthy" in told.stdout
    assert "a.yml:3:4: cannot read [this] \N{REPLACEMENT CHARACTER}[31m (mend it)" in told.stdout
    assert "polled" in told.stdout
    assert "the running loop (process 4711 since yesterday)" in told.stdout
    assert document == status_document(status_of(100, problems=(problem,), notices=("polled",)))


def test_status_tells_what_is_odd_of_all_or_of_one(box):
    kind = AnomalyKind.FOREIGN_EXEC
    odd = (
        Anomaly(kind, "app-01", "main", "somebody \x1b[31m"),
        Anomaly(AnomalyKind.VERIFICATION_FAILS, "", "images", "images were refused"),
    )
    with running_loop(box, status_of(3, anomalies=odd)):
        told = [box.run("status", *which).stdout for which in ((), ("app-01",), ("app-02",))]
    somebody = "somebody \N{REPLACEMENT CHARACTER}[31m"
    assert f"\napp-01: {somebody}\n" in told[0]
    assert "\nimages were refused\n" in told[0]
    assert f"\n{somebody}\n" in told[1]
    assert "images were refused" not in told[1] + told[2]
    assert somebody not in told[2]


def test_status_of_one_app(box):
    with running_loop(box, status_of(3)):
        told = box.run("status", "app-01")
        document = box.json("status", "app-01")
    assert told.exit_code == 0
    assert "digest  1-abc" in told.stdout
    assert "cccccccccccc" in told.stdout
    assert "app-02" not in told.stdout
    assert document == status_document(status_of(3))["apps"][1]


@pytest.mark.parametrize(
    ("held", "limit", "row"),
    [
        (1_288_490_189, 10 * 2**30, "disk    1.2 GiB of 10 GiB"),
        (None, 10 * 2**30, "disk    not known of 10 GiB"),
        (3 * 2**20, None, "disk    3 MiB\n"),
        (None, None, None),
    ],
)
def test_what_an_app_holds_is_a_row_of_its_own(box, held, limit, row):
    told = status_of(1)
    roomy = replace(told.apps[0], disk_bytes=held, disk_limit=limit)
    with running_loop(box, replace(told, apps=(roomy,))):
        page, table = box.run("status", "app-00").stdout, box.run("status").stdout
    shown = "\n".join(line.rstrip() for line in page.splitlines())
    assert row in shown if row else "disk" not in shown
    assert "GiB" not in table


def test_the_table_tells_of_an_app_over_its_limit_what_else_it_may_say(box):
    told = status_of(2)
    message = "holds more than 10 GiB"
    over = Condition(ConditionType.WITHIN_DISK_LIMIT, False, "DiskLimitExceeded", message, NOW)
    full = replace(told.apps[0], conditions=(*told.apps[0].conditions[:3], over))
    with running_loop(box, replace(told, apps=(full, replace(full, id="b", message="waits")))):
        lines = [line.rstrip() for line in box.run("status").stdout.splitlines()]
    assert lines[1].endswith(f"  {message}")
    assert lines[2].endswith(f"  waits; {message}")
    assert "Ready" in lines[1]


def test_the_table_tells_of_an_app_that_reaches_what_it_must_not(box):
    told = status_of(1)
    words = "it reaches this machine, and must not"
    leak = Condition(ConditionType.NETWORK_ISOLATED, False, "Breached", words, NOW)
    bad = replace(told.apps[0], conditions=(*told.apps[0].conditions[:3], leak))
    with running_loop(box, replace(told, apps=(bad,))):
        assert words in box.run("status").stdout
        assert box.json("status")["apps"][0]["conditions"][3]["reason"] == "Breached"


def test_an_unknown_app_is_told_with_what_is_near(box):
    with running_loop(box, status_of(3)):
        told = box.run("status", "ap-01")
    assert (told.exit_code, told.stdout) == (1, "")
    assert "cannot find the app `ap-01`: did you mean app-01" in told.stderr


# --- validate ---


def test_validate_tells_all_that_is_wrong_at_once(box):
    box.write("bad.yml", manifest("web").replace("version", "verzion") + "  colour: red\n")
    box.write("one.yml", manifest("db"))
    box.write("two.yml", manifest("db"))
    told = box.run("validate", str(box.desired))
    assert told.exit_code == 1
    assert f"{box.desired}/bad.yml:4:3: " in told.stdout
    assert "colour" in told.stdout
    assert f"it is written in {box.desired}/one.yml:1:1 and {box.desired}/two.yml" in told.stdout


def test_validate_warns_of_what_would_be_held(box):
    box.write("web.yml", manifest("web", "nowhere"))
    told = box.run("validate", str(box.desired / "web.yml"))
    assert told.exit_code == 0
    assert "warning: " in told.stdout
    assert "`web` requires nowhere, which is neither desired" in told.stdout
    document = box.json("validate", str(box.desired))
    assert document["valid"] is True
    assert [d["app"] for d in document["documents"]] == ["web"]
    assert [w["app"] for w in document["warnings"]] == ["web"]


def test_in_a_folder_beside_a_catalogue_a_missing_app_is_a_problem(box):
    box.write("web.yml", manifest("web", "nowhere"))
    entry = box.root / "apps" / "db" / "manifest.yml"
    entry.parent.mkdir(parents=True)
    entry.write_text(manifest("db"))
    told = box.run("validate", str(box.desired))
    assert told.exit_code == 1
    assert "`web` requires nowhere, which is neither desired nor in" in told.stdout


def test_a_ring_is_told_with_its_path(box):
    box.write("one.yml", manifest("web", "db"))
    box.write("two.yml", manifest("db", "web"))
    told = box.run("validate", str(box.desired))
    assert told.exit_code == 1
    assert "apps require each other: db → web → db" in told.stdout


def test_a_catalogue_is_read_by_the_names_of_its_files(box):
    folder = box.root / "apps" / "web"
    folder.mkdir(parents=True)
    (folder / "manifest.yml").write_text(manifest("web"))
    (folder / "values.yaml").write_text("colour: red\n")
    assert box.run("validate", str(box.root / "apps")).exit_code == 0


def test_without_a_catalogue_installs_are_not_judged(box):
    box.write("web.yml", "install:\n  app: web\n")
    assert box.run("validate", str(box.desired)).exit_code == 0
    (box.root / "apps").mkdir()
    assert box.run("validate", str(box.desired)).exit_code == 1


def test_a_path_that_is_not_there(box):
    told = box.run("validate", str(box.root / "gone"))
    assert told.exit_code == 1
    assert "no such file or folder" in told.stderr


# --- remove, suspend, resume, confirm ---


def test_remove_cuts_the_document_out(box):
    box.write("all.yml", manifest("web") + "---\n" + manifest("db"))
    told = box.run("remove", "web")
    assert told.exit_code == 0
    assert f"Cut it out of {box.desired}/all.yml" in told.stdout
    assert (box.desired / "all.yml").read_text() == "---\n" + manifest("db")


@pytest.mark.parametrize("verb", ["install", "remove", "suspend", "resume"])
def test_without_the_folder_nothing_is_written(box, verb):
    box.desired.rmdir()
    told = box.run(verb, "web")
    assert told.exit_code == 1
    assert "cannot use the desired state: there is no folder" in told.stderr
    assert not box.desired.exists()


def test_remove_takes_the_suspension_along(box):
    box.write("web.yml", manifest("web"))
    box.write("db.yml", manifest("db"))
    box.run("suspend", "web")
    document = box.json("remove", "web")
    assert [f["deleted"] for f in document["files"]] == [True, True]
    assert [p.name for p in box.desired.iterdir()] == ["db.yml"]


def test_what_others_need_is_not_removed_unless_forced(box):
    box.write("all.yml", manifest("web", "db") + "---\n" + manifest("db"))
    told = box.run("remove", "db")
    assert told.exit_code == 1
    assert "cannot remove db: it is required by web" in told.stderr
    assert box.run("remove", "db", "--force").exit_code == 0
    assert (box.desired / "all.yml").read_text() == manifest("web", "db")


def test_removing_the_last_one_is_the_operators_word(box):
    box.write("web.yml", manifest("web"))
    assert box.run("remove", "web").exit_code == 0
    now = datetime.now(UTC)
    file = wiring.confirmation_path(settings_of(box))
    assert confirmed_removals(file, now).keys() == {"web"}
    assert confirmed_removals(file, now + timedelta(hours=2)) == {}


@pytest.mark.parametrize("verb", ["remove", "suspend", "resume"])
def test_an_app_that_nobody_wants_cannot_be_changed(box, verb):
    box.write("web.yml", manifest("web"))
    told = box.run(verb, "wep")
    assert (told.exit_code, told.stderr) == (1, "cannot find the app `wep`: did you mean web?\n")


@pytest.mark.parametrize("verb", ["remove", "suspend"])
def test_an_app_whose_document_is_broken_is_not_changed(box, verb):
    text = manifest("web") + "  colour: red\n"
    box.write("web.yml", text)
    told = box.run(verb, "web")
    assert told.exit_code == 1
    assert f"its document cannot be used: {box.desired}/web.yml:" in told.stderr
    assert (box.desired / "web.yml").read_text() == text


def test_suspend_and_resume(box):
    box.write("web.yml", manifest("web"))
    assert "Wrote" in box.run("suspend", "web").stdout
    assert box.json("plan")["changes"][0]["reason"] == "Suspended"
    assert "suspended already" in box.run("suspend", "web").stdout
    assert "is resumed" in box.run("resume", "web").stdout
    assert "is not suspended" in box.run("resume", "web").stdout
    assert [p.name for p in box.desired.iterdir()] == ["web.yml"]


def documents(box, name):
    loaded = load_documents((box.desired / name).read_bytes(), name)
    assert not loaded.problems
    return [d.manifest for d in loaded.documents]


def test_suspend_for_a_while_and_change_ones_mind(box):
    box.write("web.yml", manifest("web"))
    told = box.run("suspend", "web", "--for", "2h")
    assert "the loop stops web until 20" in told.stdout
    [said] = documents(box, "web.suspend.yml")
    assert timedelta(hours=1.9) < said.until - datetime.now(UTC) < timedelta(hours=2.1)
    assert not said.keep_running
    told = box.run("suspend", "web", "--until", "2999-12-01T10:00:00Z", "--keep-running")
    assert "the loop leaves web exactly as it is until 2999-12-01" in told.stdout
    [said] = documents(box, "web.suspend.yml")
    assert (said.until, said.keep_running) == (datetime(2999, 12, 1, 10, tzinfo=UTC), True)
    document = box.json("suspend", "web", "--until", "2999-12-01T10:00Z", "--keep-running")
    assert (document["changed"], document["until"]) == (False, "2999-12-01T10:00:00Z")
    [app] = box.json("status")["apps"]
    assert app["suspended"] == {"keep_running": True, "until": "2999-12-01T10:00:00.000Z"}
    assert "left as it is by the operator until 2999-12-01 10:00 UTC" in box.run("status").stdout
    assert box.run("suspend", "web").exit_code == 0
    assert documents(box, "web.suspend.yml")[0].until is None


def test_what_is_over_is_no_suspension(box):
    box.write("web.yml", manifest("web"))
    box.write("web.suspend.yml", "suspend: {app: web, until: 2020-01-01T00:00:00Z}\n")
    assert box.json("plan")["changes"][0]["action"] == "install"
    assert box.json("suspend", "web")["changed"]
    assert box.json("plan")["changes"][0]["reason"] == "Suspended"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("web", "--for", "2h", "--until", "2999-01-01T10:00"), "not both"),
        (("web", "--for", "soon"), "cannot use --for: "),
        (("web", "--for", "999999999d"), "cannot use --for: it is too long; write 2h or 30d"),
        (("web", "--until", "soon"), "cannot use --until soon; write for example 2026-12-01T10"),
        (("web", "--until", "2020-01-01"), "cannot suspend until then: that moment is over"),
        (("web", "--all"), "cannot suspend: name one app, or say --all"),
        ((), "cannot suspend: name one app, or say --all"),
    ],
)
def test_what_cannot_be_meant_suspends_nothing(box, options, said):
    box.write("web.yml", manifest("web"))
    told = box.run("suspend", *options)
    assert told.exit_code == 1
    assert said in told.stderr
    assert [p.name for p in box.desired.iterdir()] == ["web.yml"]


def test_everything_is_suspended_and_resumed(box):
    box.write("web.yml", manifest("web"))
    box.write("db.yml", manifest("db"))
    told = box.run("suspend", "--all").stdout
    assert "the loop stops everything, `archipelago resume --all` starts it." in told
    assert {c["reason"] for c in box.json("plan")["changes"]} == {"Suspended"}
    assert "everything is suspended already" in box.run("suspend", "--all").stdout
    box.run("suspend", "db")
    told = box.run("resume", "db").stdout
    assert "db stays suspended with all others, by " in told
    assert "resume --all`" in told
    box.run("suspend", "db")
    told = box.json("resume", "--all")
    assert (told["app"], told["changed"]) == (None, True)
    assert told["still"] == ["Still suspended, each on its own: db"]
    assert {c["app"]: c["action"] for c in box.json("plan")["changes"]} == {
        "db": "hold",
        "web": "install",
    }
    assert "everything is not suspended." in box.run("resume", "--all").stdout


def test_what_waits_for_the_end_of_a_suspension_is_told(box):
    (box.root / "apps" / "new").mkdir(parents=True)
    (box.root / "apps" / "new" / "manifest.yml").write_text(manifest("new"))
    for name in ("web", "db", "shop"):
        box.write(f"{name}.yml", manifest(name))
    box.run("suspend", "--all")
    told = "That waits: everything is suspended by the operator; `archipelago resume --all` ends"
    assert told in box.run("install", "new").stdout
    assert box.json("remove", "shop")["waits"] == ""
    box.run("suspend", "--all", "--keep-running")
    assert "That waits: everything is left as it is" in box.run("remove", "db").stdout
    box.run("resume", "--all")
    assert box.json("remove", "web")["waits"] == ""


def test_a_word_of_somebodys_own_is_not_outdone(box):
    box.write("web.yml", manifest("web") + "---\nsuspend: {app: web}\n")
    told = box.run("suspend", "web", "--for", "1h")
    assert told.exit_code == 1
    assert "it is suspended by the operator already, by " in told.stderr
    assert "web.yml:8:1; that file is yours: edit it" in told.stderr
    assert "suspended already" in box.run("suspend", "web").stdout


def test_a_suspension_of_all_is_a_valid_document(box):
    box.write("all.yml", "suspend: {all: true, keep_running: true}\n")
    told = box.json("validate", str(box.desired))
    assert told["valid"]
    assert told["documents"][0] | {"file": ""} == {
        "file": "",
        "line": 1,
        "kind": "suspend",
        "app": None,
    }


def test_a_suspension_in_somebodys_own_file_is_left_to_them(box):
    (box.root / "apps" / "web").mkdir(parents=True)
    (box.root / "apps" / "web" / "manifest.yml").write_text(manifest("web"))
    box.write("web.yml", "install:\n  app: web\n  suspend: true\n")
    told = box.run("resume", "web")
    assert told.exit_code == 1
    assert f"{box.desired}/web.yml:1:1 says `suspend: true`" in told.stderr


def test_in_a_git_work_tree_the_commit_is_left_to_the_operator(box):
    (box.root / ".git").mkdir()
    box.write("web.yml", manifest("web"))
    assert "commit the change" in box.run("suspend", "web").stdout
    assert "commit the change" in box.json("resume", "web")["notice"]


# --- install ---


def entry(box, app, *, parameters="", dependencies="", more=""):
    file = box.root / "apps" / app / "manifest.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"app:\n  id: {app}\n  name: {app}\n  container: {{image: localhost/x:1}}\n"
        f"  parameters: [{parameters}]\n  dependencies: [{dependencies}]\n{more}"
    )


def test_install_writes_the_document_and_tells_what_comes_with_it(box):
    entry(box, "web", parameters="{name: TITLE, required: true}", dependencies="db")
    entry(box, "db", more="  alerts: {install: It takes a while.}\n")
    told = box.run("install", "web", "--set", 'TITLE=Ada\'s "notes" # 1')
    assert told.exit_code == 0, told.stderr
    assert "It takes a while." in told.stdout
    assert "the loop installs web, and db, which it requires." in told.stdout
    file = box.desired / "web.yml"
    [document] = load_documents(file.read_bytes(), "web.yml").documents
    assert dict(document.manifest.parameters) == {"TITLE": 'Ada\'s "notes" # 1'}
    assert {c["app"]: c["action"] for c in box.json("plan")["changes"]} == {
        "db": "install",
        "web": "hold",
    }


def test_install_for_machines(box):
    entry(box, "web", more="  generated_secrets: [{name: key}]\n")
    told = box.json("install", "web")
    assert (told["app"], told["installs_with"], told["alerts"]) == ("web", [], [])
    assert "secret web" not in str(told)


@pytest.mark.parametrize(
    ("why", "arguments", "words"),
    [
        ("nobody knows it", ["webb"], "did you mean web?"),
        ("an answer is missing", ["web"], "the parameter `TITLE` has no value"),
        ("an answer is to nothing", ["web", "--set", "X=1"], "there is no parameter `X`"),
        ("an answer has no name", ["web", "--set", "TITLE"], "write NAME=VALUE"),
        ("a name is none", ["web", "--set", "a b=1"], "`a b` is not the name of a parameter"),
    ],
)
def test_what_cannot_be_installed_writes_nothing(box, why, arguments, words):
    entry(box, "web", parameters="{name: TITLE, required: true}")
    told = box.run("install", *arguments)
    assert (told.exit_code, told.stdout) == (1, ""), why
    assert words in told.stderr
    assert list(box.desired.iterdir()) == []


def test_what_would_be_held_is_said_when_it_is_installed(box):
    entry(box, "web", more="  hooks: {post_install: [{copy: {a: [1]}}]}\n")
    told = box.run("install", "web")
    assert "web is held for now: this version cannot carry out hooks." in told.stdout


def test_a_person_is_asked_until_the_answer_fits(box, monkeypatch):
    monkeypatch.setattr(install, "interactive", lambda: True)
    entry(
        box,
        "web",
        parameters="{name: MAIL, type: email, required: true, label: Your address},"
        " {name: PASS, type: random, required: true}, {name: X, default: y, required: true}",
    )
    told = box.run("install", "web", stdin="nonsense\nada@example.org\n")
    assert told.exit_code == 0, told.stderr
    assert "MAIL (Your address): " in told.stdout
    assert "`nonsense` is not an address of e-mail" in told.stderr
    assert '"MAIL": "ada@example.org"' in (box.desired / "web.yml").read_text()
    assert "PASS" not in (box.desired / "web.yml").read_text()


def test_what_is_desired_already_is_not_installed_again(box):
    entry(box, "web")
    assert box.run("install", "web").exit_code == 0
    told = box.run("install", "web")
    assert told.exit_code == 1
    assert "it is desired already, by " in told.stderr
    (box.desired / "web.yml").rename(box.desired / "other.yml")
    (box.desired / "web.yml").write_text("suspend: {app: db}\n")
    (box.desired / "other.yml").unlink()
    told = box.run("install", "web")
    assert "web.yml is there and says something else" in told.stderr


def test_what_is_broken_in_the_catalogue_is_named(box):
    entry(box, "web", more="  colour: red\n")
    told = box.run("install", "web")
    assert told.exit_code == 1
    assert "`app.colour`" in told.stderr


def left_alone(box):
    """An app that runs, and an empty desired directory."""
    box.write("web.yml", manifest("web"))
    box.engine.world.pullable["localhost/x:1"] = "sha256:1"
    with wiring.reader(settings_of(box)) as reconciler:
        situation, _ = reconciler.preview()
    for spec in situation.desired.apps["web"].containers:
        box.engine.prepare_image(spec, lambda _words: None)
        network = situation.desired.apps["web"].network
        if network:
            box.engine.ensure_network(network)
            box.engine.isolate(IsolationSpec("web", network.interface))
        box.engine.create(spec)
        box.engine.start(spec.container_name)
    (box.desired / "web.yml").unlink()


def settings_of(box):
    from reconciler.config import load_settings

    flags = {"desired_state": box.desired, "catalogue": box.root, "state_dir": box.state}
    return load_settings(flags, {}, box.root / "none.toml")


def test_confirm_removal_lists_asks_and_writes_it_down(box):
    left_alone(box)
    file = wiring.confirmation_path(settings_of(box))
    refused = box.run("confirm", "removal", stdin="n\n")
    assert refused.exit_code == 1
    assert "are to go (their volumes stay): web" in refused.stdout
    assert not file.exists()
    assert box.run("confirm", "removal", stdin="y\n").exit_code == 0
    assert confirmed_removals(file, datetime.now(UTC)).keys() == {"web"}
    assert box.json("plan")["changes"][0]["action"] == "remove"


def test_confirm_removal_for_machines(box):
    left_alone(box)
    asked = box.run("confirm", "removal", "--output", "json")
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "--yes" in asked.stderr
    assert box.json("confirm", "removal", "--yes")["apps"] == ["web"]
    assert box.json("confirm", "removal", "--yes") == {
        "apps": [],
        "confirmed": False,
        "until": None,
    }


# --- isolation ---


def test_who_reaches_whom_is_told_beside_what_is_declared(box):
    (box.root / "policy.toml").write_text('review = "none"\n')
    left_alone(box)
    declared = manifest("web").replace(
        "app:\n", "app:\n  connections: [{to: db, ports: [53, 80]}]\n"
    )
    box.write("web.yml", declared)
    box.write("db.yml", manifest("db"))
    told = box.json("isolation")
    assert told["unenforceable"] is None
    lines = {
        (x["app"], x["to"]): (x["declared"], x["found"], x["as_declared"]) for x in told["lines"]
    }
    assert lines == {
        ("web", "addresses of links"): (False, "shut", True),
        ("web", "this machine"): (False, "shut", True),
        ("web", "db:53"): (True, None, None),
        ("web", "db:80"): (True, None, None),
    }
    shown = box.run("isolation", "web").stdout.splitlines()
    assert shown[0].split() == ["APP", "TO", "DECLARED", "FOUND"]
    assert [row.split()[0] for row in shown[1:]] == ["web"] * 4
    assert "not tried" in shown[-1]


def test_what_is_found_otherwise_is_an_error(box):
    left_alone(box)
    box.write("web.yml", manifest("web"))
    [container] = box.engine.world.boxes.values()
    box.engine.world.leaks.add((container.name, Target(MACHINE, 9)))
    told = box.run("isolation")
    assert told.exit_code == 1
    row = next(row for row in told.stdout.splitlines() if "machine" in row)
    assert row.split()[-3:] == ["not", "reached", "reached"]
    box.engine.world.leaks.clear()
    assert box.run("isolation").exit_code == 0


def test_what_cannot_be_tried_is_said(box):
    left_alone(box)
    assert box.run("isolation").stdout == "No app has a network of its own.\n"
    box.engine.world.unenforceable = "firewall rules need root"
    assert box.run("isolation").stdout == "Nothing is enforced: firewall rules need root\n"
    box.engine.world.unenforceable = ""
    box.write("web.yml", manifest("web"))
    assert "did you mean web?" in box.run("isolation", "wep").stderr
    box.engine.world.fail_next("reach", DriverRejected("no"))
    assert box.json("isolation")["lines"] == []
    box.engine.world.unenforceable = "no nft"
    assert "Nothing is enforced: no nft" in box.run("isolation").stdout
    assert box.json("isolation")["unenforceable"] == "no nft"


def test_a_box_on_which_no_limit_is_in_force_says_so(box):
    left_alone(box)
    box.write("web.yml", manifest("web"))
    assert box.json("status")["notices"] == []
    box.engine.world.unlimited = "version 1"
    told = box.json("status")
    assert told["notices"] == [
        "no limit of an app on memory, CPU or processes is in force: version 1"
    ]
    (confined,) = [c for c in told["apps"][0]["conditions"] if c["type"] == "Confined"]
    assert (confined["status"], confined["reason"]) == (False, "NotEnforceable")


# --- logs, events, schema, doctor ---


def test_logs_of_one_container(box):
    left_alone(box)
    [container] = box.engine.world.boxes.values()
    container.lines += ["one", "two"]
    assert box.run("logs", "web").stdout == "one\ntwo\n"
    assert box.run("logs", "web", "--tail", "1").stdout == "two\n"
    lines = box.run("logs", "web", "--tail", "1", "--output", "json").stdout
    assert json.loads(lines) == {"app": "web", "container": "main", "line": "two"}
    assert "it has main" in box.run("logs", "web", "--container", "x").stderr
    assert "did you mean web?" in box.run("logs", "wep").stderr


def test_events_oldest_first(box):
    assert "Nothing has happened yet" in box.run("events").stdout
    journal = Journal(box.own("events.jsonl"), pytest.fail)
    for number, name in enumerate(["web", "db", "web"]):
        event = Event(name, EventKind.READY, "Serving", f"number {number}", NOW)
        journal.told((event,))
    assert [e["message"][-1] for e in box.json("events", "web")["events"]] == ["0", "2"]
    assert [e["message"][-1] for e in box.json("events", "--tail", "1")["events"]] == ["2"]
    lines = box.run("events").stdout.splitlines()
    assert len(lines) == 3
    assert "db" in lines[1]
    assert "Serving" in lines[1]
    assert "number 1" in lines[1]


def test_schema_is_one_json_document(box):
    assert box.json("schema")["$schema"].startswith("https://json-schema.org/")


def test_doctor_fails_when_there_is_a_problem(box, monkeypatch):
    from reconciler.drivers.podman.doctor import Finding, Standing

    found = [Finding(Standing.OK, "Podman", "is there"), Finding(Standing.NOTE, "limits", "low")]
    monkeypatch.setattr(wiring, "findings", lambda _settings: found)
    assert box.run("doctor").exit_code == 0
    found.append(Finding(Standing.PROBLEM, "crun", "is missing", "apt-get install crun"))
    told = box.run("doctor")
    assert told.exit_code == 1
    assert "apt-get install crun" in told.stdout
    assert [f["status"] for f in box.json("doctor")["findings"]] == ["ok", "note", "problem"]


# --- settings, usage, speed ---


def test_wrong_use_ends_with_2(box):
    assert box.run("stauts").exit_code == 2
    assert box.run("status", "--nope").exit_code == 2
    assert box.run("logs").exit_code == 2


def test_a_wrong_setting_is_named(box):
    told = box.run("status", "--instance", "No!")
    assert (told.exit_code, told.stdout) == (1, "")
    assert "--instance" in told.stderr


HEAVY = ("podman", "prometheus_client", "structlog", "watchfiles", "yaml", "tenacity", "requests")


def test_status_of_a_running_loop_imports_nothing_heavy(box):
    with running_loop(box, status_of(100)):
        listed = subprocess.run(
            [
                *(sys.executable, "-X", "importtime", "-c"),
                "from reconciler.cli.app import main; main()",
                *("status", "--state-dir", str(box.state), "--output", "json"),
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    assert len(json.loads(listed.stdout)["apps"]) == 100
    imported = {line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()}
    assert "reconciler.report.status_json" in imported
    assert imported.isdisjoint(HEAVY)


def test_nobody_reads_any_more(box):
    command = f"{sys.executable} -c 'from reconciler.cli.app import main; main()' schema"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -c 10; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--version",), 0, ""),
        (("schema", "--output", "json"), 0, ""),
        (("status", "--instance", "No!"), 1, "--instance"),
        (("stauts",), 2, "No such command 'stauts'. Did you mean 'status'?"),
        (("confirm", "removla"), 2, "No such command 'removla'. Did you mean 'removal'?"),
        (("plan", "--nothing"), 2, "No such option: --nothing"),
    ],
)
def test_a_process_ends_with_its_exit_code_and_all_it_had_to_say(arguments, code, told):
    ended = subprocess.run(
        [sys.executable, "-c", "from reconciler.cli.app import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == code
    assert told in ended.stderr
    assert bool(ended.stdout) == (code == 0)
    if arguments[0] == "schema":
        json.loads(ended.stdout)


# Images

REMOTE = "registry.example/team/web:1"
FIRST, SECOND = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


TRUST = Trust(
    keys=(TrustedKey("alice", "id", "pem"),),
    scopes=(Scope("registry.example", any_of=("alice",)),),
)
PROVED = Signature("id", SignatureFormat.CLASSIC, "registry.example/team/web")


@pytest.fixture
def registries(box, monkeypatch):
    """What registries say, by image; what is not here cannot be asked."""
    said = {REMOTE: Told(FIRST)}

    def ask(images):
        return {i: said.get(i, Told(error=f"cannot ask about {i}: it has none")) for i in images}

    monkeypatch.setattr(wiring, "ask_registries", ask)
    write_remote(box, "web", REMOTE)
    return said


def write_remote(box, name, image):
    box.write(f"{name}.yml", manifest(name).replace("localhost/x:1", image))


def pins_of(box):
    return FileLedger(box.own("images/images.json")).pins()


def test_outdated_shows_what_a_registry_has_that_is_newer(box, registries):
    FileLedger(box.own("images/images.json")).write({("web", "main"): Pin(REMOTE, FIRST)})
    write_remote(box, "db", "localhost/x:1")
    (local, web) = box.json("outdated")["images"]
    assert (local["app"], local["state"], local["available"]) == ("db", "local", None)
    assert web == {
        "app": "web",
        "container": "main",
        "image": REMOTE,
        "pinned": FIRST,
        "running": None,
        "available": FIRST,
        "state": "current",
        "error": "",
    }
    registries[REMOTE] = Told(SECOND)
    told = box.run("outdated")
    assert told.exit_code == 0
    assert f"{FIRST[:19]}  {SECOND[:19]}  newer" in told.stdout
    assert "1 app behind: `archipelago update APP` takes it." in told.stdout
    assert [i["app"] for i in box.json("outdated", "web")["images"]] == ["web"]
    assert pins_of(box) == {("web", "main"): Pin(REMOTE, FIRST)}, "it only looks"


@pytest.mark.parametrize(
    ("trust", "found", "says"),
    [
        (None, None, ""),
        (Trust(Mode.WARN), None, ""),
        (Trust(problem="what"), None, ""),
        (TRUST, Findings(frozenset({"id"})), "it has no signature"),
        (TRUST, RegistryError("cannot ask registry.example"), "cannot ask registry.example"),
        (TRUST, Findings(frozenset({"id"}), (PROVED,)), ""),
    ],
)
def test_update_takes_nothing_that_nobody_signed(box, registries, monkeypatch, trust, found, says):
    def look(image, given):
        assert (image, given) == (f"registry.example/team/web@{FIRST}", TRUST)
        if isinstance(found, RegistryError):
            raise found
        return Subject("registry.example/team/web", FIRST), found

    monkeypatch.setattr(wiring, "trust", lambda _settings: trust)
    monkeypatch.setattr(wiring, "look_at_signatures", look)
    done = box.run("update", "web")
    assert done.exit_code == (1 if says else 0)
    assert says in done.stderr
    assert bool(pins_of(box)) is not bool(says)
    assert ("Nothing is changed of web." in done.stderr) is bool(says)


BOTH_TRUST = Trust(
    keys=(*TRUST.keys, TrustedKey("bob", "bob-id", "pem")),
    scopes=(Scope("registry.example", any_of=("alice", "bob")),),
)
WEB = ("web", "main")


def past_of(box):
    return PastFile(box.own("images/past.json"))


@pytest.fixture
def signed_by_bob(box, registries, monkeypatch):
    """A box whose app was signed by alice until now; what its tag means by now, bob signed."""
    past_of(box).accept({WEB: (Signer("id", "alice"),)})
    FileLedger(box.own("images/images.json")).write({WEB: Pin(REMOTE, FIRST)})
    registries[REMOTE] = Told(SECOND)
    monkeypatch.setattr(wiring, "trust", lambda _settings: BOTH_TRUST)

    def look(image, _trust):
        key = "id" if image.endswith(FIRST) else "bob-id"
        subject = Subject("registry.example/team/web", image.partition("@")[2])
        return subject, Findings(frozenset({"id", "bob-id"}), (replace(PROVED, key=key),))

    monkeypatch.setattr(wiring, "look_at_signatures", look)
    return box


def test_another_signer_needs_a_word_which_goes_on_record(signed_by_bob):
    box = signed_by_bob
    held = box.run("update", "web")
    assert held.exit_code == 1
    assert f"{REMOTE} is signed by bob, and was by alice until now" in held.stderr
    assert "`archipelago confirm signer web`" in held.stderr
    assert pins_of(box) == {WEB: Pin(REMOTE, FIRST)}
    asked = box.run("confirm", "signer", "web", stdin="n\n")
    assert asked.exit_code == 1
    assert "web/main: alice → bob" in asked.output
    assert past_of(box).past()[WEB].signers == (Signer("id", "alice"),)
    told = box.json("confirm", "signer", "web", "--yes")
    change = {"app": "web", "container": "main", "before": ["alice"], "after": ["bob"]}
    assert told == {"signers": [change], "confirmed": True}
    assert past_of(box).past()[WEB].signers == (Signer("id", "alice"), Signer("bob-id", "bob"))
    (entry,) = [e for e in box.json("audit")["entries"] if e.get("verb") == "confirm signer"]
    assert (entry["app"], entry["message"]) == ("web", "web/main: alice → bob")
    assert box.run("update", "web").exit_code == 0
    assert pins_of(box) == {WEB: Pin(REMOTE, SECOND)}
    assert "nobody else has signed" in box.run("confirm", "signer", "web").output


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "there is none"),
        (Trust(problem="what"), "the trust file cannot be used: what"),
    ],
)
def test_nobody_is_confirmed_without_a_trust_file(box, registries, monkeypatch, given, says):
    monkeypatch.setattr(wiring, "trust", lambda _settings: given)
    told = box.run("confirm", "signer", "web", "--yes")
    assert told.exit_code == 1
    assert says in told.stderr


def test_nobody_is_confirmed_who_cannot_be_asked_about(signed_by_bob, registries, monkeypatch):
    def look(_image, _trust):
        raise RegistryError("cannot ask registry.example")

    monkeypatch.setattr(wiring, "look_at_signatures", look)
    told = signed_by_bob.run("confirm", "signer", "web", "--yes")
    assert (told.exit_code, told.stderr) == (1, "cannot ask registry.example\n")
    registries[REMOTE] = Told(error="cannot ask at all")
    assert "cannot ask at all" in signed_by_bob.run("confirm", "signer", "web", "--yes").stderr


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.WARN, None])
def test_a_tag_that_moves_back_is_taken_by_word_only(box, registries, monkeypatch, mode):
    trust = replace(TRUST, mode=mode) if mode else None
    monkeypatch.setattr(wiring, "trust", lambda _settings: trust)
    proved = Findings(frozenset({"id"}), (PROVED,))
    subject = Subject("registry.example/team/web", FIRST)
    monkeypatch.setattr(wiring, "look_at_signatures", lambda _image, _trust: (subject, proved))
    ledger = parts.ledger(settings_of(box))
    ledger.write({WEB: Pin(REMOTE, FIRST)})
    ledger.write({WEB: Pin(REMOTE, SECOND)})
    told = box.run("update", "web")
    says = f"{REMOTE} has moved back to {FIRST[7:15]}, which was replaced before"
    if mode is not Mode.ENFORCE:
        assert f"{says}, and is taken." in told.stdout
    else:
        assert told.exit_code == 1
        assert f"{says}; if that is meant, say --back" in told.stderr
        assert pins_of(box) == {WEB: Pin(REMOTE, SECOND)}
        assert f"{says}, and is taken." in box.run("update", "web", "--back").stdout
    assert pins_of(box) == {WEB: Pin(REMOTE, FIRST)}
    assert past_of(box).past()[WEB].replaced == (Pin(REMOTE, SECOND),)
    (entry, *_) = [e for e in box.json("audit")["entries"] if e.get("verb") == "update"]
    assert entry["message"] == says


def test_outdated_fails_only_where_nobody_could_be_asked(box, registries):
    write_remote(box, "mail", "registry.example/mail:1")
    told = box.run("outdated")
    assert told.exit_code == 0
    assert "cannot ask about registry.example/mail:1: it has none" in told.stdout
    registries.clear()
    assert box.run("outdated").exit_code == 1


def test_outdated_without_apps_has_nothing_to_ask(box):
    told = box.run("outdated")
    assert (told.exit_code, told.stdout) == (0, "No apps.\n")
    assert box.json("outdated") == {"images": []}


@pytest.mark.parametrize("words", [("outdated", "wbe"), ("update", "wbe")])
def test_images_of_an_app_that_is_not_there(box, registries, words):
    told = box.run(*words)
    assert told.exit_code == 1
    assert "did you mean web?" in told.stderr
    box.write("wbe.yml", "app:\n  id: wbe\n  name: 7\n")
    assert "cannot use wbe: " in box.run(*words).stderr


def test_an_update_writes_down_what_is_another_and_says_so(box, registries):
    told = box.run("update", "web")
    assert told.exit_code == 0
    assert f"web/main: {REMOTE} not known → {FIRST[:19]}" in told.stdout
    assert pins_of(box) == {("web", "main"): Pin(REMOTE, FIRST)}
    assert "nothing to do" in box.run("update", "web").stdout
    registries[REMOTE] = Told(SECOND)
    document = box.json("update", "--all")
    assert document["changed"] is True
    assert [(i["app"], i["pinned"], i["changed"]) for i in document["images"]] == [
        ("web", FIRST, True)
    ]
    assert pins_of(box) == {("web", "main"): Pin(REMOTE, SECOND)}
    assert box.json("update", "web")["changed"] is False


def test_an_update_of_what_no_registry_knows_does_nothing(box, registries):
    write_remote(box, "db", "localhost/x:1")
    told = box.run("update", "db")
    assert (told.exit_code, told.stdout) == (0, "db/main: localhost/x:1 means the same for ever\n")
    assert pins_of(box) == {}


def test_of_an_app_that_cannot_be_asked_about_as_a_whole_nothing_is_changed(box, registries):
    two = "  containers:\n    main: {image: %s}\n    side: {image: registry.example/side:1}\n"
    box.write("web.yml", "app:\n  id: web\n  name: web\n" + two % REMOTE)
    write_remote(box, "shop", REMOTE)
    told = box.run("update", "--all")
    assert told.exit_code == 1
    assert "cannot ask about registry.example/side:1" in told.stderr
    assert "Nothing is changed of web." in told.stderr
    assert pins_of(box) == {("shop", "main"): Pin(REMOTE, FIRST)}


@pytest.mark.parametrize("words", [(), ("web", "--all")])
def test_an_update_names_one_app_or_all(box, registries, words):
    told = box.run("update", *words)
    assert told.exit_code == 1
    assert "name one app, or say --all" in told.stderr


def test_a_ledger_that_cannot_be_written_is_said(box, registries):
    box.own("images").parent.mkdir(parents=True, exist_ok=True)
    box.own("images").write_text("in the way")
    told = box.run("update", "web")
    assert told.exit_code == 1
    assert "cannot write the image ledger: file exists" in told.stderr


# --- retry ---


def failing(reason, *, stalled=True, message="why"):
    """A status of two apps, of which the first is in trouble."""
    told = status_of(2)
    first = told.apps[0]
    conditions = tuple(
        Condition(kind, stalled, reason, message, NOW) if kind is ConditionType.STALLED else c
        for c in first.conditions
        for kind in [c.type]
    )
    bad = replace(first, reason=reason, message=message, conditions=conditions)
    return replace(told, apps=(bad, told.apps[1]))


def failures(box):
    return Failures(box.own("failed/failed.json"))


@pytest.mark.parametrize(
    "reason", ["RolledBack", "CrashLoop", "Failed", "BackOff", "JobFailed", "HealthDeadline"]
)
def test_retry_takes_back_what_failed_and_says_so(box, reason):
    failures(box).fail("app-00", FailedRevision("content", (), "why"))
    with running_loop(box, failing(reason)):
        told = box.run("retry", "app-00")
    assert told.exit_code == 0
    assert told.stdout == (
        f"app-00 is tried again ({reason}: why)\nThe running loop does it now.\n"
    )
    assert failures(box).failed() == {}
    assert set(failures(box).retried()) == {"app-00"}


def test_what_is_tried_at_this_moment_and_failed_before_is_tried_again(box):
    trouble = failing("CrashLoop")
    trying = replace(trouble.apps[0], reason="NotRunning")
    with running_loop(box, replace(trouble, apps=(trying,))):
        assert box.json("retry", "app-00")["changed"] is True


def test_retry_all_takes_those_that_failed(box):
    with running_loop(box, failing("RolledBack")):
        document = box.json("retry", "--all")
    assert document == {
        "apps": [
            {"app": "app-00", "retried": True, "reason": "RolledBack", "message": "why"},
            {"app": "app-01", "retried": False, "reason": "InSync", "message": ""},
        ],
        "changed": True,
    }
    assert set(failures(box).retried()) == {"app-00"}


def test_where_nothing_failed_nothing_is_tried_again_and_that_is_said(box):
    with running_loop(box, failing("ManifestInvalid")):
        assert box.run("retry", "app-01").stdout == (
            "app-01 has nothing to be tried again (InSync)\n"
        )
        held = box.run("retry", "app-00").stdout
        assert held == "app-00 has nothing to be tried again (ManifestInvalid: why)\n"
        assert box.run("retry", "--all").stdout == (
            "No app has failed: there is nothing to be tried again.\n"
        )
    assert not box.own("failed").exists()


def test_retry_without_a_loop_says_who_does_it(box):
    box.write("web.yml", manifest("web"))
    told = box.run("retry", "web")
    assert told.stdout == "web has nothing to be tried again (NotInstalled)\n"


@pytest.mark.parametrize("words", [(), ("web", "--all")])
def test_retry_names_one_app_or_all(box, words):
    told = box.run("retry", *words)
    assert told.exit_code == 1
    assert told.stderr == "cannot retry: name one app, or say --all\n"


def test_retry_of_an_app_that_is_not_there(box):
    with running_loop(box, failing("RolledBack")):
        told = box.run("retry", "app-000")
    assert told.exit_code == 1
    assert told.stderr.startswith("cannot find the app `app-000`: did you mean app-00")


def test_a_word_that_cannot_be_written_is_one_sentence(box):
    with running_loop(box, failing("RolledBack")):
        box.own("failed").write_text("a file in the way")
        told = box.run("retry", "app-00")
    assert told.exit_code == 1
    file = box.own("failed/failed.json")
    assert told.stderr == f"cannot write {file}: file exists; mend it, and say it again\n"


def test_a_loop_that_has_just_begun_is_waited_for(box, monkeypatch):
    """Its first word takes a moment; a look beside it would be one too many."""
    with running_loop(box, status_of(1)):
        text = box.own("status.json").read_text()
        box.own("status.json").unlink()
        late = threading.Timer(0.3, box.own("status.json").write_text, [text])
        late.start()
        told = box.run("status").stdout
        late.join()
        assert "by the running loop (process 4711" in told
        box.own("status.json").unlink()
        monkeypatch.setattr("reconciler.cli.seen.FIRST_SECONDS", 0.1)
        assert "No loop is running" in box.run("status").stdout
