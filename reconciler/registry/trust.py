"""Which registries are spoken to how: certificates, and those that the operator calls insecure."""

import ssl
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from reconciler.errors import RegistryError


class Places(Struct, frozen=True):
    """Folders of certificates, and files of settings, the first first."""

    certificates: tuple[Path, ...]
    settings: tuple[Path, ...]


def places(variables: Mapping[str, str]) -> Places:
    """Return where Podman looks, as containers-certs.d(5) and containers-registries.conf(5)."""
    home = Path(variables.get("HOME") or "/root")
    config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "containers"
    named = variables.get("CONTAINERS_REGISTRIES_CONF")
    folders = (config / "certs.d", Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))
    if named:
        return Places(folders, (Path(named),))
    # The user's own file replaces the machine's; drop-ins are added to either.
    own, machine = config / "registries.conf", Path("/etc/containers/registries.conf")
    main = own if own.exists() else machine
    return Places(folders, (main, *_drop_ins(machine), *_drop_ins(own)))


def context(found: Places, registry: str, *, proven: bool) -> ssl.SSLContext:
    """
    Return how to speak TLS with a registry; RegistryError where that cannot be set up.

    One that need not be `proven` may have any certificate: the operator said so.
    """
    made = ssl.create_default_context() if proven else _content_with_any()
    folder = next((f / registry for f in found.certificates if (f / registry).is_dir()), None)
    if folder is None:
        return made
    try:
        for authority in sorted(folder.glob("*.crt")):
            made.load_verify_locations(authority)
        for certificate in sorted(folder.glob("*.cert")):
            made.load_cert_chain(certificate, certificate.with_suffix(".key"))
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(
            f"cannot ask {registry}: the certificates in {folder} cannot be used; mend them",
        ) from error
    return made


def _content_with_any() -> ssl.SSLContext:
    """Reading the machine's authorities takes a while, and here nobody asks them."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def is_insecure(found: Places, registry: str) -> bool:
    """Whether the operator allows this registry to prove nothing, or not to speak TLS at all."""
    verdict = False
    for file in found.settings:
        for entry in _registries(file):
            place = entry.get("prefix") or entry.get("location")
            if place == registry:
                verdict = entry.get("insecure") is True
    return verdict


def _drop_ins(file: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(Path(f"{file}.d").glob("*.conf"))


def _registries(file: Path) -> list[dict[str, Any]]:
    try:
        told = tomllib.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return []
    listed: Any = told.get("registry")
    if not isinstance(listed, list):
        return []
    entries = cast("list[object]", listed)
    return [cast("dict[str, Any]", e) for e in entries if isinstance(e, dict)]
