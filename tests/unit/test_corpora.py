"""Manifests that exist already load as they are; those that must fail say clearly why."""

from pathlib import Path

import pytest

from reconciler.sources.manifests import Loaded, load_documents

CORPORA = Path(__file__).parents[3] / "shared" / "corpora" / "archipelago"


def load(name: str) -> Loaded:
    path = CORPORA / name / "manifest.yml"
    if not path.is_file():
        pytest.skip("the corpora of existing manifests are not beside this checkout")
    return load_documents(path.read_bytes(), "manifest.yml")


@pytest.mark.parametrize(
    ("name", "app", "unsupported"),
    [
        ("wildbloom", "wildbloom", ("hooks",)),
        ("wildbloom-node", "wildbloom-node", ()),
        ("wildbloom-node-rev1", "wildbloom-node", ()),
        ("seed-home-assistant", "home-assistant", ()),
    ],
)
def test_an_existing_manifest_loads_as_it_is(name, app, unsupported):
    loaded = load(name)
    assert loaded.problems == ()
    (document,) = loaded.documents
    assert document.app == app
    assert document.manifest.unsupported() == unsupported


def test_what_wildbloom_says_is_understood():
    app = load("wildbloom").documents[0].manifest
    main = app.container_map()["main"]
    assert [(r.app, r.optional) for r in app.requires()] == [("wildbloom-node", False)]
    assert main.security.capabilities == ("CHOWN", "SETGID", "SETUID")
    assert main.resources.memory_limit == 64 * 1024**2
    assert main.health_check.path == "/"
    assert [path for path, _ in app.warnings()] == ["container.network", "ports[0].auth"]


def test_what_wildbloom_node_says_is_understood():
    app = load("wildbloom-node").documents[0].manifest
    main = app.container_map()["main"]
    check = main.health_check
    assert app.storage() == 10 * 1024**3
    assert main.security.readonly_root is True
    assert (check.scheme, check.probe_port(main.ports), check.path) == ("http", 3742, "/healthz")
    assert (main.volumes[0].source, main.volumes[0].target, main.volumes[0].options) == (
        "/var/lib/archipelago/wildbloom-node",
        "/data",
        ("rw",),
    )


def test_a_template_that_does_not_exist_is_named():
    loaded = load("bad-placeholder")
    assert loaded.documents == ()
    (problem,) = loaded.problems
    assert "{{NOT_A_PLACEHOLDER}}" in problem.message
    assert (problem.origin.line, problem.origin.column) == (9, 19)
    assert problem.app == "bad-placeholder"


def test_an_excerpt_fails_clearly():
    loaded = load("template-partial")
    assert loaded.documents == ()
    assert [(p.origin.line, p.message.partition(":")[0], p.hint) for p in loaded.problems] == [
        (12, "cannot use `app.container.custom_args`", ""),
        (19, "cannot use `app.container.secret_env[0].secret_file`", "did you mean `secret`?"),
    ]
