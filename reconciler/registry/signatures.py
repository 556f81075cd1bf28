"""
Collects what registries keep beside an image that may be a signature of it. Judges nothing.

Classic ones are layers of the tag `sha256-….sig`; bundles refer to the image. Whoever may push to
a repository decides how much there is and what it calls itself: so all is bounded, every byte is
hashed before it is read, and what says itself that it is a bundle is believed, not what lists it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from msgspec import Struct

from reconciler.errors import RegistryError
from reconciler.model.signature import Material, SignatureFormat, Subject
from reconciler.registry.client import MANIFEST_BYTES, Get, RegistryClient

SECONDS = 30.0
OBJECTS = 32  # in all: no image has that many signers
OBJECT_BYTES = 2**20
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CLASSIC = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_ANY = "*/*"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FOUND = 200


class _Bounded(Struct):
    """A repository, and how many of its objects may still be read."""

    get: Get
    subject: Subject
    left: int = OBJECTS

    def named(self, tag: str, accept: str) -> bytes | None:
        """Return the manifest behind a tag, whose digest nobody told; None where there is none."""
        return self._read(f"manifests/{tag}", accept, OBJECT_BYTES)

    def listed(self) -> bytes | None:
        """Return what the registry says that refers to the image."""
        path = f"referrers/{self.subject.digest}"
        return self._read(path, _INDEX, MANIFEST_BYTES) or self.named(self.tag(""), _INDEX)

    def manifest(self, descriptor: Mapping[str, Any]) -> bytes | None:
        """Return a manifest that is listed."""
        return self._hashed("manifests", _MANIFEST, descriptor)

    def blob(self, descriptor: Mapping[str, Any]) -> bytes | None:
        """Return a blob that is listed."""
        return self._hashed("blobs", _ANY, descriptor)

    def tag(self, end: str) -> str:
        """Return the tag under which things of the image are kept."""
        return self.subject.digest.replace(":", "-", 1) + end

    def _hashed(self, kind: str, accept: str, descriptor: Mapping[str, Any]) -> bytes | None:
        """What says itself that it is too large is left there, and so is what has no digest."""
        digest, size = str(descriptor.get("digest")), descriptor.get("size")
        sound = _DIGEST.fullmatch(digest) and isinstance(size, int) and size <= OBJECT_BYTES
        if self.left <= 0 or not sound:
            return None
        self.left -= 1
        found = self._read(f"{kind}/{digest}", accept, OBJECT_BYTES)
        if found is not None and digest != f"sha256:{hashlib.sha256(found).hexdigest()}":
            raise RegistryError(
                f"cannot read the signatures of {self.subject.repository}: its registry answers"
                " with something else than it was asked for"
            )
        return found

    def _read(self, path: str, accept: str, largest: int) -> bytes | None:
        answer = self.get(path, accept, largest)
        return answer.body if answer.status == _FOUND else None


def collect(client: RegistryClient, subject: Subject, seconds: float = SECONDS) -> list[Material]:
    """Return what may be signatures of an image; RegistryError where that cannot be learned."""

    def all_of(get: Get) -> list[Material]:
        place = _Bounded(get, subject)
        return [*_classic(place), *_bundles(place)]

    return client.talk(f"{subject.repository}@{subject.digest}", seconds, all_of)


def _classic(place: _Bounded) -> Iterator[Material]:
    found = place.named(place.tag(".sig"), _MANIFEST)
    for layer in _entries(_parsed(found), "layers"):
        signature = _mapping(layer.get("annotations")).get(_SIGNATURE)
        if layer.get("mediaType") != CLASSIC or not isinstance(signature, str):
            continue
        content = place.blob(layer)
        if content is not None:
            yield Material(SignatureFormat.CLASSIC, content, signature)


def _bundles(place: _Bounded) -> Iterator[Material]:
    """Likely ones first: the list may be full of others, and only so many are read."""
    listed = sorted(_entries(_parsed(place.listed()), "manifests"), key=_unlikely)
    for descriptor in listed:
        manifest = _parsed(place.manifest(descriptor))
        if _mapping(manifest.get("subject")).get("digest") != place.subject.digest:
            continue
        for layer in _entries(manifest, "layers"):
            if BUNDLE not in {manifest.get("artifactType"), layer.get("mediaType")}:
                continue
            content = place.blob(layer)
            if content is not None:
                yield Material(SignatureFormat.BUNDLE, content)


def _unlikely(descriptor: Mapping[str, Any]) -> int:
    """Cosign writes the empty type into the list under a tag, so that one is the second guess."""
    known = (BUNDLE, "application/vnd.oci.empty.v1+json", None)
    told = descriptor.get("artifactType")
    return known.index(told) if told in known else len(known)


def _parsed(text: bytes | None) -> Mapping[str, Any]:
    """What makes no sense holds no signature."""
    try:
        return _mapping(json.loads(text)) if text is not None else {}
    except (ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON of any shape
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _entries(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    told: Any = document.get(key)
    listed = cast("Iterable[Any]", told) if isinstance(told, list) else ()
    return [_mapping(entry) for entry in listed]
