"""Whatever a file holds, reading it ends, raises nothing, and says what is wrong where."""

import string

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.model.image_reference import ImageReferenceError, parse_image_reference
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.container import ContainerManifest
from reconciler.model.manifest.document import KINDS
from reconciler.model.quantities import QuantityError, parse_cpu, parse_duration, parse_size
from reconciler.sources.manifests import load_documents

WHOLE = b"""\
app:
  id: whole
  name: Whole
  version: 1.10
  containers:
    db: {image: "a/db:1", health_check: {type: tcp, endpoint: "5432"}, restart: always}
    web:
      image: a/web:1
      depends_on: {db: healthy}
      environment: [A=1, "B=x y"]
      ports: [{host: 8080, container: 80, bind: 127.0.0.1}]
      volumes: [{name: data, target: /data, options: [rw]}]
      command: sh -c 'echo "x"'
  dependencies: [other, {storage: 1Gi}]
---
install: {app: lnd, suspend: true}
"""
KEYS = sorted({*AppManifest.key_names(), *ContainerManifest.key_names(), "type", "x-a", "command"})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["a", "1Gi", "30s", "no", "{{HOST_IP}}", "/data", "http://http://localhost:1"]
    )
)
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


def check(text: bytes) -> None:
    loaded = load_documents(text, "f.yml")
    lines = len(text.decode(errors="replace").splitlines()) + 2
    for problem in loaded.problems:
        assert problem.message.startswith("cannot ")
        assert "Input should" not in problem.message
        assert problem.message.isprintable()
        assert 0 <= problem.origin.line <= lines
    assert list(loaded.problems) == sorted(
        loaded.problems,
        key=lambda p: (p.origin, p.message),
    )
    for document in loaded.documents:
        assert 1 <= document.start_line <= document.origin.line <= document.end_line


def check_uses(manifest: object) -> None:
    """An accepted app answers everything it can be asked."""
    if isinstance(manifest, AppManifest):
        assert manifest.container_map()
        for container in manifest.container_map().values():
            if container.health_check is not None:
                assert 0 <= container.health_check.probe_port(container.ports) <= 65535
                assert container.health_check.path.startswith("/")
        manifest.requires()
        manifest.storage()
        manifest.unsupported()
        manifest.warnings()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
@example(b"a: {\n---\n" * 5)
@example("a: \u2028\n\x85b: [".encode())
def test_any_bytes(data):
    check(data)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abx:-[]{},\"'#&*!|>%@`?~<\n\t 10", max_size=80))
@example("? a\n: b\n")
@example("--- |\n---\n")
@example("a: &a\n*a : b")
def test_any_text_that_looks_like_yaml(text):
    check(text.encode())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE)), st.integers(0, 12), st.text(max_size=4))
def test_any_edit_of_a_whole_file(at, removed, inserted):
    check(WHOLE[:at] + inserted.encode() + WHOLE[at + removed :])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_any_truncation(length):
    check(WHOLE[:length])


def test_the_whole_file_is_right():
    loaded = load_documents(WHOLE, "f.yml")
    assert loaded.problems == ()
    assert [document.app for document in loaded.documents] == ["whole", "lnd"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), DATA)
@example("app", {"id": "a", "name": "A", "container": {"image": "a"}, "ports": None})
def test_any_data(root, data):
    try:
        manifest = KINDS[root].model_validate(data)
    except ValueError:
        return
    check_uses(manifest)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), DATA, max_size=3))
def test_any_container(keys):
    app = {"id": "a", "name": "A", "container": {"image": "a"} | keys}
    try:
        manifest = AppManifest.model_validate(app)
    except ValueError:
        return
    check_uses(manifest)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20) | st.from_regex(r"\A[0-9]{1,4}(\.[0-9])?[A-Za-z]{0,3}\Z"))
@example("1e5")
@example("٣")
def test_a_quantity_is_positive_or_refused(text):
    for parse, least in ((parse_size, 1), (parse_cpu, 0.0001), (parse_duration, 0)):
        try:
            value = parse(text)
        except QuantityError:
            continue
        assert value >= least


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=string.ascii_letters + string.digits + "/:@.-_ ;$", max_size=30))
@example("a@sha256:")
@example("a/b:c@")
def test_an_image_is_itself_or_refused(text):
    try:
        reference = parse_image_reference(text)
    except ImageReferenceError:
        return
    assert str(reference) == text
    assert parse_image_reference(reference.canonical).canonical == reference.canonical
