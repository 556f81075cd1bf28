"""`archipelago import`: what it prints where, what it writes, and how it ends."""

import json

import pytest
from typer.testing import CliRunner

from reconciler.cli.app import build
from reconciler.sources.manifests import load_documents

COMPOSE = """
name: shop
services:
  web:
    image: a/web:1
    ports: ["8080:80"]
    tty: true
    environment: [DB_PASSWORD=hunter22]
"""
ADDON = "slug: x\nname: X\nversion: 1.0.0\nimage: 'a/{arch}-x'\narch: [amd64]\nhassio_api: true\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(build(), ["import", *arguments])

    return run


def write(root, name, text):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_the_manifest_goes_to_standard_output_and_the_report_beside_it(run, tmp_path):
    write(tmp_path, "compose.yml", COMPOSE)
    result = run("compose", "compose.yml")
    assert result.exit_code == 0
    loaded = load_documents(result.stdout.encode(), "m.yml")
    assert [d.app for d in loaded.documents] == ["shop"]
    assert result.stdout.startswith("# Imported from compose.yml.")
    lines = result.stderr.splitlines()
    assert lines[0] == (
        "compose.yml:7:5: cannot carry `services.web.tty`: a container has no terminal"
    )
    assert any("compose.yml:6:13: permission `services.web.ports[0]`" in line for line in lines)
    assert lines[-2].endswith("1 not carried.")
    assert lines[-1] == (
        "It asks for 11 permissions beyond what every app has: `archipelago install` shows them."
    )
    assert "hunter22" not in result.stdout + result.stderr


def test_a_machine_gets_one_document(run, tmp_path):
    write(tmp_path, "compose.yml", COMPOSE)
    result = run("compose", "compose.yml", "--output", "json")
    found = json.loads(result.stdout)
    assert found["manifest"]["app"]["id"] == "shop"
    (entry,) = found["not_carried"]
    assert entry == {
        "path": "services.web.tty",
        "reason": "a container has no terminal",
        "hint": "",
        "file": "compose.yml",
        "line": 7,
        "column": 5,
    }
    assert (found["carried"], found["neutral"]) == (4, 0)
    assert {"permissions", "changed"} <= set(found)


@pytest.mark.parametrize(
    "name", ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"]
)
def test_a_folder_is_enough(run, tmp_path, name):
    write(tmp_path, f"my app/{name}", COMPOSE.replace("name: shop\n", ""))
    result = run("compose", "my app")
    assert result.exit_code == 0
    assert "\n  id: my-app\n" in result.stdout


def test_a_file_is_written_once(run, tmp_path):
    write(tmp_path, "compose.yml", COMPOSE)
    assert run("compose", "compose.yml", "-o", "shop.yml").exit_code == 0
    first = (tmp_path / "shop.yml").read_text()
    assert "id: shop" in first
    again = run("compose", "compose.yml", "-o", "shop.yml", "--id", "other")
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert (tmp_path / "shop.yml").read_text() == first
    assert run("compose", "compose.yml", "-o", "shop.yml", "--id", "b", "--force").exit_code == 0
    assert "id: b" in (tmp_path / "shop.yml").read_text()


def test_a_file_in_no_folder_is_told(run, tmp_path):
    write(tmp_path, "compose.yml", COMPOSE)
    result = run("compose", "compose.yml", "-o", "none/shop.yml")
    assert result.exit_code == 1
    assert "cannot write none/shop.yml: no such file or directory" in result.stderr


def test_variables_beside_the_file_are_used(run, tmp_path):
    write(tmp_path, "compose.yml", COMPOSE.replace("8080", "${PORT:?}").replace("hunter22", "$PW"))
    write(tmp_path, ".env", "# ours\nexport PORT=99\nPW='hunter22'\nEMPTY\n")
    result = run("compose", "compose.yml")
    assert "host: 99" in result.stdout
    assert "{{ secrets.db-password }}" in result.stdout
    assert "hunter22" not in result.stdout + result.stderr


def test_a_folder_below_that_of_the_file_is_built(run, tmp_path):
    write(tmp_path, "compose.yml", "name: x\nservices: {web: {build: app}, db: {build: ..}}\n")
    (tmp_path / "app").mkdir()
    result = run("compose", ".")
    assert result.exit_code == 1
    assert "cannot carry `services.db`: a container needs an `image`" in result.stderr
    assert "services.web" not in result.stderr


def test_what_umbrel_says_is_read_from_beside_the_file(run, tmp_path):
    write(tmp_path, "docker-compose.yml", COMPOSE)
    write(tmp_path, "umbrel-app.yml", "id: market\nname: Market\nfrob: 1\n")
    result = run("compose", ".")
    assert "name: Market" in result.stdout
    assert "umbrel-app.yml:3:1: cannot carry `frob`" in result.stderr


def test_what_a_merge_brought_is_told_where_it_was_brought(run, tmp_path):
    text = "x-a: &a\n  deploy: {replicas: 3}\nservices:\n  web:\n    <<: *a\n    image: a/b:1\n"
    write(tmp_path, "compose.yml", text)
    assert (
        "compose.yml:4:3: cannot carry `services.web.deploy.replicas`"
        in run("compose", ".").stderr
    )


def test_an_addon_is_imported(run, tmp_path):
    write(tmp_path, "x/config.yaml", ADDON)
    result = run("addon", "x")
    assert result.exit_code == 0
    assert "image: docker.io/a/amd64-x:1.0.0" in result.stdout
    assert "x/config.yaml:6:1: cannot carry `hassio_api`" in result.stderr


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("compose", "", "it is empty"),
        ("compose", "a: 1", "it has no `services`"),
        ("compose", "[a]", "it has no `services`"),
        ("compose", "services:", "it has no `services`"),
        ("compose", "services: {a: {image: b}}\n---\na: 1", "it has 2 documents"),
        ("compose", "services: {", "f.yml:2:1: cannot read"),
        (
            "compose",
            "services: {a: {image: 'A B'}}",
            "f.yml:1:16: cannot carry",
        ),
        ("compose", "services: {a: {restart: always}}", "needs an `image`"),
        ("compose", "services: 1", "needs a `container`"),
        ("compose", "services: [1]", "needs a `container`"),
        ("compose", "services: {a: !!python/object:os.system {}}", "the tag"),
        ("compose", "\x01", "control character"),
        ("addon", "a: 1", "it has no `slug`"),
        ("addon", "slug: x\nname: X", "needs an `image`"),
        ("addon", "slug: {}\nimage: a", "cannot"),
    ],
)
def test_what_cannot_be_imported_is_told_without_a_traceback(run, tmp_path, kind, text, message):
    write(tmp_path, "f.yml", text)
    result = run(kind, "f.yml", "-o", "out.yml")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert "please report" not in result.stderr
    assert not (tmp_path / "out.yml").exists()


@pytest.mark.parametrize("kind", ["compose", "addon"])
def test_what_is_not_there_is_told(run, tmp_path, kind):
    (tmp_path / "empty").mkdir()
    assert "no such file" in run(kind, "nothing.yml").stderr
    assert "the folder has no" in run(kind, "empty").stderr
