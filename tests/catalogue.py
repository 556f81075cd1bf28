"""The apps of the catalogue, read and resolved; shared by their tests."""

from pathlib import Path

from reconciler.core.resolve import Platform, resolve
from reconciler.model.manifest.verbs import InstallManifest
from reconciler.model.origin import Origin
from reconciler.model.snapshot import Snapshot
from reconciler.sources.manifests import load_documents

CHECKOUT = Path(__file__).resolve().parent.parent
APPS = CHECKOUT / "apps"
DEMO = "demo"
INSTANCE = "archipelago"
# What an operator could answer, for each type of parameter that has to be answered.
ANSWERS = {
    "text": "home",
    "random": "0123456789abcdef",
    "password": "correct horse battery staple",
    "boolean": "true",
    "number": "8",
    "email": "ada@example.org",
    "url": "https://app.example.org/",
    "ip": "192.0.2.7",
    "fqdn": "app.example.org",
}


def source(app):
    return APPS / app / "manifest.yml"


def loaded(app):
    """What is read of one app; its name in messages is that of the file in the checkout."""
    path = source(app)
    return load_documents(path.read_bytes(), str(path.relative_to(CHECKOUT)))


FOLDERS = sorted(path.parent.name for path in APPS.glob("*/manifest.yml"))
DOCUMENTS = {app: document for app in FOLDERS for document in loaded(app).documents}
MANIFESTS = {app: document.manifest for app, document in DOCUMENTS.items()}
REAL = [app for app, manifest in MANIFESTS.items() if manifest.category != DEMO]


def answers(manifest):
    """A value for each parameter that has to be given one."""
    return {
        p.name: p.options[0] if p.options else ANSWERS[str(p.type)]
        for p in manifest.parameters
        if p.required
    }


def install(app):
    given = {"app": app, "parameters": answers(MANIFESTS[app])}
    place = Origin(f"desired-state/{app}.yml", 1, 1)
    return type(DOCUMENTS[app])(InstallManifest.model_validate(given), place)


def resolved(app):
    """The app as it would run on any box, with what it needs."""
    wanted = Snapshot(documents=(install(app),))
    catalogue = Snapshot(documents=tuple(DOCUMENTS[each] for each in REAL))
    return resolve(wanted, catalogue, Platform(INSTANCE))
