"""What `umbrel-app.yml` says about an app, and what its Compose file takes for granted."""

from collections.abc import Mapping
from typing import Final, cast

from reconciler.importing.casaos import localized, one_line
from reconciler.importing.doors import add_door
from reconciler.importing.given import Given
from reconciler.importing.ledger import mapping_of
from reconciler.importing.names import app_id
from reconciler.importing.tree import Leaf, Section, listed, part
from reconciler.importing.work import Work
from reconciler.model.manifest.complaint import Path

PROXY: Final = "app_proxy"
_LINES: Final = {
    "name": "name",
    "category": "category",
    "version": "version",
}
_ABOUT: Final = {
    "developer": "author",
    "website": "website",
    "repo": "repo",
    "support": "x-support",
    "tagline": "x-tagline",
    "submitter": "x-packaged-by",
    "submission": "x-submission",
    "icon": "icon",
    "releaseNotes": "x-release-notes",
}
_NO_MEANING: Final = frozenset(
    [
        "id",
        "manifestVersion",
        "torOnly",
        "optimizedForUmbrelHome",
        "widgets",
        "disabled",
        "deterministicPassword",
    ]
)
_FACTS: Final = {"DEVICE_DOMAIN_NAME": "HOST_MDNS", "DEVICE_HOSTNAME": "HOST_MDNS"}
_SECRETS: Final = {"APP_PASSWORD": "app-password", "APP_SEED": "app-seed"}


def identity(about: object) -> str:
    """Return the app's id, where it is given."""
    written = (mapping_of(about) or {}).get("id")
    return app_id(written) if isinstance(written, str) else ""


def variables(identity_: str) -> Mapping[str, str]:
    """Return what the other system fills in, where it is a path or a name."""
    root = "/home/umbrel/umbrel"
    return {
        "APP_DATA_DIR": ".",
        "APP_ID": identity_,
        "UMBREL_ROOT": root,
        "APP_LIGHTNING_NODE_DATA_DIR": f"{root}/app-data/lightning/data/lnd",
        "APP_BITCOIN_DATA_DIR": f"{root}/app-data/bitcoin/data/bitcoin",
    }


def add_templates(work: Work) -> None:
    """Let facts of the machine and generated secrets stand for the other system's own."""
    for name, fact in _FACTS.items():
        work.asked.templates[name] = f"{{{{ {fact} }}}}"
    for name, secret in _SECRETS.items():
        work.asked.made_on_use[name] = secret


def carry(about: object, work: Work) -> None:
    """Write what the file says; it stands in the ledger under `umbrel-app.yml`."""
    file = Given(about, ("umbrel-app.yml",), work.ledger)
    metadata = part(work.app, "metadata")
    for key, given in file.pairs():
        if given.value is None or key in _NO_MEANING:
            given.neutral()
        elif key in _LINES:
            if text := localized(given):
                work.app[_LINES[key]] = Leaf(one_line(text), given.path)
        elif key in _ABOUT:
            if text := localized(given):
                name = _ABOUT[key]
                metadata[name] = Leaf(
                    text if name.startswith("x-") else one_line(text), given.path
                )
        else:
            _more(key, given, metadata, work)
    _door(file, work)


def _more(key: str, given: Given, metadata: Section, work: Work) -> None:
    match key:
        case "port" | "path":
            return
        case _ if given.is_empty:
            given.neutral()
        case "description":
            work.app["description"] = Leaf(localized(given), given.path)
        case "gallery" | "permissions":
            name = "x-screenshots" if key == "gallery" else "x-permissions"
            metadata[name] = Leaf(given.whole(), given.path)
        case "dependencies":
            _dependencies(given, work)
        case "defaultUsername" | "defaultPassword":
            _login(key, given, work)
        case _:
            given.not_carried("this key of the other system is not known")


def _dependencies(given: Given, work: Work) -> None:
    for entry in given.entries():
        if text := entry.closed_text():
            listed(work.app, "dependencies").append(Leaf(app_id(text), entry.path))


def _login(key: str, given: Given, work: Work) -> None:
    text = given.text()
    if not text or not text.strip():
        given.ledger.fates.pop(given.path, None)
        given.neutral()
        return
    what = "user" if key == "defaultUsername" else "password"
    alerts = part(work.app, "alerts")
    before = alerts.get("install")
    line = f"The first {what} is `{text}`; change it after the first login."
    if isinstance(before, Leaf):
        line = f"{before.value}\n{line}"
    alerts["install"] = Leaf(work.asked.about_literals(line), given.path)


def _door(file: Given, work: Work) -> None:
    port, path = file.get("port"), file.get("path")
    where = port or path or file
    number = port.integer() if port is not None else None
    page = (path.closed_text() or "/") if path is not None else "/"
    if number is not None and not add_door(work, None, str(number), ("http", page), where.path):
        where.not_carried("this is not a port")


def publish_proxied(proxy: Given, about: object, work: Work) -> None:
    """Publish what the other system's proxy leads to; the proxy itself is not run."""
    environment = proxy.get("environment")
    texts: dict[str, tuple[str, Path]] = {}
    for key, given in environment.pairs() if environment is not None else []:
        if key in {"APP_HOST", "APP_PORT"} and (text := given.closed_text()):
            texts[key] = (text, given.path)
        elif key.startswith("PROXY_AUTH"):
            given.not_carried("nobody asks for a login before the app does", "see `auth` of ports")
        else:
            given.neutral()
    for key, given in proxy.pairs():
        if key != "environment":
            given.neutral()
    outside = (mapping_of(about) or {}).get("port")
    host, inside = texts.get("APP_HOST"), texts.get("APP_PORT")
    if host is None or inside is None or not inside[0].isdecimal():
        return
    name = _target(host[0], work)
    if name is None:
        work.ledger.not_carried(host[1], f"there is no service `{host[0][:60]}` in the file")
        return
    number = str(outside) if str(outside).isdecimal() else inside[0]
    containers = cast("dict[str, Section]", work.app["containers"])
    written: Section = {"host": int(number), "container": int(inside[0]), "bind": "0.0.0.0"}  # noqa: S104 - it is what a page of the box means, and is told
    listed(containers[name], "ports").append(Leaf(written, inside[1]))
    message = f"publishes port {number} to every network that the machine is in"
    work.ledger.permission(inside[1], message)


def _target(host: str, work: Work) -> str | None:
    """Return the container behind `<app>_<service>_1`, or behind the service's own name."""
    for service, name in work.names.items():
        if host in {service, name} or host.endswith((f"_{service}_1", f"-{service}-1")):
            return name
    return None
