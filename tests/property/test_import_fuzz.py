"""Whatever a foreign file holds, importing it ends, raises nothing, and loses nothing silently."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.importing.addon import import_addon
from reconciler.importing.compose import Beside, import_compose
from reconciler.importing.emit import manifest_text
from reconciler.importing.interpolation import InterpolationError, Variables, open_variables
from reconciler.importing.ledger import leaves
from reconciler.importing.service import CARRIERS, NEUTRAL, REASONS
from reconciler.sources.manifests import load_documents
from reconciler.sources.yaml_documents import parse

INNER = (
    "target source type published protocol host_ip mode bind volume tmpfs size test interval "
    "retries disable soft hard limits reservations memory cpus devices condition aliases content "
    "external driver driver_opts device o file name en_us before_install A POSTGRES_PASSWORD web"
)
WORDS = (
    "web db 80 8080:80 127.0.0.1:53:53/udp 1-9:1-9 ./data:/data /srv:/srv:ro data:/x ${A} ${A:-b} "
    "${A:?why} ${ $$A CMD CMD-SHELL NONE host bridge service:db true false 1Gi 512m 30s -1 "
    "A=b A= POSTGRES_PASSWORD=hunter22 /dev/dri:/dev/dri a/b:1 postgres://u:hunter22@db/x "
    "no-new-privileges:true {{x}} str? int(0,1) list(a|b) password 80/tcp share:rw amd64"
)
TOP = ("services", "networks", "volumes", "configs", "secrets", "name", "x-casaos", "x-a")
ADDON = (
    "slug name version description image arch ports map options schema webui ingress watchdog "
    "ingress_port devices privileged host_network full_access apparmor environment tmpfs init "
    "usb services unknown"
)
SERVICE_KEYS = sorted({*CARRIERS, *NEUTRAL, *REASONS, "labels", "x-casaos", "unknown"})
LEAVES = st.none() | st.text(max_size=8) | st.sampled_from([*WORDS.split(), "a b 'c", "\0", ""])


def nested(keys):
    return st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=3)
        ),
        max_leaves=8,
    )


VALUES = nested(INNER.split())
SERVICES = st.dictionaries(
    st.sampled_from(["web", "db", "Web", "x-a", ""]),
    st.dictionaries(st.sampled_from(SERVICE_KEYS), VALUES, max_size=6) | VALUES,
    max_size=3,
)
COMPOSE = st.fixed_dictionaries(
    {"services": SERVICES | VALUES},
    optional={key: VALUES for key in TOP if key != "services"},
)
ADDONS = st.dictionaries(st.sampled_from(ADDON.split()), VALUES, max_size=8)


def as_texts(data):
    """Return data whose scalars are texts, as a reader of the manifest sees them."""
    if isinstance(data, dict):
        return {key: as_texts(value) for key, value in data.items()}
    if isinstance(data, list):
        return [as_texts(value) for value in data]
    return str(data).lower() if isinstance(data, bool) else str(data)


def check(data, draft):
    for path in leaves(data):
        assert draft.ledger.fate_of(path) is not None, f"silent about {path}"
    assert draft.carried + draft.neutral + draft.not_carried == len(list(leaves(data)))
    if not draft.refusals:
        text = manifest_text(draft.app, "x").encode()
        loaded = load_documents(text, "m.yml")
        assert loaded.problems == ()
        assert as_texts(parse(text, "m.yml")[0][0].data["app"]) == as_texts(draft.app)
    json.dumps(draft.app)


@given(COMPOSE | VALUES, st.none() | VALUES)
@example({"services": {}, "networks": {"target": {"driver": []}}}, None)
@example({"services": {"web": {"image": "a:1", "ports": ["80:80"], "network_mode": "host"}}}, None)
def test_any_compose_file_is_imported_or_refused(data, umbrel):
    check(data, import_compose(data, Beside("folder", umbrel=umbrel)))


@given(ADDONS | VALUES)
def test_any_addon_is_imported_or_refused(data):
    check(data, import_addon(data))


@given(st.text(alphabet="${}:-?+Ab\\ ", max_size=30), st.dictionaries(st.just("A"), st.text("b$")))
def test_a_text_without_open_braces_always_expands(text, known):
    try:
        expanded = Variables(known).expand(text)
    except InterpolationError:
        assert "${" in text
    else:
        assert "A" not in open_variables(expanded) or not known.get("A")
