"""`volumes` and `purge`, on an engine of memory: what they show, what they delete, what stays."""

import json

import pytest
from unit.test_cli import Box, manifest, status_of

from reconciler import wiring
from reconciler.cli import purge
from reconciler.drivers.memory.driver import MemoryDriver
from reconciler.errors import DriverUnavailable
from reconciler.model.desired import VolumeSpec
from reconciler.model.pin import Pin, Signer
from reconciler.model.secret import SecretKind, SecretSpec
from reconciler.registry.ledger import FileLedger
from reconciler.registry.past import PastFile
from reconciler.report.status_json import status_document
from reconciler.security.secrets import SecretFiles
from reconciler.sources.last_good import LastGood


@pytest.fixture
def box(tmp_path, monkeypatch):
    from contextlib import contextmanager

    made = Box(tmp_path)
    monkeypatch.delenv("ARCHIPELAGO_DATA_DIR", raising=False)  # a world has one
    (tmp_path / "none.toml").write_text(f'data_dir = "{tmp_path}/data"\n')

    @contextmanager
    def driver(_settings):
        yield made.engine, "an engine of memory"

    monkeypatch.setattr(wiring, "driver", driver)
    return made


def left(box, app="web"):
    """Have what a removed app leaves: data, a secret, a copy, a pin, a document."""
    box.engine.ensure_volume(VolumeSpec(f"archipelago-{app}-data", app, ("key",)))
    box.engine.world.write_by_hand(f"archipelago-{app}-data", "a", "mine")
    SecretFiles(box.own("secrets")).ensure(SecretSpec(app, "key", SecretKind.BCRYPT))
    copies = box.own("shares") / app / "main"
    copies.mkdir(parents=True)
    (copies / "abc").write_text("a macaroon")
    FileLedger(box.own("images") / "images.json").write(
        {(app, "main"): Pin("example/x:1", "sha256:1")}
    )
    PastFile(box.own("images") / "past.json").accept({(app, "main"): (Signer("id", "me"),)})
    places = box.own("revisions")
    places.mkdir(exist_ok=True)
    (places / f"{app}.json").write_text("{}")
    kept = manifest(app) + "---\n" + manifest("other")
    LastGood(box.own("last-good")).save(f"{app}.yml", kept.encode())


def everything(box, app="web"):
    """What there is of an app, in words."""
    found = [v.name for v in box.engine.world.volumes.values() if v.app == app]
    found += [f"secret {n}" for n in SecretFiles(box.own("secrets")).names(app)]
    found += ["copies"] if (box.own("shares") / app).exists() else []
    pins = FileLedger(box.own("images") / "images.json").pins()
    found += ["pin"] if any(of == app for of, _ in pins) else []
    past = PastFile(box.own("images") / "past.json").past()
    found += ["past"] if any(of == app for of, _ in past) else []
    found += ["revision"] if (box.own("revisions") / f"{app}.json").exists() else []
    texts = [f.read_text() for f in box.own("last-good").glob("*.yml")]
    return found + (["document"] if any(f"id: {app}\n" in t for t in texts) else [])


ALL = ["archipelago-web-data", "secret key", "copies", "pin", "past", "revision", "document"]


def events(box):
    return [e for e in box.json("events")["events"] if e["kind"] == "purge"]


def test_purge_shows_what_goes_and_deletes_it(box):
    left(box)
    left(box, "db")
    told = box.run("purge", "web", "--yes")
    assert told.exit_code == 0, told.stderr
    assert told.stdout == (
        "To be deleted of web, for ever:\n"
        "  volume archipelago-web-data (4 B)\n"
        "  secret key\n"
        "  1 copied from files that others share\n"
        "  what 1 image of it meant\n"
        "  1 document from when it was desired\n"
        "The data of web is deleted.\n"
    )
    assert everything(box) == []
    assert everything(box, "db") == [name.replace("web", "db") for name in ALL]
    assert not (box.own("secrets") / "web").exists()
    [event] = events(box)
    assert (event["app"], event["reason"], event["level"]) == ("web", "Purged", "warning")
    assert "archipelago-web-data" in event["message"]
    assert box.run("purge", "web", "--yes").stderr == (
        "cannot purge web: there is no data of it; `archipelago volumes` lists what there is\n"
    )


def test_other_documents_of_a_kept_file_stay(box):
    left(box)
    box.run("purge", "web", "--yes")
    [kept] = box.own("last-good").glob("*.yml")
    assert kept.read_text() == "---\n" + manifest("other")
    box.run("purge", "other", "--yes")
    assert list(box.own("last-good").iterdir()) == []


@pytest.mark.parametrize(("typed", "gone"), [("web\n", True), ("wep\n", False), ("y\n", False)])
def test_on_a_terminal_the_name_is_typed(box, monkeypatch, typed, gone):
    monkeypatch.setattr(purge, "interactive", lambda: True)
    left(box)
    told = box.run("purge", "web", stdin=typed)
    assert "Type the name of the app to go on" in told.stdout
    assert told.exit_code == (0 if gone else 1)
    assert everything(box) == ([] if gone else ALL)
    assert gone or "That is another name: nothing is deleted." in told.stderr


def test_what_changes_while_somebody_types_is_looked_at_anew(box, monkeypatch):
    left(box)

    def comes_back(*_arguments):
        box.write("web.yml", manifest("web"))
        return "web"

    monkeypatch.setattr(purge, "interactive", lambda: True)
    monkeypatch.setattr(purge.typer, "prompt", comes_back)
    told = box.run("purge", "web")
    assert "cannot purge web: it is desired, by " in told.stderr
    assert everything(box) == ALL


def test_more_data_than_was_shown_is_not_deleted(box, monkeypatch):
    left(box)

    def grows(*_arguments):
        box.engine.ensure_volume(VolumeSpec("archipelago-web-more", "web"))
        return "web"

    monkeypatch.setattr(purge, "interactive", lambda: True)
    monkeypatch.setattr(purge.typer, "prompt", grows)
    told = box.run("purge", "web")
    assert "what there is of it changed meanwhile; look again" in told.stderr
    assert everything(box)[:2] == ["archipelago-web-data", "archipelago-web-more"]


@pytest.mark.parametrize("more", [(), ("--output", "json")])
def test_where_nobody_can_be_asked_yes_is_said(box, more):
    left(box)
    told = box.run("purge", "web", *more)
    assert told.exit_code == 1
    assert "say --yes if this is meant" in told.stderr
    assert everything(box) == ALL


def test_purge_for_machines(box):
    left(box)
    (box.root / "data/web").mkdir(parents=True)
    box.engine.world.add_foreign_volume("archipelago-web-old")
    told = box.run("purge", "web", "--yes", "--output", "json")
    assert json.loads(told.stdout) == {
        "app": "web",
        "volumes": ["archipelago-web-data"],
        "secrets": ["key"],
        "copies": 1,
        "pins": 1,
        "documents": 1,
        "left_alone": [
            "volume archipelago-web-old, which does not carry our label",
            f"{box.root}/data/web, a folder of this box that was mounted",
        ],
    }
    assert "archipelago-web-old" in box.engine.world.volumes
    assert (box.root / "data/web").is_dir()


@pytest.mark.parametrize(
    ("why", "text", "said"),
    [
        ("desired", manifest("web"), "it is desired, by "),
        ("installed and broken", "install:\n  app: web\n", "a document that cannot be used wants"),
        ("a typo", "app:\n  id: web\n  oops: 1\n", "a document that cannot be used wants it"),
        ("no YAML", "app: [\n", "a broken file may want it"),
        ("half of a file", "app:\n  id: db\n---\napp: {\n", "cannot purge web: "),
    ],
)
def test_what_may_be_wanted_is_not_deleted(box, why, text, said):
    left(box)
    box.write("any.yml", text)
    told = box.run("purge", "web", "--yes")
    assert told.exit_code == 1, why
    assert said in told.stderr
    assert everything(box) == ALL


def test_without_the_folder_nothing_is_deleted(box):
    left(box)
    box.desired.rmdir()
    told = box.run("purge", "web", "--yes")
    assert "whether it is wanted is not known (" in told.stderr
    assert everything(box) == ALL


def test_a_container_that_uses_the_data_is_named(box):
    left(box)
    box.engine.world.add_foreign_container("backup", mounts=("archipelago-web-data",))
    told = box.run("purge", "web", "--yes")
    assert told.stderr == (
        "cannot purge web: the volume archipelago-web-data is used by backup; remove that first\n"
    )
    assert everything(box) == ALL


@pytest.mark.parametrize("app", ["", "..", "../db", "web/", "/"])
def test_what_is_no_id_deletes_nothing(box, app):
    left(box)
    told = box.run("purge", "--yes", "--", app)
    assert told.exit_code != 0
    assert everything(box) == ALL


def test_secrets_stay_when_the_data_could_not_be_deleted(box):
    left(box)
    box.engine.ensure_volume(VolumeSpec("archipelago-web-cache", "web"))
    box.engine.world.fail_next("remove_volume", DriverUnavailable("cannot remove: no answer"))
    told = box.run("purge", "web", "--yes")
    assert told.exit_code == 1
    assert "cannot remove: no answer; deleted before that: nothing" in told.stderr
    assert set(ALL) <= set(everything(box))
    assert [e["reason"] for e in events(box)] == ["PurgeFailed"]
    assert box.run("purge", "web", "--yes").exit_code == 0
    assert everything(box) == []


def test_state_that_cannot_be_changed_is_told_in_words(box, monkeypatch):
    left(box)

    def closed(_self, _app):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(SecretFiles, "forget", closed)
    told = box.run("purge", "web", "--yes")
    assert "cannot be used: permission denied; deleted before that: archipelago-web-data" in (
        told.stderr
    )
    monkeypatch.setattr(FileLedger, "pins", lambda _self: closed(_self, ""))
    assert "cannot be used: permission denied" in box.run("purge", "web", "--yes").stderr


# --- volumes ---


def test_volumes_tells_whose_they_are_and_what_they_hold(box):
    left(box)
    left(box, "db")
    box.write("db.yml", manifest("db"))
    box.engine.world.add_foreign_volume("archipelago-web-old")
    told = box.run("volumes").stdout
    rows = {line.split()[1]: line.split() for line in told.splitlines() if "archipelago-" in line}
    assert rows["archipelago-web-data"][:5] == ["web", "archipelago-web-data", "4", "B", "removed"]
    assert rows["archipelago-db-data"][4] == "desired"
    assert rows["archipelago-web-old"][:4] == ["-", "archipelago-web-old", "?", "foreign"]
    assert "`archipelago purge APP` deletes" in told
    assert "no app gets it" in told
    assert box.json("volumes")["volumes"] == [
        {
            "name": "archipelago-web-old",
            "app": None,
            "state": "foreign",
            "bytes": None,
            "created_at": None,
        },
        {
            "name": "archipelago-db-data",
            "app": "db",
            "state": "desired",
            "bytes": 4,
            "created_at": "2026-01-01T12:00:00.000Z",
        },
        {
            "name": "archipelago-web-data",
            "app": "web",
            "state": "removed",
            "bytes": 4,
            "created_at": "2026-01-01T12:00:00.000Z",
        },
    ]


def test_no_volumes(box):
    assert "No volumes" in box.run("volumes").stdout
    assert box.json("volumes") == {"volumes": []}


def test_what_cannot_be_measured_now_is_told_as_it_was_measured_last(box):
    from msgspec.structs import replace

    left(box, "app-00")
    left(box, "web")
    box.engine.world.unreadable |= {"archipelago-app-00-data", "archipelago-web-data"}
    status = status_of(1)
    status = replace(status, apps=(replace(status.apps[0], disk_bytes=2048),))
    box.own("status.json").write_text(json.dumps(status_document(status)))
    told = box.run("volumes").stdout
    assert "2 KiB" in told
    assert {v["app"]: v["bytes"] for v in box.json("volumes")["volumes"]} == {
        "app-00": 2048,
        "web": None,
    }


def test_measuring_holds_up_nobody(box, monkeypatch):
    from threading import Event

    left(box)
    left(box, "db")
    asked = []

    def slow(self, name, stop: Event):
        asked.append(name)
        assert stop.wait(30), "nobody ended it"

    monkeypatch.setattr(MemoryDriver, "volume_usage", slow)
    monkeypatch.setattr("reconciler.cli.volumes.MEASURE_SECONDS", 0.01)
    assert [v["bytes"] for v in box.json("volumes")["volumes"]] == [None, None]
    assert asked == ["archipelago-db-data"]
