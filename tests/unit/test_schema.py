"""The schema and the models say the same, as far as a schema can say it."""

import copy
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import KINDS
from reconciler.model.manifest.schema import manifest_schema
from reconciler.sources.manifests import load_documents

SCHEMA = manifest_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

APP = {"id": "a", "name": "A", "container": {"image": "a/b:1"}}
WEB = {"image": "a/web:1"}


def app(**keys: object) -> dict[str, object]:
    return {"app": copy.deepcopy(APP) | keys}


def container(**keys: object) -> dict[str, object]:
    return app(container={"image": "a/b:1"} | keys)


GOOD = {
    "the least": app(),
    "a version like a number": app(version=1.1),
    "two containers": {"app": {"id": "a", "name": "A", "containers": {"db": WEB, "web": WEB}}},
    "a build in its short form": app(container={"build": "web"}),
    "a build in its long form": app(container={"build": {"context": "web", "args": {"V": 1}}}),
    "environment as a mapping": app(environment={"A": 1, "B": True, "C": "c"}),
    "environment as a list": app(environment=["A=1"]),
    "command as text": container(command="a b"),
    "command as list": container(command=["a", 1]),
    "ports": app(ports=[{"host": 1, "container": 65535, "protocol": "udp", "bind": "::"}]),
    "a volume": app(volumes=[{"name": "data", "target": "/data", "options": ["ro", "Z"]}]),
    "a bind": app(volumes=[{"type": "bind", "source": "/srv", "target": "/data"}]),
    "sizes": app(resources={"memory_limit": "2Gi", "cpu_limit": 2, "pids_limit": 5}),
    "dependencies": app(dependencies=["b", {"app_id": "c", "optional": True}, {"storage": "1Gi"}]),
    "http": app(health_check={"type": "http", "endpoint": "http://localhost:80", "path": "/x"}),
    "tcp": app(health_check={"type": "tcp", "endpoint": 5432}),
    "exec": app(health_check={"type": "exec", "command": ["true"]}),
    "extensions": app(**{"x-mine": {"a": None}}),
    "security": app(security={"capabilities": ["CHOWN"], "network_policy": "none"}),
    "a network of one's own": app(security={"network_policy": "mine"}),
    "devices at the app": app(devices=["/dev/a"]),
    "devices": container(devices=["/dev/a", {"path": "/dev/dri", "optional": True}]),
    "ulimits": container(ulimits={"nofile": 1024, "memlock": {"soft": -1, "hard": -1}}),
    "ulimits without limit": container(ulimits={"memlock": "unlimited"}),
    "sysctls": container(sysctls={"net.core.somaxconn": 512}),
    "hosts and resolvers": container(extra_hosts=["nas:10.0.0.1"], dns=["10.0.0.1"]),
    "hosts as a mapping": container(extra_hosts={"nas": "10.0.0.1"}),
    "shared memory": container(shm_size="1Gi"),
    "users of its own": app(security={"userns": "auto"}),
    "an AppArmor profile": container(security={"apparmor_profile": "required"}),
    "privileged": container(security={"privileged": True, "seccomp_profile": "unconfined"}),
    "room": app(resources={"disk_limit": "10Gi"}),
    "parameters": app(
        parameters=[
            {"name": "A", "type": "select", "options": ["x"], "default": "x", "label": "A"},
            {"name": "B", "type": "number", "default": 5, "required": True, "description": "b"},
        ],
    ),
    "secrets": app(generated_secrets=[{"name": "a"}, {"name": "b", "kind": "bcrypt"}]),
    "files": app(
        volumes=[{"name": "v", "target": "/v"}],
        files=[{"path": "/v/a", "content": "x", "overwrite": False}],
    ),
    "names and ranges": app(
        provides=["b", {"name": "c", "default": True}],
        dependencies=[
            {"app_id": "d", "version": "^1", "ports": [80], "restart_with": True},
            {"app_id": "e", "files": [{"from": "c", "target": "/c"}]},
        ],
        connections=[{"to": "tor", "ports": [9050]}],
        exports={"values": {"HOST": "{{ app.host }}"}, "files": {"a": {"volume": "v"}}},
        volumes=[{"name": "v", "target": "/v"}],
        alerts={"install": "read this", "uninstall": "and this"},
    ),
    "install with all": {
        "install": {
            "app": "a",
            "version": ">=1 <2",
            "overrides": {
                "environment": {"A": 1},
                "resources": {"cpu_limit": 1},
                "ports": [{"container": 80, "host": 81}],
                "containers": {"db": {"environment": ["A=1"]}},
            },
        },
    },
    "policies": app(
        network={"egress": "lan"},
        update={"strategy": "blue-green", "rollback": False, "health_deadline": "5m"},
        ports=[{"host": 80, "container": 8080}],
        backup={"exclude": ["cache"], "pre": ["sync"], "post": "rm x"},
    ),
    "install with parameters": {"install": {"app": "a", "parameters": {"A": 1, "B": "x"}}},
    "install": {"install": {"app": "a", "suspend": True}},
    "suspend": {"suspend": {"app": "a"}},
    "suspend until": {"suspend": {"app": "a", "until": "2026-12-01T10:00:00Z"}},
    "suspend all and leave them": {"suspend": {"all": True, "keep_running": True}},
    "approve": {
        "approve": {
            "app": "a",
            "by": "ada",
            "at": "2026-11-24T10:00:00Z",
            "permissions": ["network host"],
            "hash": "1-5accd5297b035a9422f48049064e4bdb28b38992a0000c87adc54762614d79bf",
        },
    },
    "an extension at the root": {"suspend": {"app": "a"}, "x-note": 1},
    "hooks": app(hooks={"post_install": [{"copy": {"a": [1]}}]}),
    "interfaces": app(interfaces={"main": {"port": 80, "type": "ui", "path": "/"}}),
    "restart": container(restart="no"),
    "waiting": {
        "app": {
            "id": "a",
            "name": "A",
            "containers": {"db": WEB, "web": {**WEB, "depends_on": {"db": "started"}}},
        },
    },
}
BAD = {
    "no document": {},
    "two documents": {"install": {"app": "a"}, "suspend": {"app": "a"}},
    "an unknown root": {"services": {}},
    "no id": {"app": {"name": "A", "container": WEB}},
    "an id that is none": app(id="My App"),
    "no container": {"app": {"id": "a", "name": "A"}},
    "container and containers": app(containers={"web": WEB}),
    "no image": app(container={"command": "x"}),
    "image and build": container(build="web"),
    "an unknown key": app(colour="red"),
    "a key that is not available yet": app(custom=[]),
    "a way out that is none": app(network={"egress": "wan"}),
    "a strategy that is none": app(update={"strategy": "recreate"}),
    "a backup without": app(backup={"include": []}),
    "a parameter without a name": app(parameters=[{"type": "text"}]),
    "a parameter of no type": app(parameters=[{"name": "A", "type": "colour"}]),
    "a secret of no kind": app(generated_secrets=[{"name": "a", "kind": "long"}]),
    "a file without content": app(files=[{"path": "/a"}]),
    "install with a list": {"install": {"app": "a", "parameters": []}},
    "a key without value": app(version=None),
    "a port beyond the last": app(ports=[{"host": 70000, "container": 1}]),
    "a port as quoted text": app(ports=[{"host": "80", "container": 1}]),
    "a port in the short form": app(ports=["80:80"]),
    "a protocol that is none": app(ports=[{"host": 1, "container": 1, "protocol": "icmp"}]),
    "an image with a space": container(image="a b"),
    "a boolean as text": container(init="true"),
    "a relative target": app(volumes=[{"name": "d", "target": "data"}]),
    "an option that is none": app(volumes=[{"name": "d", "target": "/d", "options": ["fast"]}]),
    "a dependency of both kinds": app(dependencies=[{"app_id": "b", "storage": "1Gi"}]),
    "a network without a name": app(security={"network_policy": "a b"}),
    "a device that is none": container(devices=["etc"]),
    "a limit of two kinds": container(ulimits={"nofile": "many"}),
    "a hosts entry without address": container(extra_hosts=["nas"]),
    "a resolver that is no address": container(dns=[5]),
    "users of nobody": app(security={"userns": "keep-id"}),
    "an AppArmor profile with a space": container(security={"apparmor_profile": "a b"}),
    "a seccomp profile that is none": container(security={"seccomp_profile": "none"}),
    "a list in the environment": app(environment={"A": []}),
    "a variable without =": app(environment=["A"]),
    "an empty command": container(command=[]),
    "a restart that is none": container(restart="sometimes"),
    "a condition that is none": container(depends_on={"db": "ready"}),
    "a check of no kind": app(health_check={"type": "icmp"}),
    "install with an override of nothing": {"install": {"app": "a", "overrides": {"image": "b"}}},
    "a name that is none": app(provides=["My Name"]),
    "a connection to nobody": app(connections=[{"ports": [1]}]),
    "a dependency's port beyond the last": app(dependencies=[{"app_id": "b", "ports": [70000]}]),
    "an alert for nothing": app(alerts={"update": "x"}),
    "approve without a list": {
        "approve": {"app": "a", "by": "ada", "at": "2026-11-24T10:00:00Z", "hash": "1-0"},
    },
    "suspend without app": {"suspend": {}},
    "suspend an app and all": {"suspend": {"app": "a", "all": True}},
    "suspend until nobody knows when": {"suspend": {"app": "a", "until": "tomorrow"}},
}


def models_accept(document: dict[str, object]) -> bool:
    keys = [key for key in document if not key.startswith("x-")]
    if len(keys) != 1 or keys[0] not in KINDS:
        return False
    try:
        KINDS[keys[0]].model_validate(document[keys[0]])
    except ValidationError:
        return False
    return True


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_is_the_same_each_time():
    assert manifest_schema() == SCHEMA


@pytest.mark.parametrize("why", GOOD)
def test_both_accept(why):
    assert models_accept(GOOD[why])
    VALIDATOR.validate(GOOD[why])


@pytest.mark.parametrize("why", BAD)
def test_both_refuse(why):
    assert not models_accept(BAD[why])
    assert not VALIDATOR.is_valid(BAD[why])


MANUAL = Path(__file__).parents[2] / "docs" / "manifest.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", MANUAL.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_manual_is_right(example):
    loaded = load_documents(example.encode(), "manual.yml")
    assert loaded.problems == ()
    assert loaded.documents
    for document in loaded.documents:
        if isinstance(document.manifest, AppManifest):
            assert document.manifest.unsupported() == ()
            assert document.manifest.warnings() == ()


def test_the_manual_has_examples():
    assert len(EXAMPLES) == 15
