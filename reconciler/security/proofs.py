"""
What was once proved of images: one small file, so that a box that boots has to ask nobody.

Facts of bytes, not verdicts: which key signed what. What that is worth is decided anew each time,
by the trust file of that moment. What cannot be read is looked for again.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from reconciler import durable
from reconciler.model.signature import Denial, Findings, Signature, SignatureFormat, Subject

FORMAT = 1
MOST = 2000  # images; the ones that were looked at longest ago are looked at again
_LARGEST = 8 * 2**20


class ProofFile:
    """May be used from several threads; one loop writes, others only look."""

    def __init__(self, file: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self._file = file
        self._warn = warn
        self._lock = Lock()
        self._found = _parsed(file)

    def found(self) -> Mapping[Subject, Findings]:
        """Return everything that is known."""
        with self._lock:
            return dict(self._found)

    def keep(self, subject: Subject, findings: Findings) -> None:
        """Remember what was found, and say it where that cannot be written."""
        with self._lock:
            kept = {s: f for s, f in self._found.items() if s != subject}
            kept[subject] = findings
            self._found = dict(list(kept.items())[-MOST:])
            try:
                with durable.locked(self._file.parent):
                    durable.replace(self._file, _document(self._found))
            except OSError as error:
                why = (error.strerror or type(error).__name__).lower()
                self._warn(
                    f"cannot write what is known of signatures to {self._file}: {why};"
                    " they are looked for again after the next start"
                )


def _document(found: Mapping[Subject, Findings]) -> str:
    told = [
        {
            "repository": subject.repository,
            "digest": subject.digest,
            "tried": sorted(findings.tried),
            "signatures": [_told(s) for s in findings.signatures],
            "refused": list(findings.refused),
        }
        for subject, findings in found.items()
    ]
    return json.dumps({"format": FORMAT, "found": told}, indent=1) + "\n"


def _told(signature: Signature) -> list[str]:
    told = [signature.key, signature.format, signature.identity]
    return [*told, signature.issuer, signature.holder] if signature.issuer else told


def _parsed(file: Path) -> dict[Subject, Findings]:
    try:
        with file.open() as stream:
            told: Any = json.loads(stream.read(_LARGEST))
        if told["format"] != FORMAT:
            return {}
        return {
            Subject(str(one["repository"]), str(one["digest"])): Findings(
                frozenset(str(key) for key in one["tried"]),
                tuple(
                    Signature(str(key), SignatureFormat(kind), *(str(text) for text in more))
                    for key, kind, *more in one["signatures"]
                ),
                tuple(Denial(word) for word in one["refused"]),
            )
            for one in told["found"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
