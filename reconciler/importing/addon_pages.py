"""Where the page of an add-on is: at its own address, or behind the Supervisor."""

from reconciler.importing.given import Given
from reconciler.importing.health import health_of_address
from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.work import Work


def add_page(root: Given, work: Work) -> None:
    """Write where the page is: of `webui`, or of the Supervisor's `ingress`."""
    webui, ingress = root.get("webui"), root.get("ingress")
    found: dict[str, object] | None = None
    if webui is not None:
        found = health_of_address(webui.text() or "")
        if found is None:
            webui.not_carried("the address of the page hangs on the options", "see `interfaces`")
    if webui is not None and found is not None:
        number = int(str(found["endpoint"]).rpartition(":")[2])
        _add_interface(work, number, str(found.get("path", "/")), webui)
    elif ingress is not None and ingress.boolean():
        _ingress(root, ingress, work)


def _ingress(root: Given, ingress: Given, work: Work) -> None:
    port, entry = root.get("ingress_port"), root.get("ingress_entry")
    number = port.integer() if port is not None else 8099
    page = (entry.closed_text() or "/") if entry is not None else "/"
    if not number:
        ingress.not_carried("the Supervisor chooses the port of the page", "see `interfaces`")
        return
    _add_interface(work, number, f"/{page.lstrip('/')}", ingress)
    hint = "publish the port; the app then asks for no login of Home Assistant"
    ingress.changed(f"the page on port {number} is meant for Home Assistant's own proxy", hint)


def _add_interface(work: Work, port: int, path: str, given: Given) -> None:
    door: Section = {"name": "Web UI", "type": "ui", "port": port, "protocol": "http"}
    if path.strip("/"):
        door["path"] = path
    part(work.app, "interfaces")["main"] = Leaf(door, given.path)
