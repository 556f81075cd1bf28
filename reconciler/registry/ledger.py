"""
The image ledger: one small file, written by the loop and by `archipelago update`.

Each write reads what is there, under a lock on the folder, and replaces the file as a whole.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from reconciler import durable
from reconciler.model.pin import Pin, PinKey

FORMAT = 1
MOST_IDS = 2000  # what is forgotten is recognised anew
_LARGEST = 4 * 2**20

_Pins = Mapping[PinKey, Pin]


class FileLedger:
    """Implements `ports.Ledger`. May be used from several threads and processes at once."""

    def __init__(
        self,
        file: Path,
        warn: Callable[[str], None] = lambda _: None,
        replaced: Callable[[_Pins, _Pins], None] = lambda _, __: None,
    ) -> None:
        """`replaced` is told what was remembered, and what is instead, once that is written."""
        self._file = file
        self._replaced = replaced
        self._ids_file = file.with_name("ids.json")
        self._warn = warn
        self._lock = Lock()
        self._read: tuple[tuple[int, int, int] | None, dict[PinKey, Pin]] = (None, {})
        self._read_ids: tuple[durable.Signature | None, dict[str, str]] = (None, {})
        self._unwritten: dict[PinKey, Pin] = {}

    def pins(self) -> Mapping[PinKey, Pin]:
        """Return everything that is remembered; the file is read only when it is another one."""
        with self._lock:
            return self._known() | self._unwritten

    def pin(self, key: PinKey, pin: Pin) -> None:
        """Remember, and say it where that cannot be written."""
        self._try(lambda known: known | {key: pin}, {key: pin})

    def restore(self, pins: Mapping[PinKey, Pin]) -> None:
        """Remember these where nothing is remembered of the same reference."""

        def added(known: dict[PinKey, Pin]) -> dict[PinKey, Pin]:
            return known | {k: p for k, p in pins.items() if not _same_image(known.get(k), p)}

        self._try(added, dict(pins))

    def ids(self) -> Mapping[str, str]:
        """Return the ids of all images that were recognised, by name."""
        with self._lock:
            return self._ids()

    def recognised(self, name: str, image_id: str, *, made: bool = False) -> str:
        """Return the first id that was seen under a name, or that was made."""
        with self._lock:
            if not made and (known := self._ids().get(name)):
                return known
            try:
                with durable.locked(self._file.parent):
                    told = {n: i for n, i in self._ids().items() if n != name} | {name: image_id}
                    kept = dict(list(told.items())[-MOST_IDS:])
                    durable.replace(self._ids_file, json.dumps(kept, indent=1) + "\n")
            except OSError as error:
                why = (error.strerror or type(error).__name__).lower()
                self._warn(f"cannot write the ids of images to {self._ids_file}: {why}")
            return image_id

    def _ids(self) -> dict[str, str]:
        """The file is read only when it is another one; nobody changes what is returned."""
        signature = durable.signature(self._ids_file)
        if signature is None or signature != self._read_ids[0]:
            self._read_ids = (signature, _parsed_ids(self._ids_file) if signature else {})
        return self._read_ids[1]

    def write(self, pins: Mapping[PinKey, Pin]) -> None:
        """Remember these; raises OSError."""
        with self._lock:
            self._change(lambda known: known | dict(pins))

    def forget(self, app: str) -> None:
        """Remember nothing of an app any more; raises OSError."""
        with self._lock:
            self._change(lambda known: {k: p for k, p in known.items() if k[0] != app})

    def _try(
        self,
        change: Callable[[dict[PinKey, Pin]], dict[PinKey, Pin]],
        wanted: dict[PinKey, Pin],
    ) -> None:
        with self._lock:
            try:
                self._change(change)
            except OSError as error:
                self._unwritten |= wanted
                why = (error.strerror or type(error).__name__).lower()
                self._warn(f"cannot write the image ledger {self._file}: {why}; labels say it too")

    def _change(self, change: Callable[[dict[PinKey, Pin]], dict[PinKey, Pin]]) -> None:
        with durable.locked(self._file.parent):
            known = self._known()
            changed = change(known | self._unwritten)
            if changed != known:
                durable.replace(self._file, _document(changed))
            self._unwritten = {}
        self._replaced(known, changed)

    def _known(self) -> dict[PinKey, Pin]:
        signature = durable.signature(self._file)
        if signature is None:
            return {}
        if signature != self._read[0]:
            self._read = (signature, _parsed(self._file))
        return self._read[1]


def _same_image(known: Pin | None, pin: Pin) -> bool:
    return known is not None and known.image == pin.image


def _document(pins: Mapping[PinKey, Pin]) -> str:
    told: dict[str, dict[str, dict[str, str]]] = {}
    for (app, container), pin in sorted(pins.items()):
        told.setdefault(app, {})[container] = {"image": pin.image, "digest": pin.digest}
    return json.dumps({"format": FORMAT, "pins": told}, indent=2) + "\n"


def _parsed_ids(file: Path) -> dict[str, str]:
    try:
        with file.open() as stream:
            told: Any = json.loads(stream.read(_LARGEST))
        return {str(name): str(found) for name, found in told.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _parsed(file: Path) -> dict[PinKey, Pin]:
    """Return what a file says; what is unreadable says nothing, and labels say it again."""
    try:
        with file.open() as stream:
            told: Any = json.loads(stream.read(_LARGEST))
        if told["format"] != FORMAT:
            return {}
        return {
            (str(app), str(container)): Pin(str(pin["image"]), str(pin["digest"]))
            for app, containers in told["pins"].items()
            for container, pin in containers.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
