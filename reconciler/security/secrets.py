"""
Generated secrets, one file each, readable by this user only. Implements `ports.Secrets`.

They are kept when an app is removed, since its volumes are. Losing them is losing data: they are
written through to the disk before anything is made with them, and belong into the backup.
"""

import os
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

from reconciler.errors import SecretError
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec

_HASH = ".bcrypt"


class SecretFiles:
    """A folder of apps, each with a file for each of its secrets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ensure(self, secret: SecretSpec) -> None:
        """Have it; what is there is never made anew."""
        file = self._file(secret.app, secret.name)
        try:
            if not file.exists():
                _write(file, _random(secret.kind))
            hashed = file.with_name(file.name + _HASH)
            if secret.kind is SecretKind.BCRYPT and not hashed.exists():
                _write(hashed, _hashed(file.read_text()))
        except OSError as error:
            raise _failed("keep", secret.app, secret.name, error) from error

    def read(self, ref: SecretRef) -> str:
        """Return it, or its hash."""
        file = self._file(ref.app, ref.name)
        try:
            return (file.with_name(file.name + _HASH) if ref.hashed else file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise _failed("read", ref.app, ref.name, error) from error

    def kept(self) -> frozenset[tuple[str, str]]:
        """Return which secrets are there, by app and name; what cannot be read is not there."""
        found: set[tuple[str, str]] = set()
        with suppress(OSError):
            for app in self._folder.iterdir():
                found |= {(app.name, name) for name in self.names(app.name)}
        return frozenset(found)

    def names(self, app: str) -> tuple[str, ...]:
        """Return the names of an app's secrets, sorted."""
        try:
            files = [f.name for f in (self._folder / app).iterdir()]
        except OSError:
            return ()
        return tuple(sorted(n for n in files if not n.endswith((_HASH, ".new"))))

    def forget(self, app: str) -> None:
        """Have none of an app's secrets, since its data is gone. Raises OSError."""
        folder = self._folder / app
        with suppress(FileNotFoundError):
            for file in folder.iterdir():
                file.unlink(missing_ok=True)
            folder.rmdir()

    def _file(self, app: str, name: str) -> Path:
        return self._folder / app / name


def _random(kind: SecretKind) -> str:
    import secrets  # only where one is made: verbs that look stay fast

    match kind:
        case SecretKind.HEX16 | SecretKind.BCRYPT:
            return secrets.token_hex(16)
        case SecretKind.HEX32:
            return secrets.token_hex(32)
        case SecretKind.BASE64:
            return b64encode(secrets.token_bytes(32)).decode()


def _hashed(password: str) -> str:
    import bcrypt

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()


def _write(file: Path, text: str) -> None:
    """Write it so that after a loss of power there is all of it or none."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
    for folder in (file.parent, file.parent.parent):
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _failed(verb: str, app: str, name: str, error: Exception) -> SecretError:
    why = (getattr(error, "strerror", None) or type(error).__name__).lower()
    return SecretError(
        f"cannot {verb} the secret {name} of {app}: {why};"
        " check the folder secrets in the state folder"
    )
