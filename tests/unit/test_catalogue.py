"""Every app of `apps/`: it is clean, honest, and becomes exactly what stands in `tests/golden`."""

import json
import re
from itertools import groupby

import pytest
from catalogue import (
    APPS,
    CHECKOUT,
    FOLDERS,
    INSTANCE,
    MANIFESTS,
    REAL,
    loaded,
    resolved,
    source,
)

from reconciler.drivers.podman.create_request import create_request
from reconciler.drivers.podman.filling import revealed
from reconciler.drivers.podman.shares import Shares
from reconciler.model.container import MountKind, NetworkPolicy, Restart
from reconciler.security.spec_json import app_document, parse_app

GOLDEN = CHECKOUT / "tests" / "golden" / "catalogue"
README = APPS / "README.md"
ISSUE = [
    "bitcoin-core",
    "bitcoin-knots",
    "lnd",
    "electrs",
    "btcpay-server",
    "mempool",
    "home-assistant",
    "nextcloud",
    "vaultwarden",
    "immich",
    "jellyfin",
    "paperless-ngx",
    "adguard-home",
    "forgejo",
    "syncthing",
    "grafana",
    "prometheus",
]
SAYS_SECRET = re.compile(r"PASS|SECRET|TOKEN|API_?KEY|PRIVATE", re.IGNORECASE)
GIVES_PASSWORD = re.compile(
    r"(?:password|passwd|pwd|rpcauth|token)\s*[=:]\s*\"?(?!\{\{)\w", re.IGNORECASE
)
WITH_PASSWORD = re.compile(r"://[^/\s:@]+:(?!\{\{)[^/\s@]+@")
TEMPLATE = re.compile(r"\{\{.*?\}\}")
DATABASE = re.compile(r"postgres|mariadb|bitcoin")
BEYOND = re.compile(r"capabilities:|devices:|network_policy: host|bind: 0\.0\.0\.0|privileged:")
MINUTE = 60

every_app = pytest.mark.parametrize("app", REAL)
every_folder = pytest.mark.parametrize("app", FOLDERS)
CONTAINERS = [
    pytest.param(app, name, container, id=f"{app}-{name}")
    for app in REAL
    for name, container in MANIFESTS[app].container_map().items()
]
every_container = pytest.mark.parametrize(("app", "name", "container"), CONTAINERS)


def texts(manifest):
    """Everything that a template may stand in, by what it is."""
    for name, container in manifest.container_map().items():
        for key, value in container.environment.items():
            yield f"{name}: {key}", value
        for word in (*(container.entrypoint or ()), *(container.command or ())):
            yield f"{name}: command", word
        for variable in container.secret_env:
            yield f"{name}: {variable.key}", f"{{{{ secrets.{variable.secret} }}}}"
    for file in manifest.files:
        yield file.path, file.content


# --- clean ---------------------------------------------------------------------------------------


def test_the_apps_that_were_asked_for_are_there():
    assert set(ISSUE) <= set(REAL)


@every_folder
def test_it_loads_without_a_problem_and_without_a_warning(app):
    found = loaded(app)
    assert found.problems == ()
    (document,) = found.documents
    assert document.app == app
    assert document.manifest.warnings() == ()
    assert document.manifest.unsupported() == ()


@every_app
def test_it_can_be_resolved(app):
    found = resolved(app)
    assert found.problems == ()
    assert app in found.apps


# --- exactly what Podman is asked for ------------------------------------------------------------


class Named:
    """Secrets whose value is their name."""

    def read(self, ref):
        return f"<{ref.app}/{ref.name}{'.hash' if ref.hashed else ''}>"


def request_for(container, folder):
    """The exact request, with the mounts of what others share."""
    body = create_request(revealed(container, Named()), INSTANCE)
    return body | {
        "mounts": [*body["mounts"], *Shares(None, None, folder, lambda _: None).mounts(container)]
    }


def requests(app, folder):
    """Each container's create request, as a reader of the file would like it."""
    bodies = {c.name: request_for(c, folder) for c in resolved(app).apps[app].containers}
    text = json.dumps(bodies, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return text.replace(str(folder), "<shares>")


@every_app
def test_the_create_request_is_as_it_was(app, request, tmp_path):
    golden = GOLDEN / f"{app}.json"
    found = requests(app, tmp_path)
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        golden.write_text(found)
    assert golden.is_file(), f"{golden} is not there: run pytest with --update-golden"
    assert found == golden.read_text(), "if that is meant, run pytest with --update-golden"


def test_no_golden_file_is_left_over():
    assert sorted(path.stem for path in GOLDEN.iterdir()) == REAL


# --- honest --------------------------------------------------------------------------------------


@every_app
def test_it_says_whose_it_is_and_where_it_comes_from(app):
    manifest = MANIFESTS[app]
    about, upstream = manifest.metadata, manifest.upstream
    assert manifest.version
    assert manifest.description
    assert manifest.category
    assert all((about.author, about.license, about.tags))
    assert about.website.startswith("https://")
    assert about.repo.startswith("https://")
    assert upstream.kind in {"github", "forgejo"}
    assert about.repo.endswith(f"/{upstream.repo}")


@every_container
def test_its_image_is_one_certain_image_of_a_registry_that_is_named(app, name, container):
    reference = container.image
    assert reference.tag
    assert reference.tag != "latest"
    assert re.search(r"\d+\.\d+", reference.tag) or reference.digest
    assert str(reference) == reference.canonical


@every_app
def test_its_version_is_that_of_an_image(app):
    manifest = MANIFESTS[app]
    tags = [c.image.tag for c in manifest.container_map().values()]
    assert any(manifest.version in tag for tag in tags), tags


@every_container
def test_it_can_be_asked_whether_it_is_well(app, name, container):
    assert container.restart is not Restart.ALWAYS or container.health_check is not None


@every_container
def test_it_has_limits(app, name, container):
    assert container.resources.memory_limit
    assert container.resources.pids_limit


@every_container
def test_no_container_is_privileged(app, name, container):
    assert container.security.no_new_privileges
    assert not container.security.privileged


@every_container
def test_what_keeps_data_has_time_to_end(app, name, container):
    if DATABASE.search(container.image.canonical):
        assert container.stop_grace_period >= MINUTE


@every_container
def test_who_runs_without_root_owns_its_volumes(app, name, container):
    """A new volume belongs to root, unless the image has that directory for its own user."""
    if (container.user or container.security.user or "").partition(":")[0].isdecimal():
        named = [v for v in container.volumes if v.type is MountKind.VOLUME]
        assert all("U" in volume.options for volume in named)


@every_app
def test_no_volume_belongs_to_two_containers(app):
    owners = [
        (volume.name, name)
        for name, container in MANIFESTS[app].container_map().items()
        for volume in container.volumes
        if volume.name
    ]
    assert len({name for name, _ in owners}) == len(owners), owners


@every_app
def test_no_password_is_written_down(app):
    for where, text in texts(MANIFESTS[app]):
        bare = TEMPLATE.sub("", text)
        assert not (SAYS_SECRET.search(where.partition(": ")[2]) and bare), where
        assert not GIVES_PASSWORD.search(text), where
        assert not WITH_PASSWORD.search(text), where


@pytest.mark.parametrize(
    "text",
    ["Password=hunter2;Host=db", "password: hunter2", "postgres://me:hunter2@db/x", "rpcauth=a:b"],
)
def test_a_password_that_is_written_down_is_noticed(text):
    assert GIVES_PASSWORD.search(text) or WITH_PASSWORD.search(text)


@every_app
def test_what_it_asks_for_and_what_it_has_made_is_used(app):
    manifest = MANIFESTS[app]
    said = " ".join(text for _, text in texts(manifest))
    for parameter in manifest.parameters:
        assert f"parameters.{parameter.name} " in said, parameter.name
        assert parameter.description
    for secret in manifest.generated_secrets:
        assert re.search(rf"secrets\.{secret.name}\b", said), secret.name


@every_app
def test_what_goes_beyond_the_usual_has_its_reason_beside_it(app):
    lines = source(app).read_text().splitlines()
    for index, line in enumerate(lines):
        if BEYOND.search(line) and not line.lstrip().startswith("#"):
            before = index - 1
            while "bind: 0.0.0.0" in lines[before]:
                before -= 1
            near = (lines[before], line, lines[index + 1])
            assert any("#" in each for each in near), f"{app}:{index + 1}: {line.strip()}"


@every_app
def test_its_door_is_a_port_of_its_own(app):
    manifest = MANIFESTS[app]
    ports = {p.container for c in manifest.container_map().values() for p in c.ports}
    for interface in manifest.interfaces.values():
        assert manifest.network_policy is NetworkPolicy.HOST or interface.port in ports


def published():
    """Every port of the machine that an app of the catalogue publishes, demo apps included."""
    return [
        (port.host, port.protocol, app)
        for app, manifest in MANIFESTS.items()
        for container in manifest.container_map().values()
        for port in container.ports
    ]


def test_all_apps_of_the_catalogue_can_run_beside_each_other():
    ports = sorted(published())
    for (host, protocol), rows in groupby(ports, key=lambda row: row[:2]):
        assert len(list(rows)) == 1, f"{host}/{protocol} is published twice"


# --- the page ------------------------------------------------------------------------------------


def beyond(manifest):
    """What an app may do that others may not."""
    if manifest.network_policy is NetworkPolicy.HOST:
        yield "network of the machine"
    several = len(manifest.container_map()) > 1
    for name, container in manifest.container_map().items():
        where = f"{name}: " if several else ""
        if container.security.capabilities:
            yield where + ", ".join(container.security.capabilities)
        for device in container.devices:
            yield f"{where}`{device.path}`" + (", if there" if device.optional else "")


def ports_of(manifest):
    for container in manifest.container_map().values():
        for port in container.ports:
            protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
            open_to_all = "" if port.bind == "127.0.0.1" else " open"
            yield f"{port.host}{protocol}{open_to_all}"


def needs(manifest):
    for dependency in manifest.dependencies:
        if dependency.app_id is not None:
            ports = ", ".join(map(str, dependency.ports))
            yield dependency.app_id + (f" ({ports})" if ports else "")


def row(app):
    manifest = MANIFESTS[app]
    cells = (
        f"[{manifest.name}]({app}/manifest.yml)",
        manifest.version,
        manifest.metadata.license,
        ", ".join(needs(manifest)),
        ", ".join(ports_of(manifest)),
        "; ".join(beyond(manifest)),
        ", ".join(f"`{p.name}`" for p in manifest.parameters),
    )
    return "| " + " | ".join(cells) + " |"


def test_the_page_tells_of_every_app_what_its_manifest_says(request):
    text = README.read_text()
    head, heading, rest = text.partition("|---|---|---|---|---|---|---|\n")
    told, blank, tail = rest.partition("\n\n")
    rows = "\n".join(row(app) for app in REAL)
    if request.config.getoption("--update-golden"):
        README.write_text(head + heading + rows + blank + tail)
        told = rows
    assert told == rows, "if that is meant, run pytest with --update-golden"


def test_every_spec_comes_back_from_where_good_revisions_are_kept():
    specs = [s for name in REAL for s in resolved(name).apps.values()]
    assert len(specs) > 15
    for spec in specs:
        assert parse_app(json.loads(json.dumps(app_document(spec)))) == spec
