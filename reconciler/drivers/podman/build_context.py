"""A directory as the tar stream that a build wants: the same bytes for the same content."""

import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reconciler.errors import DriverRejected

_IN_MEMORY = 8 * 1024 * 1024


@contextmanager
def packed(context: str, what: str) -> Generator[IO[bytes]]:
    """Pack a directory; the file is gone when the block ends."""
    directory = Path(context)
    if not directory.is_dir():
        raise DriverRejected(f"cannot {what}: the build context {context} is not a directory")
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        try:
            with tarfile.open(fileobj=file, mode="w") as archive:
                _add(archive, directory)
        except OSError as error:
            raise DriverRejected(
                f"cannot {what}: the build context cannot be read: {error.strerror}",
            ) from error
        file.seek(0)
        yield file


def _add(archive: tarfile.TarFile, directory: Path) -> None:
    for path in sorted(directory.rglob("*")):
        if ".git" in path.relative_to(directory).parts:
            continue
        info = archive.gettarinfo(path, arcname=str(path.relative_to(directory)))
        if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
            continue  # sockets and devices have no content
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 0
        if info.isreg():
            with path.open("rb") as content:
                archive.addfile(info, content)
        else:
            archive.addfile(info)
