"""
The last good revision of each app, one file each, and the failed ones of all. Evidence, on disk.

Losing them loses no app and no data, only the way back to what ran. No secret's value is in them:
specs know secrets by name.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from reconciler import durable
from reconciler.model.revision import FailedRevision, Revision
from reconciler.security.failures import Failures
from reconciler.security.spec_json import app_document, parse_app

FORMAT: Final = 1
_LARGEST = 4 * 2**20

Warn = Callable[[str], None]
_Known = dict[str, tuple[durable.Signature, Revision | None]]


class RevisionFiles:
    """
    Implements `ports.Revisions`, and reads for the evidence what it wrote.

    The folder's time says whether a file in it is another one: at rest nothing is read.
    """

    def __init__(self, folder: Path, failures: Failures, warn: Warn = lambda _: None) -> None:
        self._folder = folder
        self._failures = failures
        self._warn = warn
        self._seen: durable.Signature | None = None
        self._known: _Known = {}
        self._unwritten: dict[str, Revision] = {}
        self._complained: set[str] = set()

    def good(self) -> Mapping[str, Revision]:
        """Return the last good revision of each app; what cannot be read is not known."""
        now = durable.signature(self._folder)
        if now is not None and now != self._seen:
            self._seen, self._known = now, self._read()
        elif now is None:
            self._seen, self._known = None, {}
        known = {a: revision for a, (_, revision) in self._known.items() if revision is not None}
        return known | self._unwritten

    def failed(self) -> Mapping[str, tuple[FailedRevision, ...]]:
        """Return the revisions that were given up, by app."""
        return self._failures.failed()

    def retried(self) -> Mapping[str, datetime]:
        """Return when the operator asked for another try, by app."""
        return self._failures.retried()

    def keep(self, app: str, revision: Revision) -> None:
        """Remember the revision to go back to."""
        document = {
            "format": FORMAT,
            "proven": revision.proven,
            "app": app_document(revision.spec),
        }
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace(self._file(app), json.dumps(document, ensure_ascii=False) + "\n")
        except OSError as error:
            self._unwritten[app] = revision
            self._complain(app, f"cannot write {self._file(app)}: {_why(error)}; {_LOST}")
        else:
            self._unwritten.pop(app, None)

    def fail(self, app: str, failed: FailedRevision) -> None:
        """Remember a revision that was given up."""
        self._failures.fail(app, failed)

    def forget(self, app: str) -> None:
        """Forget everything of an app."""
        self._unwritten.pop(app, None)
        with suppress(OSError):
            self._file(app).unlink(missing_ok=True)
        self._failures.forget(app)

    def _file(self, app: str) -> Path:
        return self._folder / f"{app}.json"

    def _read(self) -> _Known:
        found: _Known = {}
        with suppress(OSError):
            for file in sorted(self._folder.glob("*.json")):
                signature = durable.signature(file)
                if signature is None:
                    continue
                known = self._known.get(file.stem)
                same = known is not None and known[0] == signature
                found[file.stem] = known if known and same else (signature, self._parsed(file))
        return found

    def _parsed(self, file: Path) -> Revision | None:
        try:
            with file.open(encoding="utf-8") as stream:
                return _revision(json.loads(stream.read(_LARGEST)), file.stem)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self._complain(file.stem, f"cannot read {file}: it is not known what to go back to")
            return None

    def _complain(self, app: str, message: str) -> None:
        if app not in self._complained:
            self._complained.add(app)
            self._warn(message)


def _revision(told: Any, app: str) -> Revision:  # noqa: ANN401 - JSON of any shape
    if told["format"] != FORMAT or type(told["proven"]) is not bool:
        raise ValueError("another format")
    spec = parse_app(told["app"])
    if spec.id != app:
        raise ValueError("of another app")
    return Revision(spec, told["proven"])


_LOST: Final = "until it can be, a restart of the loop forgets what to go back to"


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
