"""What `x-casaos` says about an app: its name, its page, its hints; kept, in English."""

from collections.abc import Mapping
from typing import Final

from reconciler.importing.doors import add_door
from reconciler.importing.given import Given
from reconciler.importing.interpolation import InterpolationError, Variables
from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.work import Work

_ENGLISH: Final = ("en_us", "en_gb", "en", "custom")
_LINES: Final = {
    "website": "website",
    "repo": "repo",
    "icon": "icon",
    "docs": "x-docs",
    "support": "x-support",
    "thumbnail": "x-thumbnail",
    "tagline": "x-tagline",
    "update_at": "x-updated",
    "id": "x-store-id",
    "store_app_id": "x-store-app-id",
}
_OF_THE_APP: Final = {"title": "name", "description": "description", "category": "category"}
_WHOLE: Final = {
    "screenshot_link": "x-screenshots",
    "screenshot": "x-screenshots",
    "architectures": "x-architectures",
}
_WHERE: Final = ("port_map", "index", "scheme")
_OF_THE_DOOR: Final = (*_WHERE, "main", "hostname")
_OF_SERVICES: Final = frozenset({"envs", "ports", "volumes", "command"})
_LONGEST_LINE: Final = 256


def variables(identity: str) -> Mapping[str, str]:
    """Return what the other system fills in by itself."""
    return {"AppID": identity, "PUID": "1000", "PGID": "1000", "TZ": "Etc/UTC"}


def carry(extension: Given, work: Work) -> None:
    """Write what the extension says."""
    about = part(work.app, "metadata")
    for key, given in extension.pairs():
        if given.value is None:
            given.neutral()
        elif key in _LINES:
            _line(about, _LINES[key], given)
        elif key in _WHOLE:
            _whole(about, _WHOLE[key], given)
        elif key in _OF_SERVICES:
            given.neutral()
        elif key not in _OF_THE_DOOR:
            _prose(key, given, about, work)
    _author(extension, about)
    _door(extension, work)


def _prose(key: str, given: Given, about: Section, work: Work) -> None:
    if key in _OF_THE_APP:
        if text := localized(given):
            shown = text if key == "description" else one_line(text)
            work.app[_OF_THE_APP[key]] = Leaf(shown, given.path)
        return
    match key:
        case "version":
            _version(given, work)
        case "release_notes":
            if text := localized(given):
                about["x-release-notes"] = Leaf(text, given.path)
        case "tips":
            _tips(given, work)
        case "author" | "developer":
            return
        case _:
            given.not_carried("this extension's key is not known")


def _line(about: Section, key: str, given: Given) -> None:
    text = localized(given)
    if text and len(one_line(text)) <= _LONGEST_LINE:
        about[key] = Leaf(one_line(text), given.path)
    elif text and not key.startswith("x-"):
        about[f"x-{key}"] = Leaf(text, given.path)
    elif text:
        about[key] = Leaf(text, given.path)


def _whole(about: Section, key: str, given: Given) -> None:
    if given.is_empty:
        given.neutral()
    else:
        about[key] = Leaf(given.whole(), given.path)


def _version(given: Given, work: Work) -> None:
    text = given.text()
    if text is not None and text.strip():
        work.app["version"] = Leaf(text.strip(), given.path)
    elif text is not None:
        _say_nothing(given)


def _tips(given: Given, work: Work) -> None:
    for key, inner in given.pairs():
        if inner.value is None:
            inner.neutral()
        elif key in {"before_install", "custom"}:
            text = localized(inner)
            if text:
                alerts = part(work.app, "alerts")
                before = alerts.get("install")
                if isinstance(before, Leaf):
                    text = f"{before.value}\n\n{text}"
                alerts["install"] = Leaf(work.asked.about_literals(text), inner.path)
        else:
            inner.not_carried("there is no such hint: only one before an install, or a removal")


def _author(extension: Given, about: Section) -> None:
    developer, author = extension.get("developer"), extension.get("author")
    found = [given for given in (developer, author) if given is not None]
    for given, key in zip(found, ("author", "x-packaged-by"), strict=False):
        text = localized(given)
        if text:
            about[key] = Leaf(one_line(text), given.path)


def _door(extension: Given, work: Work) -> None:
    """Write where the app's page is found, as far as the extension says."""
    texts = _texts_of_the_door(extension, work)
    main, hostname = extension.get("main"), extension.get("hostname")
    if main is not None and "main" in texts:
        _say_nothing(main)  # it tells only whose ports to look at
    if hostname is not None and "hostname" in texts:
        hostname.not_carried("the address of the machine is not written in a manifest")
    places = [g for k in _WHERE if k in texts and (g := extension.get(k)) is not None]
    if not places:
        return
    address = (texts.get("scheme") or "http", texts.get("index", "/"))
    container = work.names.get(texts.get("main", ""))
    if not add_door(work, container, texts.get("port_map", ""), address, places[0].path):
        for given in places:
            given.not_carried("no port is published that the page could be found at")


def _texts_of_the_door(extension: Given, work: Work) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key in _OF_THE_DOOR:
        given = extension.get(key)
        text = _filled(given, work) if given is not None else None
        if text:
            texts[key] = text
        elif given is not None and text is not None:
            _say_nothing(given)
    return texts


def _say_nothing(given: Given) -> None:
    given.ledger.fates.pop(given.path, None)
    given.neutral()


def _filled(given: Given, work: Work) -> str | None:
    text = given.text()
    if text is None:
        return None
    identity = work.app["id"]
    known = variables(str(identity.value) if isinstance(identity, Leaf) else "")
    try:
        return Variables(known).expand(text).strip()
    except InterpolationError as error:
        given.not_carried(f"its variables cannot be read: {error}")
        return None


def localized(given: Given) -> str:
    """Return one text: in English where there are several languages, and fit to be shown."""
    return "".join(c for c in _localized(given) if c.isprintable() or c in "\n\t")


def _localized(given: Given) -> str:
    if not given.is_mapping:
        text = given.text() or ""
        if not text.strip():
            _say_nothing(given)
        return text.strip()
    pairs = given.pairs()
    by_language = {key.lower().replace("-", "_"): value for key, value in pairs}
    filled = [v for v in by_language.values() if isinstance(v.value, str) and v.value.strip()]
    chosen = next((by_language[k] for k in _ENGLISH if by_language.get(k) in filled), None)
    chosen = chosen or next(iter(filled), None)
    for _, value in pairs:
        if value is not chosen:
            value.neutral()  # a translation, or nothing
    return (chosen.text() or "").strip() if chosen is not None else ""


def one_line(text: str) -> str:
    """Return a text without line breaks."""
    return " ".join(text.split())
