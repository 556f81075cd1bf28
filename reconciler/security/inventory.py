"""
What was adopted: one small file, written by `archipelago adopt`, read in each pass.

It stands for labels, which Podman adds to nothing that is there. What cannot be read is not taken
for empty: what it names runs, and would be made a second time.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from msgspec.structs import asdict

from reconciler import durable
from reconciler.errors import DriverRejected
from reconciler.model.adoption import Adopted, Adoptions

FORMAT: Final = 1
_LARGEST = 4 * 2**20


class InventoryFile:
    """Implements `ports.Inventory`. May be used from several threads and processes at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self._read: tuple[durable.Signature | None, Adoptions] = (None, Adoptions())

    def adoptions(self) -> Adoptions:
        """Return all of it; the file is read only when it is another one."""
        with self._lock:
            return self._known()

    def adopt(self, more: Adoptions) -> None:
        """Remember these besides; raises OSError, or DriverRejected as reading does."""
        self._change(
            lambda known: Adoptions(
                {**known.containers, **more.containers},
                {**known.volumes, **more.volumes},
            )
        )

    def forget(self, ref: str) -> None:
        """Know nothing any more of an id or a volume. What stays written is of what is gone."""
        known = self.adoptions()
        if ref not in known.containers and ref not in known.volumes:
            return
        with suppress(OSError):
            self._change(
                lambda known: Adoptions(
                    {k: v for k, v in known.containers.items() if k != ref},
                    {k: v for k, v in known.volumes.items() if k != ref},
                )
            )

    def _change(self, change: Callable[[Adoptions], Adoptions]) -> None:
        with self._lock, durable.locked(self._file.parent):
            durable.replace(self._file, _document(change(self._known())))

    def _known(self) -> Adoptions:
        signature = durable.signature(self._file)
        if signature is None:
            return Adoptions()
        if signature != self._read[0]:
            self._read = (signature, self._parsed())
        return self._read[1]

    def _parsed(self) -> Adoptions:
        try:
            with self._file.open(encoding="utf-8") as stream:
                return _adoptions(json.loads(stream.read(_LARGEST)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DriverRejected(
                f"cannot read which containers were adopted: {self._file} cannot be used; bring it"
                " back from a backup, or delete it and say `archipelago adopt` again",
            ) from error


def _document(known: Adoptions) -> str:
    told = {
        "format": FORMAT,
        "containers": {ref: asdict(what) for ref, what in sorted(known.containers.items())},
        "volumes": dict(sorted(known.volumes.items())),
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _adoptions(told: Any) -> Adoptions:  # noqa: ANN401 - JSON of any shape
    if told["format"] != FORMAT:
        raise ValueError("another format")
    return Adoptions(
        {str(ref): _adopted(what) for ref, what in told["containers"].items()},
        {str(name): str(app) for name, app in told["volumes"].items()},
    )


def _adopted(told: Any) -> Adopted:  # noqa: ANN401 - JSON of any shape
    return Adopted(
        app=str(told["app"]),
        container=str(told["container"]),
        digest=str(told["digest"]),
        image=str(told["image"]),
        image_digest=str(told["image_digest"]),
        requires=tuple(str(app) for app in told["requires"]),
        secrets=tuple(str(name) for name in told["secrets"]),
        source=str(told["source"]),
        stop_grace_period=float(told["stop_grace_period"]),
    )
