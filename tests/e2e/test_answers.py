"""Parameters, secrets and files, from the catalogue into a running container."""

import json

import pytest

pytestmark = [pytest.mark.podman, pytest.mark.e2e]

APP = {
    "id": "notes",
    "name": "Notes",
    "parameters": [
        {"name": "TITLE", "required": True},
        {"name": "ADMIN", "type": "random"},
    ],
    "generated_secrets": [{"name": "key", "kind": "hex32"}],
    "files": [
        {"path": "/data/etc/notes.conf", "content": "key={{ secrets.key }}\n"},
        {"path": "/data/keep", "content": "first", "overwrite": False},
    ],
    "volumes": [{"name": "data", "target": "/data"}],
    "container": {
        "image": "localhost/test/busybox:1",
        "pull_policy": "never",
        "stop_grace_period": 0,
        "command": ["sh", "-c", "echo $0; exec busybox sleep 1000", "{{ parameters.TITLE }}"],
        "environment": {
            "TITLE": "{{ parameters.TITLE }} on {{ app.host }}",
            "URL": "pg://u:{{ secrets.key }}@db",
            "ADMIN": "{{ parameters.ADMIN }}",
        },
        "secret_env": [{"key": "KEY", "secret": "key"}],
    },
}


@pytest.fixture
def notes(box):
    box = box()
    (box.catalogue / "notes").mkdir()
    (box.catalogue / "notes" / "manifest.yml").write_text(json.dumps({"app": APP}))
    return box


def install(box, **parameters):
    document = {"install": {"app": "notes", "parameters": parameters}}
    (box.desired / "notes.yml").write_text(json.dumps(document, indent=1))


def inside(box, *command):
    container = box.container("notes")["Id"]
    return box.podman("exec", container, "busybox", *command)


def test_from_answers_to_a_container_and_back_after_a_removal(notes, busybox_image):
    install(notes)
    told = notes.run("validate", str(notes.desired), check=False)
    assert "notes.yml:2:2: cannot use `notes`: the parameter `TITLE` has no value" in told.stdout
    assert "TITLE` has no value" in notes.json("status")["problems"][0]["message"]
    install(notes, TITLE="Ada's notes")
    notes.run("apply")
    names = notes.json("secret", "notes")["secrets"]
    assert names == ["key", "parameter-admin"]
    key, admin = (notes.run("secret", "notes", name).stdout.strip() for name in names)
    assert (len(key), len(admin)) == (64, 32)
    told = inside(notes, "sh", "-c", 'echo "$TITLE $URL $ADMIN $KEY"; cat /data/etc/notes.conf')
    assert told.splitlines() == [
        f"Ada's notes on notes pg://u:{key}@db {admin} {key}",
        f"key={key}",
    ]
    assert notes.run("logs", "notes").stdout.strip().endswith("Ada's notes")

    # What the app made of its own file stays, what is ours is put right; the secret stays.
    inside(notes, "sh", "-c", "echo mine > /data/keep; echo no > /data/etc/notes.conf")
    install(notes, TITLE="Bo's notes")
    notes.run("apply")
    told = inside(notes, "sh", "-c", 'cat /data/keep /data/etc/notes.conf; echo "$TITLE $KEY"')
    assert told.splitlines() == ["mine", f"key={key}", f"Bo's notes on notes {key}"]

    # Removed and installed again, its data is there, and so is what it was made with.
    (notes.desired / "notes.yml").unlink()
    notes.run("confirm", "removal", "--yes")
    notes.run("apply")
    assert notes.containers() == {}
    install(notes, TITLE="Ada's notes")
    notes.run("apply")
    assert inside(notes, "sh", "-c", "cat /data/keep; echo $KEY").split() == ["mine", key]


def test_a_lost_secret_is_told_and_nothing_is_made_with_another(notes, busybox_image):
    install(notes, TITLE="one")
    notes.run("apply")
    before = notes.container("notes")["Id"]
    secrets = notes.state / notes.instance / "secrets" / "notes"
    kept = (secrets / "key").read_text()
    (secrets / "key").unlink()
    install(notes, TITLE="two")
    told = notes.run("apply", check=False)
    assert told.returncode == 1
    assert "its secret key is gone" in told.stdout + told.stderr
    assert notes.container("notes")["Id"] == before
    (secrets / "key").write_text(kept)
    notes.run("apply")
    assert notes.container("notes")["Id"] != before


def test_no_secret_is_where_somebody_may_see_it(notes, busybox_image):
    install(notes, TITLE="one")
    notes.start().wait_ready("notes")
    values = [notes.run("secret", "notes", n).stdout.strip() for n in ("key", "parameter-admin")]
    told = [notes.output.read_text(), json.dumps(notes.status())]
    told += [notes.run(*verb).stdout for verb in (["plan"], ["status", "notes"], ["events"])]
    told += [str(notes.container("notes")["Labels"])]
    told += [(notes.state / notes.instance / "events.jsonl").read_text()]
    assert [v for v in values for text in told if v in text] == []
