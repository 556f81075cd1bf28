"""
What makes two specs the same: a hash of inputs only.

Only what a running container cannot take over without being replaced is covered. Fields at their
default are left out, so that a later version may add fields without recreating anything.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, cast

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from reconciler.model.container import ContainerSpec
from reconciler.model.desired import AppSpec

VERSION = "1"  # a new rule goes into RULES beside the ones before: what they made runs on

Rules = Mapping[str, Callable[[ContainerSpec], Mapping[str, Any]]]

# Carried out by the reconciler itself, or only remembered: a change recreates nothing.
# What a build makes of its context is in the image's tag; where the context lies means nothing.
_NOT_COVERED = frozenset(
    {
        "build",
        "digest",
        "container_name",
        "pin",
        "place",
        "secrets",
        "source",
        "health",
        "restart",
        "depends_on",
        "stop_grace_period",
        "pull_policy",
        "signature",
        "guarded",
    },
)


def _first(container: ContainerSpec) -> Mapping[str, Any]:
    return {k: v for k, v in _plain(container).items() if k not in _NOT_COVERED}


RULES: Rules = MappingProxyType({"1": _first})


def container_digest(
    container: ContainerSpec,
    version: str = VERSION,
    rules: Rules = RULES,
) -> str:
    """Return the digest of a container: the version of a rule, a dash, and 64 hex digits."""
    return f"{version}-{_sha256(rules[version](container))}"


def app_digest(app: AppSpec, version: str = VERSION) -> str:
    """Return the digest of an app: it changes when one of its containers or their set changes."""
    covered = {
        "id": app.id,
        "containers": sorted((c.name, c.digest) for c in app.containers),
        "network": app.network.name if app.network else None,
    }
    return f"{version}-{_sha256(covered)}"


def content(app: AppSpec) -> str:
    """Return what an attempt is remembered by: all that decides whether a revision gets ready."""
    covered = {
        "digest": app.digest,
        "judged": sorted(
            (c.name, _plain(c.health), str(c.restart), [[n, str(w)] for n, w in c.depends_on])
            for c in app.containers
        ),
        "deadline": app.health_deadline,
    }
    return _sha256(covered)


def version_of(digest: str) -> str:
    """Return the version of the rule that made a digest."""
    return digest.partition("-")[0]


def short(digest: str) -> str:
    """Return the part of a digest that names show: eight hex digits."""
    return digest.partition("-")[2][:8]


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value that a spec is made of
    if isinstance(value, Struct):
        told = ((f, getattr(value, f.name)) for f in _fields(type(value)))
        return {f.name: _plain(v) for f, v in told if f.default is NODEFAULT or v != f.default}
    if isinstance(value, tuple):
        return [_plain(v) for v in cast("tuple[object, ...]", value)]
    return value


@cache
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    return fields(kind)
