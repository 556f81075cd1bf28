"""
What images were before, and who signed them: one small file beside the ledger.

Losing it loses a memory, and no app: what is trusted then is remembered as if for the first time.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from msgspec.structs import replace

from reconciler import durable
from reconciler.model.pin import Past, Pin, PinKey, Signer

FORMAT = 1
MOST = 20  # of what was replaced, of each container
_LARGEST = 4 * 2**20
_NOTHING = Past()

_Known = dict[PinKey, Past]


class PastFile:
    """Written by the loop and by verbs. May be used from several threads and processes at once."""

    def __init__(self, file: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self._file = file
        self._warn = warn
        self._lock = Lock()
        self._read: tuple[durable.Signature | None, _Known] = (None, {})
        self._unwritten: _Known = {}

    def past(self) -> Mapping[PinKey, Past]:
        """Return everything that is remembered; the file is read only when it is another one."""
        with self._lock:
            return self._known() | self._unwritten

    def replaced(self, before: Mapping[PinKey, Pin], after: Mapping[PinKey, Pin]) -> None:
        """Remember that pins are others now; what is meant again was not replaced."""
        moved = {
            key: (old, after[key])
            for key, old in before.items()
            if key in after and after[key].image == old.image and after[key] != old
        }
        if not moved:
            return

        def with_more(known: _Known) -> _Known:
            return known | {
                key: _replaced(known.get(key, _NOTHING), old, new)
                for key, (old, new) in moved.items()
            }

        self._try(with_more)

    def remember(self, signers: Mapping[PinKey, tuple[Signer, ...]]) -> None:
        """Remember who may sign; where that cannot be written, say it, and know it meanwhile."""
        self._try(lambda known: _with_signers(known, signers))

    def accept(self, signers: Mapping[PinKey, tuple[Signer, ...]]) -> None:
        """Remember that these may sign as well; raises OSError."""
        with self._lock:
            self._change(lambda known: _with_signers(known, signers))

    def forget(self, app: str) -> None:
        """Remember nothing of an app any more; raises OSError."""
        with self._lock:
            self._unwritten = {k: p for k, p in self._unwritten.items() if k[0] != app}
            self._change(lambda known: {k: p for k, p in known.items() if k[0] != app})

    def _try(self, change: Callable[[_Known], _Known]) -> None:
        with self._lock:
            try:
                self._change(change)
            except OSError as error:
                self._unwritten = change(self._known() | self._unwritten)
                why = (error.strerror or type(error).__name__).lower()
                self._warn(
                    f"cannot write what images were to {self._file}: {why};"
                    " a restart of the loop forgets it"
                )

    def _change(self, change: Callable[[_Known], _Known]) -> None:
        if not self._file.exists() and not change(self._unwritten):
            return  # nothing to forget
        with durable.locked(self._file.parent):
            known = self._known()
            changed = change(known | self._unwritten)
            if changed != known:
                durable.replace(self._file, _document(changed))
            self._unwritten = {}

    def _known(self) -> _Known:
        signature = durable.signature(self._file)
        if signature is None:
            return {}
        if signature != self._read[0]:
            self._read = (signature, _parsed(self._file))
        return self._read[1]


def _replaced(past: Past, old: Pin, new: Pin) -> Past:
    others = tuple(pin for pin in past.replaced if pin not in {old, new})
    return replace(past, replaced=(*others, old)[-MOST:])


def _with_signers(known: _Known, signers: Mapping[PinKey, tuple[Signer, ...]]) -> _Known:
    found = dict(known)
    for key, more in signers.items():
        past = known.get(key, _NOTHING)
        ids = {signer.id for signer in more}
        others = tuple(signer for signer in past.signers if signer.id not in ids)
        found[key] = replace(past, signers=(*others, *more))
    return found


def _document(known: _Known) -> str:
    told: dict[str, dict[str, Any]] = {}
    for (app, container), past in sorted(known.items()):
        told.setdefault(app, {})[container] = {
            "replaced": [[pin.image, pin.digest] for pin in past.replaced],
            "signers": [[signer.id, signer.name] for signer in past.signers],
        }
    return json.dumps({"format": FORMAT, "apps": told}, indent=1) + "\n"


def _parsed(file: Path) -> _Known:
    try:
        with file.open() as stream:
            told: Any = json.loads(stream.read(_LARGEST))
        return dict(_entries(told)) if told["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _entries(told: Any) -> Iterator[tuple[PinKey, Past]]:  # noqa: ANN401 - JSON of any shape
    for app, containers in told["apps"].items():
        for container, past in containers.items():
            yield (
                (str(app), str(container)),
                Past(
                    tuple(Pin(str(image), str(digest)) for image, digest in past["replaced"]),
                    tuple(Signer(str(key), str(name)) for key, name in past["signers"]),
                ),
            )
