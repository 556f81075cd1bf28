"""An add-on becomes an app without Supervisor; what only the Supervisor gives is told."""

import json

import pytest

from reconciler.importing.addon import BesideAddon, import_addon
from reconciler.importing.emit import manifest_text
from reconciler.importing.ledger import Kind, leaves
from reconciler.importing.report import dotted
from reconciler.sources.manifests import load_documents
from reconciler.sources.yaml_documents import parse

HEAD = "slug: my_addon\nname: My Add-on\nversion: 1.2.0\narch: [aarch64, amd64]\n"
IMAGE = HEAD + 'image: "example/{arch}-addon-x"\n'


def draft(text, **beside):
    nodes, problems = parse(text.encode(), "config.yaml", foreign=True)
    assert problems == []
    made = import_addon(nodes[0].data, BesideAddon(**beside))
    for path in leaves(nodes[0].data):
        assert made.ledger.fate_of(path) is not None
    if not made.refusals:
        loaded = load_documents(manifest_text(made.app, "x").encode(), "m.yml")
        assert loaded.problems == ()
    return made


def notes(made, kind):
    return {dotted(note.path): note.message for note in made.notes(kind)}


def test_what_it_is_and_where_its_image_is():
    made = draft(IMAGE + "url: https://example.org\ndescription: It does.\n")
    app = made.app
    assert (app["id"], app["name"], app["version"]) == ("my-addon", "My Add-on", "1.2.0")
    assert app["description"] == "It does."
    assert app["metadata"] == {"website": "https://example.org"}
    assert app["container"]["image"] == "docker.io/example/amd64-addon-x:1.2.0"
    assert app["container"]["volumes"] == [{"name": "data", "target": "/data"}]
    assert "for amd64" in notes(made, Kind.CHANGED)["image"]
    assert made.notes(Kind.NOT_CARRIED) == []


def test_another_processor_is_taken_where_there_is_no_amd64():
    made = draft(IMAGE.replace("[aarch64, amd64]", "[aarch64]"))
    assert made.app["container"]["image"] == "docker.io/example/aarch64-addon-x:1.2.0"


def test_without_an_image_there_has_to_be_something_to_build():
    assert draft(HEAD).app == {}
    assert "needs an `image`" in draft(HEAD).refusals[0].message
    assert draft(HEAD, has_containerfile=True).app["container"]["build"] == "."


@pytest.mark.parametrize(
    ("written", "key", "want"),
    [
        ("ports: {80/tcp: 8080}", "ports", [{"host": 8080, "container": 80, "bind": "0.0.0.0"}]),
        (
            "ports: {53/udp: 53}",
            "ports",
            [{"host": 53, "container": 53, "bind": "0.0.0.0", "protocol": "udp"}],
        ),
        ("ports: {80/tcp: null}", "ports", None),
        ("init: true", "init", True),
        ("init: false", "init", None),
        ("tmpfs: true", "tmpfs", ["/tmp"]),
        ("environment: {A: b}", "environment", {"A": "b"}),
        ("devices: [/dev/mem]", "devices", ["/dev/mem"]),
        ("usb: true", "devices", [{"path": "/dev/bus/usb", "optional": True}]),
        (
            "watchdog: tcp://[HOST]:1883",
            "health_check",
            {"type": "tcp", "endpoint": "localhost:1883"},
        ),
        (
            "watchdog: http://[HOST]:[PORT:80]/ok",
            "health_check",
            {"type": "http", "endpoint": "http://localhost:80", "path": "/ok"},
        ),
        (
            "map: [addon_config:rw]",
            "volumes",
            [
                {"name": "data", "target": "/data"},
                {"name": "addon-config", "target": "/config"},
            ],
        ),
        (
            "map: [{type: app_config, read_only: false, path: /conf}, ssl]",
            "volumes",
            [
                {"name": "data", "target": "/data"},
                {"name": "app-config", "target": "/conf"},
                {"name": "ssl", "target": "/ssl", "options": ["ro"]},
            ],
        ),
    ],
)
def test_a_key_is_carried(written, key, want):
    made = draft(IMAGE + written + "\n")
    assert made.app["container"].get(key) == want
    assert made.notes(Kind.NOT_CARRIED) == []


@pytest.mark.parametrize(
    ("written", "path", "message"),
    [
        ("hassio_api: true", "hassio_api", "only Home Assistant's Supervisor"),
        ("services: ['mqtt:provide']", "services", "only Home Assistant's Supervisor"),
        ("discovery: [mqtt]", "discovery", "only Home Assistant's Supervisor"),
        ("map: [config:rw]", "map[0]", "Home Assistant's own"),
        ("map: [moon]", "map[0]", "not known"),
        ("map: ['ssl:rx']", "map[0]", "`ro` or as `rw`"),
        ("audio: true", "audio", "sound server"),
        ("stdin: true", "stdin", "typed"),
        ("apparmor: mine", "apparmor", "AppArmor"),
        ("backup_exclude: ['*.onnx']", "backup_exclude", "patterns"),
        ("ports: {http: 80}", "ports.http", "not a port"),
        ("environment: {A: '{{ x }}'}", "environment.A", "templates"),
        ("watchdog: 'http://[HOST]:[PORT:x]'", "watchdog", "hangs on the options"),
        ("ingress: true\ningress_port: 0", "ingress", "chooses the port"),
        ("frob: 1", "frob", "nothing like it"),
        ("schema: {o: 'str?'}", "schema.o", "left out of the file"),
        ("schema: {o: {a: str}}", "schema.o", "are not asked"),
        ("schema: {o: [str]}\noptions: {o: [a]}", "schema.o", "are not asked"),
        ("schema: {o: frob}\noptions: {o: a}", "schema.o", "not known"),
    ],
)
def test_what_is_not_carried_is_told(written, path, message):
    told = notes(draft(IMAGE + written + "\n"), Kind.NOT_CARRIED)
    assert message in told.pop(path)
    assert told == {}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("host_network: true", "host_network"),
        ("host_dbus: true", "host_dbus"),
        ("full_access: true", "full_access"),
        ("privileged: [NET_ADMIN]", "privileged[0]"),
        ("video: true", "video"),
        ("ports: {80/tcp: 80}", "ports.80/tcp"),
    ],
)
def test_a_permission_is_told(written, path):
    made = draft(IMAGE + written + "\n")
    assert path in notes(made, Kind.PERMISSION)
    assert made.notes(Kind.NOT_CARRIED) == []


OPTIONS = IMAGE + (
    "options: {name: home, level: info, on: true, many: 3, list: [a, b], pass: null, mail: ''}\n"
    "schema: {name: 'str', level: 'list(debug|info)', 'on': bool, many: 'int(0,9)', list: [str],\n"
    "  pass: password, mail: 'str?', site: url}\n"
)


def test_options_are_asked_and_written_where_the_addon_reads_them():
    made = draft(OPTIONS.replace(" on:", " 'on':"))
    assert made.app["parameters"] == [
        {"name": "NAME", "type": "text", "default": "home"},
        {"name": "LEVEL", "type": "select", "options": ["debug", "info"], "default": "info"},
        {"name": "ON", "type": "boolean", "default": True},
        {"name": "MANY", "type": "number", "default": 3},
        {"name": "PASS", "type": "password", "required": True},
        {"name": "MAIL", "type": "text", "default": ""},
        {"name": "SITE", "type": "url", "required": True},
    ]
    (file,) = made.app["files"]
    assert file["path"] == "/data/options.json"
    filled = file["content"]
    for name, value in {"NAME": "home", "LEVEL": "info", "ON": "true", "MANY": "3"}.items():
        filled = filled.replace(f"{{{{ parameters.{name} }}}}", value)
    found = json.loads(filled)
    assert found["list"] == ["a", "b"]
    assert (found["name"], found["on"], found["many"]) == ("home", True, 3)
    assert found["pass"] == "{{ parameters.PASS }}"


def test_nested_options_never_look_like_templates():
    made = draft(IMAGE + "options: {a: {b: {c: {}}, d: [{e: x}]}}\n")
    (file,) = made.app["files"]
    assert json.loads(file["content"]) == {"a": {"b": {"c": {}}, "d": [{"e": "x"}]}}
    assert "parameters" not in made.app


@pytest.mark.parametrize(
    ("written", "port", "path"),
    [
        ("webui: 'http://[HOST]:[PORT:8080]/ui'", 8080, "/ui"),
        ("webui: '[PROTO:ssl]://[HOST]:[PORT:8080]'", 8080, None),
        ("ingress: true", 8099, None),
        ("ingress: true\ningress_port: 5580\ningress_entry: ui.html", 5580, "/ui.html"),
    ],
)
def test_where_its_page_is(written, port, path):
    made = draft(IMAGE + written + "\n")
    door = made.app["interfaces"]["main"]
    assert (door["port"], door.get("path")) == (port, path)
    assert made.notes(Kind.NOT_CARRIED) == []
