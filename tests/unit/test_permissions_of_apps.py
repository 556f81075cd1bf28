"""What real apps ask for: those of the catalogue one by one, those of the corpora in shares."""

from collections import Counter

import pytest
from catalogue import CHECKOUT, REAL, resolved
from unit.test_import_corpora import files, imported

from reconciler.core.permissions import permissions_of, risk
from reconciler.core.requests import request_of
from reconciler.core.resolve import Platform, resolve
from reconciler.core.risks import sentence
from reconciler.importing.emit import manifest_text
from reconciler.importing.rights import DEFAULT_CAPABILITIES
from reconciler.model.permission import Kind, Risk
from reconciler.model.policy import NO_POLICY
from reconciler.model.snapshot import Snapshot
from reconciler.sources.manifests import load_documents

GOLDEN = CHECKOUT / "tests" / "golden" / "permissions"
_HARM = [Risk.BASELINE, Risk.ELEVATED, Risk.HOST]


def told(app):
    desired = resolved(app)
    request = request_of(desired.apps[app], desired, NO_POLICY)
    lines = [f"{harm}: {sentence(p)}  [{p.text}]" for p, harm in request.permissions]
    return "\n".join([*lines, f"hash: {request.hash}", ""])


@pytest.mark.parametrize("app", REAL)
def test_an_app_of_the_catalogue_asks_for_exactly_this(app, request):
    golden = GOLDEN / f"{app}.txt"
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(told(app))
    assert told(app) == golden.read_text(), "if that is meant, run pytest with --update-golden"


def test_no_golden_file_of_permissions_is_left_over():
    assert sorted(f.stem for f in GOLDEN.iterdir()) == sorted(REAL)


def harms(file):
    """The risk of an imported app; and without what its engine gives to everybody."""
    loaded = load_documents(manifest_text(imported(file).app, "x").encode(), "a.yml")
    found = resolve(Snapshot(documents=loaded.documents), Snapshot(), Platform(assumed=True))
    for spec in found.apps.values():
        every = permissions_of(spec)
        needed = frozenset(r.app for r in spec.requires)
        usual = [p for p in every if p.kind is Kind.PORT or p.value in DEFAULT_CAPABILITIES]
        yield (
            max((risk(p, needed) for p in every), key=_HARM.index),
            max((risk(p, needed) for p in every if p not in usual), key=_HARM.index),
        )


# Of a hundred apps: baseline, elevated, as good as root. The second row is without ports, which
# Compose opens to every network, and without the capabilities that it gives to everybody.
SHARES = {
    "casaos": [[0.0, 88.0, 12.0], [56.3, 31.7, 12.0]],
    "bigbear": [[0.0, 81.9, 18.1], [70.4, 11.5, 18.1]],
    "home-assistant-addons": [[0.0, 87.5, 12.5], [62.5, 25.0, 12.5]],
}


@pytest.mark.parametrize("name", SHARES)
def test_how_many_real_apps_ask_for_how_much(name):
    found = [pair for file in files(name) for pair in harms(file)]
    rows = []
    for row in zip(*found, strict=True):
        counted = Counter(row)
        rows.append([round(100 * counted[harm] / len(found), 1) for harm in _HARM])
    assert rows == SHARES[name]
